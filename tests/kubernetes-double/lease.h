// Leases of coordination.k8s.io/v1: get, create, update.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "tests/kubernetes-double/http.h"

namespace kubernetes_double {

// Thread-safe.
class Leases {
 public:
  // The answer to a request for leases below /apis/coordination.k8s.io/v1/namespaces/NAMESPACE/leases; `name` is "" for
  // the collection, which takes POST.
  Answer serve(const Request& request, const std::string& lease_namespace, const std::string& name);

  // The object's JSON; "" if there is none.
  std::string find(const std::string& name) const;
  // False if there is none.
  bool remove(const std::string& name);

 private:
  mutable std::mutex mutex_;
  uint64_t resource_version_ = 71'300'000;
  std::map<std::string, std::string> leases_;  // JSON by name
};

}  // namespace kubernetes_double
