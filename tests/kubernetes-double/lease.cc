#include "tests/kubernetes-double/lease.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/kubernetes-double/base64.h"
#include "tests/kubernetes-double/pod.h"
#include "tests/kubernetes-double/status.h"

namespace kubernetes_double {
namespace {

using Json = nlohmann::ordered_json;

std::string details(const std::string& name) {
  return R"({"name":")" + name + R"(","group":"coordination.k8s.io","kind":"leases"})";
}

Answer no_such(const std::string& name) {
  return status_answer(404, "NotFound", "leases.coordination.k8s.io \"" + name + "\" not found", details(name));
}

Answer conflict(const std::string& name, const std::string& why) {
  return status_answer(409, "Conflict",
                       "Operation cannot be fulfilled on leases.coordination.k8s.io \"" + name + "\": " + why,
                       details(name));
}

Answer invalid(const std::string& name, const std::string& why) {
  return status_answer(422, "Invalid", "Lease.coordination.k8s.io \"" + name + "\" is invalid: " + why, details(name));
}

Answer object(int status, const std::string& json) {
  Answer answer;
  answer.status = status;
  answer.body = json + "\n";
  return answer;
}

std::string text_of(const Json& json, const char* name) {
  return json.is_object() && json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
}

// What is wrong with the spec, as far as election code can get it wrong; "" if nothing is.
std::string problem_of(const Json& spec) {
  if (!spec.is_object()) return "";
  if (spec.contains("leaseDurationSeconds") && !spec["leaseDurationSeconds"].is_null()) {
    const Json& duration = spec["leaseDurationSeconds"];
    if (!duration.is_number_integer() || duration.get<int64_t>() <= 0) {
      return "spec.leaseDurationSeconds: Invalid value: " + duration.dump() + ": must be greater than 0";
    }
  }
  if (spec.contains("leaseTransitions") && spec["leaseTransitions"].is_number_integer() &&
      spec["leaseTransitions"].get<int64_t>() < 0) {
    return "spec.leaseTransitions: Invalid value: must be greater than or equal to 0";
  }
  for (const char* const time : {"acquireTime", "renewTime"}) {
    const std::string value = text_of(spec, time);
    // A MicroTime: six digits of a second's fraction.
    if (!value.empty() && (value.size() != 27 || value[19] != '.' || !parse_rfc3339(value))) {
      return std::string("spec.") + time + ": Invalid value: \"" + value + "\"";
    }
  }
  return "";
}

}  // namespace

std::string Leases::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(name);
  return found == leases_.end() ? "" : found->second;
}

bool Leases::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return leases_.erase(name) != 0;
}

Answer Leases::serve(const Request& request, const std::string& lease_namespace, const std::string& name) {
  if (!name.empty() && request.method == "GET") {
    const std::string json = find(name);
    return json.empty() ? no_such(name) : object(200, json);
  }
  if (name.empty() ? request.method != "POST" : request.method != "PUT") {
    return status_answer(405, "MethodNotAllowed", "the server does not allow this method on the requested resource",
                         "{}");
  }
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object() || text_of(body, "kind") != "Lease" ||
      text_of(body, "apiVersion") != "coordination.k8s.io/v1") {
    return bad_request("the object provided is unrecognized");
  }
  const Json metadata = body.value("metadata", Json::object());
  const std::string named = text_of(metadata, "name");
  if (named.empty() || (!name.empty() && named != name)) {
    return bad_request("the name of the object (" + named + ") does not match the name on the URL (" + name + ")");
  }
  if (!text_of(metadata, "namespace").empty() && text_of(metadata, "namespace") != lease_namespace) {
    return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (const std::string problem = problem_of(body.value("spec", Json::object())); !problem.empty()) {
    return invalid(named, problem);
  }
  const std::string version = text_of(metadata, "resourceVersion");

  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(named);
  const bool exists = found != leases_.end(), is_update = !name.empty();
  Json stored = body;
  if (!exists) {
    // A PUT creates it too, but not for who believes to know it.
    if (!text_of(metadata, "uid").empty()) return conflict(named, "Precondition failed: UID in precondition");
    if (!version.empty()) return bad_request("resourceVersion should not be set on objects to be created");
    stored["metadata"] = {{"name", named}, {"namespace", lease_namespace}, {"uid", random_uuid()}};
    stored["metadata"]["creationTimestamp"] = rfc3339(std::time(nullptr));
    for (const char* const kept : {"labels", "annotations"}) {
      if (metadata.contains(kept)) stored["metadata"][kept] = metadata[kept];
    }
  } else if (!is_update) {
    return status_answer(409, "AlreadyExists", "leases.coordination.k8s.io \"" + named + "\" already exists",
                         details(named));
  } else {
    const Json before = Json::parse(found->second);
    if (version.empty())
      return invalid(named, "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update");
    if (version != before["metadata"]["resourceVersion"]) {
      return conflict(named,
                      "the object has been modified; please apply your changes to the latest version and try again");
    }
    for (const char* const fixed : {"uid", "creationTimestamp", "namespace"}) {
      stored["metadata"][fixed] = before["metadata"][fixed];
    }
  }
  resource_version_ += 7;
  stored["metadata"]["resourceVersion"] = std::to_string(resource_version_);
  stored["metadata"]["managedFields"] = Json::array(
      {{{"manager", "proxysql-pulsed"}, {"operation", "Update"}, {"apiVersion", "coordination.k8s.io/v1"}}});
  leases_[named] = stored.dump();
  return object(exists ? 200 : 201, leases_[named]);
}

}  // namespace kubernetes_double
