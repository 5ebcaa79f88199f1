#include "tests/kubernetes-double/store.h"

#include <algorithm>
#include <ctime>

#include "tests/kubernetes-double/base64.h"

namespace kubernetes_double {
namespace {

constexpr uint64_t kStep = 3;              // other objects change too
constexpr size_t kChangesInMemory = 8192;  // for open watches, which may be behind by more than --history
constexpr size_t kSnapshots = 100;

}  // namespace

Store::Store(Wakeups& wakeups, size_t pod_bytes, size_t history)
    : wakeups_(wakeups), pod_bytes_(pod_bytes), history_(history) {}

void Store::put(const std::string& pod_namespace, const std::string& name, const std::function<void(Pod&)>& change) {
  {
    const std::lock_guard lock(mutex_);
    const Name key(pod_namespace, name);
    const auto found = pods_.find(key);
    Pod pod;
    if (found != pods_.end()) {
      pod = found->second->pod;
    } else {
      pod.name = name;
      pod.pod_namespace = pod_namespace;
      pod.uid = random_uuid();
      pod.created = std::time(nullptr);
    }
    change(pod);
    pod.resource_version = resource_version_ + kStep;
    record(key, std::make_shared<StoredPod>(pod, pod_bytes_), pod.resource_version);
  }
  wakeups_.wake_all();
}

bool Store::remove(const std::string& pod_namespace, const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (!pods_.contains({pod_namespace, name})) return false;
    record({pod_namespace, name}, nullptr, resource_version_ + kStep);
  }
  wakeups_.wake_all();
  return true;
}

void Store::clear() {
  {
    const std::lock_guard lock(mutex_);
    while (!pods_.empty()) {
      const Name name = pods_.begin()->first;
      record(name, nullptr, resource_version_ + kStep);
    }
  }
  wakeups_.wake_all();
}

void Store::record(const Name& name, PodPtr now, uint64_t resource_version) {
  PodPtr& pod = pods_[name];
  changes_.push_back({resource_version, pod, now});
  if (now) {
    pod = std::move(now);
  } else {
    pods_.erase(name);
  }
  resource_version_ = resource_version;
  newest_.reset();
  if (changes_.size() > history_) {
    oldest_ = std::max(oldest_, changes_[changes_.size() - history_ - 1].resource_version);
  }
  if (changes_.size() > kChangesInMemory) {
    changes_.pop_front();
    ++first_index_;
  }
}

void Store::compact() {
  const std::lock_guard lock(mutex_);
  resource_version_ += 1000;
  oldest_ = resource_version_;
  newest_.reset();
  kept_.clear();
}

uint64_t Store::resource_version() const {
  const std::lock_guard lock(mutex_);
  return resource_version_;
}

size_t Store::size() const {
  const std::lock_guard lock(mutex_);
  return pods_.size();
}

std::shared_ptr<const Snapshot> Store::snapshot() const {
  if (!newest_) {
    auto taken = std::make_shared<Snapshot>();
    taken->resource_version = resource_version_;
    for (const auto& [name, pod] : pods_) taken->pods.push_back(pod);
    newest_ = std::move(taken);
  }
  return newest_;
}

std::shared_ptr<const Snapshot> Store::now() const {
  const std::lock_guard lock(mutex_);
  return snapshot();
}

void Store::keep(const std::shared_ptr<const Snapshot>& snapshot) {
  const std::lock_guard lock(mutex_);
  if (snapshot->resource_version < oldest_) return;
  kept_[snapshot->resource_version] = snapshot;
  if (kept_.size() > kSnapshots) kept_.erase(kept_.begin());
}

std::shared_ptr<const Snapshot> Store::kept(uint64_t resource_version) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(resource_version);
  return found == kept_.end() ? nullptr : found->second;
}

std::pair<Store::Position, std::shared_ptr<const Snapshot>> Store::end() const {
  const std::lock_guard lock(mutex_);
  return {{first_index_ + changes_.size(), resource_version_}, snapshot()};
}

std::optional<Store::Position> Store::after(uint64_t resource_version) const {
  const std::lock_guard lock(mutex_);
  if (resource_version < oldest_) return std::nullopt;
  const auto next =
      std::upper_bound(changes_.begin(), changes_.end(), resource_version,
                       [](uint64_t version, const Change& change) { return version < change.resource_version; });
  return Position{first_index_ + static_cast<uint64_t>(next - changes_.begin()), resource_version};
}

uint64_t Store::oldest() const {
  const std::lock_guard lock(mutex_);
  return oldest_;
}

std::optional<std::vector<Change>> Store::advance(Position& position) const {
  const std::lock_guard lock(mutex_);
  if (position.index < first_index_) return std::nullopt;
  const auto from = changes_.begin() + static_cast<std::ptrdiff_t>(position.index - first_index_);
  std::vector<Change> changes(from, changes_.end());
  position.index = first_index_ + changes_.size();
  position.resource_version = std::max(position.resource_version, resource_version_);
  return changes;
}

}  // namespace kubernetes_double
