#include "daemon/discovery/pods.h"

#include <algorithm>
#include <utility>

#include "daemon/kubernetes/api_json.h"
#include "src/base/host_port.h"
#include "src/base/rfc3339.h"

namespace pulse {

namespace {

// A pod at `root`, "/items" or "/object".
class PodWalker : public JsonWalker {
 public:
  explicit PodWalker(const std::string& root)
      : root_(root),
        metadata_(root + "/metadata"),
        labels_(metadata_ + "/labels"),
        owners_(metadata_ + "/ownerReferences"),
        status_(root + "/status"),
        conditions_(status_ + "/conditions") {}

 protected:
  bool wants(const std::string& path) const override {
    return path.empty() || path == root_ || path == metadata_ || path == labels_ || path == owners_ ||
           path == status_ || path == conditions_;
  }
  void on_object_begin(const std::string& path) override {
    if (path == root_) pod_ = Pod{};
    if (path == owners_) {
      owner_ = PodOwner{};
      owner_controls_ = false;
    }
    if (path == conditions_) condition_is_ready_ = condition_is_true_ = false;
  }
  void on_object_end(const std::string& path) override {
    if (path == conditions_ && condition_is_ready_) pod_.ready = condition_is_true_;
    if (path == owners_ && owner_controls_) {
      owner_.revision_name = std::move(pod_.owner.revision_name);  // of a label, which may come first
      pod_.owner = std::move(owner_);
    }
  }
  void on_text(const std::string& path, std::string& value) override {
    const auto is = [&](const std::string& container, const char* name) {
      return path.size() > container.size() && path.compare(0, container.size(), container) == 0 &&
             path.compare(container.size() + 1, std::string::npos, name) == 0;
    };
    if (is(metadata_, "name"))
      pod_.name = std::move(value);
    else if (is(metadata_, "uid"))
      pod_.uid = std::move(value);
    else if (is(metadata_, "resourceVersion"))
      pod_.resource_version = std::move(value);
    else if (is(metadata_, "creationTimestamp"))
      pod_.created_at = parse_rfc3339(value).value_or(0);
    else if (is(metadata_, "deletionTimestamp"))
      pod_.deleting = true;
    else if (is(labels_, "controller-revision-hash"))
      pod_.owner.revision_name = std::move(value);
    else if (is(owners_, "kind"))
      owner_.kind = std::move(value);
    else if (is(owners_, "name"))
      owner_.name = std::move(value);
    else if (is(owners_, "uid"))
      owner_.uid = std::move(value);
    else if (is(status_, "phase"))
      pod_.phase = std::move(value);
    else if (is(status_, "podIP"))
      pod_.address = std::move(value);
    else if (is(conditions_, "type"))
      condition_is_ready_ = value == "Ready";
    else if (is(conditions_, "status"))
      condition_is_true_ = value == "True";
  }

  void on_flag(const std::string& path, bool value) override {
    if (path == owners_ + "/controller") owner_controls_ = value;
  }

  const std::string root_;
  Pod pod_;

 private:
  const std::string metadata_;
  const std::string labels_;
  const std::string owners_;
  const std::string status_;
  const std::string conditions_;
  PodOwner owner_;
  bool owner_controls_ = false;
  bool condition_is_ready_ = false;
  bool condition_is_true_ = false;
};

class ListWalker : public PodWalker {
 public:
  ListWalker() : PodWalker("/items") {}
  std::string kind;
  PodPage page;
  bool nameless = false;

 private:
  bool wants(const std::string& path) const override { return path == "/metadata" || PodWalker::wants(path); }
  void on_object_end(const std::string& path) override {
    PodWalker::on_object_end(path);
    if (path != root_) return;
    if (pod_.name.empty()) nameless = true;
    if (pod_.is_member()) page.pods.push_back(std::move(pod_));
  }
  void on_text(const std::string& path, std::string& value) override {
    if (path == "/kind")
      kind = std::move(value);
    else if (path == "/metadata/resourceVersion")
      page.resource_version = std::move(value);
    else if (path == "/metadata/continue")
      page.next = std::move(value);
    else
      PodWalker::on_text(path, value);
  }
};

class EventWalker : public PodWalker {
 public:
  EventWalker() : PodWalker("/object") {}
  std::string type;
  WatchEvent event;

 private:
  void on_object_end(const std::string& path) override {
    PodWalker::on_object_end(path);
    if (path == root_) event.pod = std::move(pod_);
  }
  void on_text(const std::string& path, std::string& value) override {
    if (path == "/type")
      type = std::move(value);
    else if (path == "/object/message")
      event.message = std::move(value);
    else
      PodWalker::on_text(path, value);
  }
  void on_number(const std::string& path, int64_t value) override {
    if (path == "/object/code") event.code = static_cast<int>(value);
  }
};

Found to_member(const Pod& pod) {
  Found member;
  member.name = pod.name;
  member.address = pod.address;
  member.ready = pod.ready;
  member.created_at = pod.created_at;
  member.owner = pod.owner;
  return member;
}

}  // namespace

bool Pod::is_member() const { return phase == "Running" && !deleting && !name.empty() && is_address(address); }

Result<PodPage> parse_pod_page(std::string_view json) {
  ListWalker walker;
  if (const std::string problem = walk_json(json, walker); !problem.empty()) return Error{problem};
  if (walker.kind != "PodList") return Error{"not a PodList but \"" + walker.kind + "\""};
  if (walker.page.resource_version.empty()) return Error{"a PodList without a resourceVersion"};
  if (walker.nameless) return Error{"a pod without a name"};
  return std::move(walker.page);
}

Result<WatchEvent> parse_watch_event(std::string_view json) {
  EventWalker walker;
  if (const std::string problem = walk_json(json, walker); !problem.empty()) return Error{problem};
  static constexpr std::pair<const char*, WatchKind> kKinds[] = {{"ADDED", WatchKind::added},
                                                                 {"MODIFIED", WatchKind::modified},
                                                                 {"DELETED", WatchKind::deleted},
                                                                 {"BOOKMARK", WatchKind::bookmark},
                                                                 {"ERROR", WatchKind::error}};
  const auto found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& pair) { return walker.type == pair.first; });
  if (found == std::end(kKinds)) return Error{"an event of unknown type \"" + walker.type + "\""};
  WatchEvent event = std::move(walker.event);
  event.kind = found->second;
  if (event.kind == WatchKind::error) return event;
  if (event.pod.resource_version.empty()) return Error{"an event without a resourceVersion"};
  if (event.kind != WatchKind::bookmark && event.pod.name.empty()) return Error{"an event of a pod without a name"};
  return event;
}

void PodSet::replace(const std::vector<Pod>& pods) {
  pods_.clear();
  for (const Pod& pod : pods) {
    if (pod.is_member()) pods_[pod.name] = to_member(pod);
  }
}

bool PodSet::apply(const WatchEvent& event) {
  if (event.kind == WatchKind::bookmark || event.kind == WatchKind::error) return false;
  if (event.kind == WatchKind::deleted || !event.pod.is_member()) return pods_.erase(event.pod.name) != 0;
  Found member = to_member(event.pod);
  Found& known = pods_[event.pod.name];
  if (known == member) return false;
  known = std::move(member);
  return true;
}

std::vector<Found> PodSet::members(uint16_t port, bool is_core) const {
  std::vector<Found> members;
  members.reserve(pods_.size());
  for (const auto& [name, member] : pods_) {
    members.push_back(member);
    members.back().port = port;
    members.back().is_core = is_core;
  }
  return members;
}

}  // namespace pulse
