#include "daemon/discovery/revisions.h"

#include <algorithm>

#include "daemon/kubernetes/api_json.h"
#include "src/base/number.h"

namespace pulse {

namespace {

constexpr const char* kReplicaSets = "replicasets";
constexpr const char* kControllerRevisions = "controllerrevisions";
// Times of creation, which stand for revisions where those aren't known, are greater.
constexpr int64_t kMostRevision = 999'999'999;

class RevisionWalker : public JsonWalker {
 public:
  std::string kind;
  std::string name;
  std::string annotation;
  std::string workload;
  int64_t number = 0;

 private:
  bool wants(const std::string& path) const override {
    return path.empty() || path == "/metadata" || path == "/metadata/annotations" ||
           path == "/metadata/ownerReferences";
  }
  void on_object_begin(const std::string& path) override {
    if (path != "/metadata/ownerReferences") return;
    owner_ = PodOwner{};
    owner_controls_ = false;
  }
  void on_object_end(const std::string& path) override {
    if (path != "/metadata/ownerReferences" || !owner_controls_) return;
    workload = owner_.kind + " " + owner_.name + " " + owner_.uid;
  }
  void on_text(const std::string& path, std::string& value) override {
    if (path == "/kind")
      kind = std::move(value);
    else if (path == "/metadata/name")
      name = std::move(value);
    else if (path == "/metadata/annotations/deployment.kubernetes.io/revision")
      annotation = std::move(value);
    else if (path == "/metadata/ownerReferences/kind")
      owner_.kind = std::move(value);
    else if (path == "/metadata/ownerReferences/name")
      owner_.name = std::move(value);
    else if (path == "/metadata/ownerReferences/uid")
      owner_.uid = std::move(value);
  }
  void on_number(const std::string& path, int64_t value) override {
    if (path == "/revision") number = value;
  }
  void on_flag(const std::string& path, bool value) override {
    if (path == "/metadata/ownerReferences/controller") owner_controls_ = value;
  }

  PodOwner owner_;
  bool owner_controls_ = false;
};

std::string shown_name(const Found& member) { return member.name.empty() ? member.address : member.name; }

}  // namespace

Result<RevisionObject> revision_object(const PodOwner& owner) {
  if (owner.kind == "ReplicaSet") return RevisionObject{kReplicaSets, owner.name};
  if (owner.kind.empty()) return Error{"no controller owns it"};
  if (owner.kind != "StatefulSet") return Error{"its owner is a " + owner.kind};
  if (owner.revision_name.empty()) return Error{"it has no label controller-revision-hash"};
  return RevisionObject{kControllerRevisions, owner.revision_name};
}

Result<TemplateRevision> parse_revision(const RevisionObject& object, std::string_view json) {
  RevisionWalker walker;
  if (const std::string problem = walk_json(json, walker); !problem.empty()) return Error{problem};
  const bool replica_set = object.resource == kReplicaSets;
  const std::string kind = replica_set ? "ReplicaSet" : "ControllerRevision";
  if (walker.kind != kind) return Error{"not a " + kind + " but \"" + walker.kind + "\""};
  if (walker.name != object.name) return Error{"another one: " + walker.name};
  if (replica_set && walker.annotation.empty()) return Error{"no annotation deployment.kubernetes.io/revision"};
  const int64_t number = replica_set ? to_number<int64_t>(walker.annotation).value_or(0) : walker.number;
  if (number < 1 || number > kMostRevision) return Error{"its revision is no number from 1 to 999999999"};
  if (walker.workload.empty()) return Error{"no controller owns it"};
  return TemplateRevision{walker.workload, number};
}

std::string set_revisions(std::vector<Found>& members, const KnownRevisions& known) {
  const std::string* workload = nullptr;
  std::string reason;
  for (Found& member : members) {
    member.revision = 0;
    if (!member.is_core || !reason.empty()) continue;
    const auto object = revision_object(member.owner);
    if (!object) {
      reason = "pod " + shown_name(member) + ": " + object.error().text;
      continue;
    }
    const auto found = known.find(*object);
    const KnownRevision* one = found == known.end() ? nullptr : &found->second;
    if (one == nullptr || one->revision.number == 0) {
      reason =
          one == nullptr || one->error.empty() ? "not read yet: " + object->resource + "/" + object->name : one->error;
      continue;
    }
    if (workload != nullptr && *workload != one->revision.workload) {
      const auto without_uid = [](const std::string& text) { return text.substr(0, text.rfind(' ')); };
      reason =
          "the cores are of two workloads: " + without_uid(*workload) + " and " + without_uid(one->revision.workload);
      continue;
    }
    workload = &one->revision.workload;
    member.revision = one->revision.number;
  }
  if (!reason.empty()) {
    for (Found& member : members) member.revision = 0;
  }
  return reason;
}

void note_answer(KnownRevision& known, const Result<TemplateRevision>& answer, int status) {
  known.error = answer ? "" : answer.error().text;
  if (answer) {
    known.revision = *answer;
  } else if (status == 200 || status == 403) {
    known.revision = {};
  }
}

}  // namespace pulse
