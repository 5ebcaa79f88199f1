#include "tests/kubernetes-double/workload.h"

#include <nlohmann/json.hpp>

#include "tests/kubernetes-double/base64.h"
#include "tests/kubernetes-double/status.h"

namespace kubernetes_double {
namespace {

using Json = nlohmann::ordered_json;

// A pod template, of which ControllerRevisions have the changed parts and ReplicaSets the whole.
Json pod_template() {
  return {{"metadata", {{"labels", {{"app", "proxysql"}}}}},
          {"spec", {{"containers", {{{"name", "proxysql"}, {"image", "proxysql/proxysql:2.7.1"}}}}}}};
}

Json owner(const char* kind, const std::string& name) {
  return {{{"apiVersion", "apps/v1"},
           {"kind", kind},
           {"name", name},
           {"uid",
            "0d5c6a1e-2f39-4a51-9d0c-" + std::string(12 - std::min<size_t>(12, name.size()), '0') + name.substr(0, 12)},
           {"controller", true},
           {"blockOwnerDeletion", true}}};
}

Json object(const std::string& resource, const std::string& name, const TemplateObject& from,
            const std::string& in_namespace) {
  Json metadata = {{"name", name},
                   {"namespace", in_namespace},
                   {"uid", from.uid},
                   {"resourceVersion", std::to_string(51'000'000 + from.revision)},
                   {"creationTimestamp", "2026-01-31T12:00:00Z"}};
  const bool replica_set = resource == "replicasets";
  if (replica_set) {
    metadata["annotations"] = {{"deployment.kubernetes.io/desired-replicas", "3"}};
    if (from.revision != 0) {
      metadata["annotations"]["deployment.kubernetes.io/revision"] = std::to_string(from.revision);
    }
  }
  if (!from.workload.empty()) {
    metadata["ownerReferences"] = owner(replica_set ? "Deployment" : "StatefulSet", from.workload);
  }
  if (replica_set) return {{"metadata", metadata}, {"spec", {{"replicas", 3}, {"template", pod_template()}}}};
  return {{"metadata", metadata}, {"data", {{"spec", {{"template", pod_template()}}}}}, {"revision", from.revision}};
}

const char* kind_of(const std::string& resource) {
  return resource == "replicasets" ? "ReplicaSet" : "ControllerRevision";
}

}  // namespace

void TemplateObjects::put(const std::string& resource, const std::string& name, int64_t revision,
                          const std::string& workload) {
  const std::lock_guard lock(mutex_);
  TemplateObject& object = objects_[{resource, name}];
  object.revision = revision;
  object.workload = workload;
  if (object.uid.empty()) object.uid = random_uuid();
}

bool TemplateObjects::remove(const std::string& resource, const std::string& name) {
  const std::lock_guard lock(mutex_);
  return objects_.erase({resource, name}) != 0;
}

Answer TemplateObjects::serve(const std::string& resource, const std::string& name,
                              const std::string& in_namespace) const {
  const std::lock_guard lock(mutex_);
  Answer answer;
  if (!name.empty()) {
    const auto found = objects_.find({resource, name});
    if (found == objects_.end()) {
      return status_answer(404, "NotFound", resource + ".apps \"" + name + "\" not found",
                           R"({"name":")" + name + R"(","group":"apps","kind":")" + resource + R"("})");
    }
    Json json = {{"kind", kind_of(resource)}, {"apiVersion", "apps/v1"}};
    json.update(object(resource, name, found->second, in_namespace));
    answer.body = json.dump() + "\n";
    return answer;
  }
  Json list = {{"kind", std::string(kind_of(resource)) + "List"},
               {"apiVersion", "apps/v1"},
               {"metadata", {{"resourceVersion", "51000000"}}},
               {"items", Json::array()}};
  for (const auto& [key, from] : objects_) {
    if (key.first == resource) list["items"].push_back(object(resource, key.second, from, in_namespace));
  }
  answer.body = list.dump() + "\n";
  return answer;
}

}  // namespace kubernetes_double
