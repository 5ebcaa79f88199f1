#include "tests/kubernetes-double/pod.h"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace kubernetes_double {
namespace {

// Keys in the order of the real server, which writes those of a struct as declared.
using Json = nlohmann::ordered_json;

Json metadata(const Pod& pod) {
  const std::string owner = pod.owner.value_or("StatefulSet/" + pod.name.substr(0, pod.name.rfind('-')));
  const std::string owner_kind = owner.substr(0, owner.find('/')), owner_name = owner.substr(owner.find('/') + 1);
  Json json = {{"name", pod.name},
               {"generateName", owner_name + "-"},
               {"namespace", pod.pod_namespace},
               {"uid", pod.uid},
               {"resourceVersion", std::to_string(pod.resource_version)},
               {"creationTimestamp", rfc3339(pod.created)}};
  if (pod.deleted_at) {
    json["deletionTimestamp"] = rfc3339(*pod.deleted_at);
    json["deletionGracePeriodSeconds"] = kGracePeriod;
  }
  if (!pod.labels.empty()) json["labels"] = pod.labels;
  if (owner.empty()) return json;
  json["ownerReferences"] = {{{"apiVersion", "apps/v1"},
                              {"kind", owner_kind},
                              {"name", owner_name},
                              {"uid", "5b8d3f0e-6a4c-4b43-8f7e-0c1b2a3d4e5f"},
                              {"controller", true},
                              {"blockOwnerDeletion", true}}};
  return json;
}

Json spec(const Pod& pod) {
  const Json container = {
      {"name", "proxysql"},
      {"image", "proxysql/proxysql:2.7.1"},
      {"ports",
       {{{"name", "mysql"}, {"containerPort", 6033}, {"protocol", "TCP"}},
        {{"name", "admin"}, {"containerPort", 6032}, {"protocol", "TCP"}}}},
      {"env",
       {{{"name", "POD_IP"}, {"valueFrom", {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", "status.podIP"}}}}}}}},
      {"resources", {{"limits", {{"memory", "512Mi"}}}, {"requests", {{"cpu", "500m"}, {"memory", "512Mi"}}}}},
      {"volumeMounts",
       {{{"name", "config"}, {"mountPath", "/etc/proxysql.cnf"}, {"subPath", "proxysql.cnf"}},
        {{"name", "kube-api-access"},
         {"readOnly", true},
         {"mountPath", "/var/run/secrets/kubernetes.io/serviceaccount"}}}},
      {"terminationMessagePath", "/dev/termination-log"},
      {"terminationMessagePolicy", "File"},
      {"imagePullPolicy", "IfNotPresent"}};
  return {{"volumes", {{{"name", "config"}, {"configMap", {{"name", "proxysql"}, {"defaultMode", 420}}}}}},
          {"containers", Json::array({container})},
          {"restartPolicy", "Always"},
          {"terminationGracePeriodSeconds", kGracePeriod},
          {"dnsPolicy", "ClusterFirst"},
          {"serviceAccountName", "proxysql"},
          {"nodeName", "node-1"},
          {"securityContext", Json::object()},
          {"hostname", pod.name},
          {"schedulerName", "default-scheduler"},
          {"priority", 0},
          {"enableServiceLinks", true},
          {"preemptionPolicy", "PreemptLowerPriority"}};
}

Json condition(const Pod& pod, const char* type, bool holds) {
  return {{"type", type},
          {"status", holds ? "True" : "False"},
          {"lastProbeTime", nullptr},
          {"lastTransitionTime", rfc3339(pod.created + 1)}};
}

Json status(const Pod& pod) {
  const bool started = pod.phase == "Running";
  Json json = {{"phase", pod.phase},
               {"conditions",
                {condition(pod, "Initialized", true), condition(pod, "Ready", pod.ready),
                 condition(pod, "ContainersReady", pod.ready), condition(pod, "PodScheduled", true)}},
               {"hostIP", "192.0.2.10"}};
  if (!pod.addresses.empty()) {
    json["podIP"] = pod.addresses.front();
    for (const std::string& address : pod.addresses) json["podIPs"].push_back({{"ip", address}});
  }
  json["startTime"] = rfc3339(pod.created);
  const Json running = {{"running", {{"startedAt", rfc3339(pod.created + 1)}}}};
  const Json waiting = {{"waiting", {{"reason", "ContainerCreating"}}}};
  json["containerStatuses"] = {{{"name", "proxysql"},
                                {"state", started ? running : waiting},
                                {"lastState", Json::object()},
                                {"ready", pod.ready},
                                {"restartCount", 0},
                                {"image", "docker.io/proxysql/proxysql:2.7.1"},
                                {"imageID", ""},
                                {"started", started}}};
  json["qosClass"] = "Burstable";
  return json;
}

constexpr std::string_view kNoFields = R"("fieldsV1":{})";

Json managed_fields(const Pod& pod) {
  return Json::array({{{"manager", "kubelet"},
                       {"operation", "Update"},
                       {"apiVersion", "v1"},
                       {"time", rfc3339(pod.created + 1)},
                       {"fieldsType", "FieldsV1"},
                       {"fieldsV1", Json::object()},
                       {"subresource", "status"}}});
}

// Half of a real pod is managedFields: many small keys, which a parser must walk. As text, for benchmarks make
// thousands of pods.
std::string padding(size_t bytes) {
  std::string fields;
  for (int i = 0; fields.size() < bytes; ++i) {
    char field[48];
    std::snprintf(field, sizeof(field), R"(%s"f:field%06d":{".":{}})", i == 0 ? "" : ",", i);
    fields += field;
  }
  return fields;
}

}  // namespace

StoredPod::StoredPod(Pod stored, size_t bytes) : pod(std::move(stored)), json(render(pod, bytes)) {}

std::string with_kind(const std::string& json) { return R"({"kind":"Pod","apiVersion":"v1",)" + json.substr(1); }

std::string render(const Pod& pod, size_t bytes) {
  Json json = {{"metadata", metadata(pod)}, {"spec", spec(pod)}, {"status", status(pod)}};
  json["metadata"]["managedFields"] = managed_fields(pod);
  std::string text = json.dump();
  if (text.size() < bytes) text.insert(text.find(kNoFields) + kNoFields.size() - 1, padding(bytes - text.size()));
  return text;
}

std::string rfc3339(int64_t seconds) {
  const time_t time = seconds;
  tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::optional<int64_t> parse_rfc3339(const std::string& text) {
  tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  int64_t seconds = ::timegm(&parts);
  if (*rest == '.') {
    do ++rest;
    while (*rest >= '0' && *rest <= '9');
  }
  if (std::string_view(rest) == "Z") return seconds;
  int hours = 0, minutes = 0, used = 0;
  if (std::sscanf(rest + (*rest != '\0'), "%2d:%2d%n", &hours, &minutes, &used) != 2) return std::nullopt;
  if ((*rest != '+' && *rest != '-') || rest[1 + used] != '\0') return std::nullopt;
  const int64_t offset = hours * 3600 + minutes * 60;
  return *rest == '+' ? seconds - offset : seconds + offset;
}

}  // namespace kubernetes_double
