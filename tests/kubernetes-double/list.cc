#include "tests/kubernetes-double/list.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/kubernetes-double/base64.h"
#include "tests/kubernetes-double/status.h"

namespace kubernetes_double {
namespace {

using Json = nlohmann::ordered_json;

// Where a list goes on: after a pod's name, in the snapshot of that version; -1: in what there is now.
struct Continue {
  int64_t resource_version = 0;
  std::string after;
};

std::string to_token(const Continue& from) {
  const Json json = {{"v", "meta.k8s.io/v1"}, {"rv", from.resource_version}, {"start", from.after + '\0'}};
  return base64url(json.dump());
}

std::optional<Continue> parse_token(const std::string& token) {
  const auto text = parse_base64url(token);
  const Json json = Json::parse(text.value_or(""), nullptr, false);
  if (!json.is_object() || !json.contains("rv") || !json.contains("start")) return std::nullopt;
  Continue from{json["rv"].get<int64_t>(), json["start"].get<std::string>()};
  if (!from.after.empty()) from.after.pop_back();
  return from;
}

template <class Number>
bool parse_number(const std::string& text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size();
}

std::string pod_list(uint64_t resource_version, const std::string& token, std::optional<size_t> remaining,
                     const std::vector<PodPtr>& pods) {
  Json metadata = {{"resourceVersion", std::to_string(resource_version)}};
  if (!token.empty()) metadata["continue"] = token;
  if (remaining) metadata["remainingItemCount"] = *remaining;
  std::string text = R"({"kind":"PodList","apiVersion":"v1","metadata":)" + metadata.dump() + R"(,"items":[)";
  for (const PodPtr& pod : pods) {
    if (pod != pods.front()) text += ',';
    text += pod->json;
  }
  return text + "]}\n";
}

}  // namespace

Answer empty_list(const Server& server) {
  Answer answer;
  answer.body = pod_list(server.store.resource_version(), "", std::nullopt, {});
  return answer;
}

Answer list_pods(Server& server, const Request& request, const std::string& pod_namespace, const Selector& selector) {
  const std::string version = request.parameter("resourceVersion");
  const std::string token = request.parameter("continue");
  size_t limit = 0;
  if (!request.parameter("limit").empty() && !parse_number(request.parameter("limit"), limit)) {
    return bad_request("limit: Invalid value: \"" + request.parameter("limit") + "\"");
  }
  uint64_t at_least = 0;
  if (!version.empty() && !parse_number(version, at_least)) {
    return bad_request("resourceVersion: Invalid value: \"" + version + "\"");
  }
  if (!token.empty() && at_least > 0) {
    return bad_request("specifying resource version is not allowed when using continue");
  }
  std::shared_ptr<const Snapshot> snapshot = server.store.now();
  if (at_least > snapshot->resource_version) return too_large(at_least, snapshot->resource_version);
  // The watch cache answers "any version" and ignores the limit (apiserver's cacher).
  if (version == "0" && token.empty()) limit = 0;

  Continue from;
  if (!token.empty()) {
    const auto parsed = parse_token(token);
    if (!parsed) return bad_request("continue key is not valid: \"" + token + "\"");
    from = *parsed;
    if (from.resource_version >= 0) snapshot = server.store.kept(static_cast<uint64_t>(from.resource_version));
    if (!snapshot) return continue_expired(to_token({-1, from.after}));
  }

  std::vector<PodPtr> page;
  size_t remaining = 0;
  for (const PodPtr& pod : snapshot->pods) {
    if (pod->pod.pod_namespace != pod_namespace || pod->pod.name <= from.after) continue;
    if (!selector.matches(pod->pod.labels)) continue;
    if (limit > 0 && page.size() == limit) {
      ++remaining;
    } else {
      page.push_back(pod);
    }
  }
  Answer answer;
  std::string next;
  std::optional<size_t> count;
  if (remaining > 0) {
    server.store.keep(snapshot);
    next = to_token({static_cast<int64_t>(snapshot->resource_version), page.back()->pod.name});
    // With a selector the real server doesn't know how many there are.
    if (request.parameter("labelSelector").empty()) count = remaining;
  }
  answer.body = pod_list(snapshot->resource_version, next, count, page);
  return answer;
}

}  // namespace kubernetes_double
