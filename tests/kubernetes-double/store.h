// The pods, their history, and the snapshots that half-read lists go on from.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/kubernetes-double/pod.h"
#include "tests/kubernetes-double/wakeups.h"

namespace kubernetes_double {

struct Change {
  uint64_t resource_version = 0;
  PodPtr before;  // null: created
  PodPtr now;     // null: deleted
};

// All pods of all namespaces, by namespace and name, at one resourceVersion.
struct Snapshot {
  uint64_t resource_version = 0;
  std::vector<PodPtr> pods;
};

// Thread-safe.
class Store {
 public:
  Store(Wakeups& wakeups, size_t pod_bytes, size_t history);

  // Creates or changes a pod. `change` gets what there is, with a new uid and name if there is none.
  void put(const std::string& pod_namespace, const std::string& name, const std::function<void(Pod&)>& change);
  // False if there is none.
  bool remove(const std::string& pod_namespace, const std::string& name);
  void clear();

  // Forgets the history and the snapshots. Other objects of the cluster have changed meanwhile, so that a watch that
  // resumes from the last change it saw is too late.
  void compact();

  uint64_t resource_version() const;
  size_t size() const;
  std::shared_ptr<const Snapshot> now() const;

  // Keeps a snapshot until it is compacted or a hundred newer ones are kept.
  void keep(const std::shared_ptr<const Snapshot>& snapshot);
  std::shared_ptr<const Snapshot> kept(uint64_t resource_version) const;

  // A place in the stream of changes.
  struct Position {
    uint64_t index = 0;
    uint64_t resource_version = 0;
  };
  // After all changes so far; with it, the pods of this moment.
  std::pair<Position, std::shared_ptr<const Snapshot>> end() const;
  // After the change with that version; nothing if history doesn't reach back so far. oldest() is as far as it does.
  std::optional<Position> after(uint64_t resource_version) const;
  uint64_t oldest() const;
  // Moves past the changes since then; nothing if they are forgotten.
  std::optional<std::vector<Change>> advance(Position& position) const;

 private:
  using Name = std::pair<std::string, std::string>;
  void record(const Name& name, PodPtr now, uint64_t resource_version);
  std::shared_ptr<const Snapshot> snapshot() const;

  Wakeups& wakeups_;
  const size_t pod_bytes_;
  const size_t history_;
  mutable std::mutex mutex_;
  // Versions are the cluster's: large, and with gaps, so that nobody counts on them.
  uint64_t resource_version_ = 48'213'970;
  uint64_t oldest_ = resource_version_;
  std::map<Name, PodPtr> pods_;
  std::deque<Change> changes_;
  uint64_t first_index_ = 0;  // of changes_
  std::map<uint64_t, std::shared_ptr<const Snapshot>> kept_;
  mutable std::shared_ptr<const Snapshot> newest_;  // until the next change
};

}  // namespace kubernetes_double
