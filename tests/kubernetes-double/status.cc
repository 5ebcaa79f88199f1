#include "tests/kubernetes-double/status.h"

#include <nlohmann/json.hpp>

namespace kubernetes_double {

using Json = nlohmann::ordered_json;

std::string status_json(int code, const std::string& reason, const std::string& message, const std::string& details,
                        const std::string& continue_token) {
  Json json = {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Failure"}};
  if (!continue_token.empty()) json["metadata"]["continue"] = continue_token;
  json["message"] = message;
  json["reason"] = reason;
  if (!details.empty()) json["details"] = Json::parse(details);
  json["code"] = code;
  return json.dump();
}

Answer status_answer(int code, const std::string& reason, const std::string& message, const std::string& details,
                     const std::string& continue_token) {
  Answer answer;
  answer.status = code;
  answer.body = status_json(code, reason, message, details, continue_token) + "\n";
  return answer;
}

Answer unauthorized() { return status_answer(401, "Unauthorized", "Unauthorized"); }

Answer forbidden(const std::string& account_namespace, const std::string& verb, const std::string& resource,
                 const std::string& in_namespace) {
  const std::string group = resource == "leases" ? "coordination.k8s.io" : resource == "pods" ? "" : "apps";
  return status_answer(403, "Forbidden",
                       resource + (group.empty() ? "" : "." + group) + " is forbidden: User \"system:serviceaccount:" +
                           account_namespace + ":proxysql\" cannot " + verb + " resource \"" + resource +
                           "\" in API group \"" + group + "\" in the namespace \"" + in_namespace + "\"",
                       R"({"kind":")" + resource + R"("})");
}

Answer bad_request(const std::string& message) { return status_answer(400, "BadRequest", message); }

Answer not_found() { return status_answer(404, "NotFound", "the server could not find the requested resource", "{}"); }

// The one refusal that isn't a Status: it comes from a filter in front of the API.
Answer too_many_requests(const std::string& retry_after_s) {
  Answer answer;
  answer.status = 429;
  answer.content_type = "text/plain; charset=utf-8";
  answer.headers = {{"Retry-After", retry_after_s.empty() ? "1" : retry_after_s}};
  answer.body = "Too many requests, please try again later.\n";
  return answer;
}

Answer internal_error() {
  return status_answer(500, "InternalError", "Internal error occurred: etcdserver: leader changed",
                       R"({"causes":[{"message":"etcdserver: leader changed"}]})");
}

Answer unavailable() {
  return status_answer(503, "ServiceUnavailable", "apiserver not ready",
                       R"({"causes":[{"message":"apiserver not ready"}]})");
}

Answer too_large(uint64_t wanted, uint64_t current) {
  Answer answer = status_answer(
      504, "Timeout",
      "Timeout: Too large resource version: " + std::to_string(wanted) + ", current: " + std::to_string(current),
      R"({"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],)"
      R"("retryAfterSeconds":1})");
  answer.headers = {{"Retry-After", "1"}};
  return answer;
}

Answer continue_expired(const std::string& inconsistent_token) {
  return status_answer(
      410, "Expired",
      "The provided continue parameter is too old to display a consistent list result. You can start a new list "
      "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
      "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
      "modified, or deleted between the time the first chunk was returned and now may show up in the list.",
      "", inconsistent_token);
}

std::string watch_expired(uint64_t wanted, uint64_t oldest) {
  return status_json(410, "Expired",
                     "too old resource version: " + std::to_string(wanted) + " (" + std::to_string(oldest) + ")");
}

}  // namespace kubernetes_double
