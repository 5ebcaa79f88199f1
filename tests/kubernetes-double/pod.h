// A pod, and its JSON as the API server writes it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/kubernetes-double/selector.h"

namespace kubernetes_double {

constexpr int64_t kGracePeriod = 30;  // in seconds

struct Pod {
  std::string name;
  std::string pod_namespace;
  std::string uid;
  Labels labels;
  std::optional<std::string> owner;    // "ReplicaSet/core-5d8f7b"; "": none; else a StatefulSet after the pod's name
  int64_t created = 0;                 // seconds since the epoch
  std::optional<int64_t> deleted_at;   // deletionTimestamp: when the grace period will be over
  std::vector<std::string> addresses;  // podIPs; none before the pod has a network
  std::string phase = "Running";
  bool ready = true;
  uint64_t resource_version = 0;
};

// Immutable, its JSON made once: lists and watches of many clients share it.
struct StoredPod {
  StoredPod(Pod stored, size_t bytes);
  const Pod pod;
  const std::string json;  // as an item of a list: without kind and apiVersion
};
using PodPtr = std::shared_ptr<const StoredPod>;

// The pod as an object of its own, as watches send it: kind and apiVersion come first.
std::string with_kind(const std::string& json);

// JSON of some `bytes` bytes; more if the pod doesn't fit, else padded with managedFields.
std::string render(const Pod& pod, size_t bytes);

// "2024-01-02T03:04:05Z".
std::string rfc3339(int64_t seconds);
// Also fractions of a second and offsets.
std::optional<int64_t> parse_rfc3339(const std::string& text);

}  // namespace kubernetes_double
