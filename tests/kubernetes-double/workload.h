// ReplicaSets and ControllerRevisions of apps/v1, as far as they name a workload's revision: get and list.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "tests/kubernetes-double/http.h"

namespace kubernetes_double {

// One object that a workload's controller keeps for each revision of its template.
struct TemplateObject {
  int64_t revision = 0;  // 0: a ReplicaSet without the annotation
  std::string workload;  // of the Deployment or the StatefulSet; "": no owner
  std::string uid;
};

// Thread-safe.
class TemplateObjects {
 public:
  static bool is_resource(const std::string& resource) {
    return resource == "replicasets" || resource == "controllerrevisions";
  }

  // Creates or replaces it.
  void put(const std::string& resource, const std::string& name, int64_t revision, const std::string& workload);
  // False if there is none.
  bool remove(const std::string& resource, const std::string& name);

  // The answer to a GET below /apis/apps/v1/namespaces/NAMESPACE/RESOURCE; `name` is "" for the list.
  Answer serve(const std::string& resource, const std::string& name, const std::string& in_namespace) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, TemplateObject> objects_;  // by resource and name
};

}  // namespace kubernetes_double
