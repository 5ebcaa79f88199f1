#include "daemon/health/probes.h"

#include <array>
#include <iterator>
#include <tuple>

#include "daemon/health/metrics.h"
#include "daemon/page/page.h"
#include "shm/status/status_json.h"
#include "src/base/clock.h"
#include "src/base/log_thread.h"

namespace pulse {

namespace {

constexpr int64_t kToldAgainWithin = 1'000'000;

}  // namespace

Probes::Probes(const Config& config, NodeState& state)
    : config_(config), state_(state), started_realtime_ns_(clock_ns(CLOCK_REALTIME)) {}

std::string Probes::readiness(const char* probe_name) {
  const NodeState::Snapshot now = state_.look();
  return probe_json(now.input(config_), now.verdict.ready, probe_name);
}

std::optional<HttpResponse> Probes::handle(const HttpRequest& request) {
  struct Endpoint {
    const char* path;
    Probe Verdict::*probe;
    const char* name;
  };
  static constexpr Endpoint kProbes[] = {{"/healthz/started", &Verdict::started, "startup"},
                                         {"/healthz/ready", &Verdict::ready, "readiness"},
                                         {"/healthz/live", &Verdict::live, "liveness"}};
  static_assert(std::size(kProbes) == std::tuple_size_v<decltype(told_)>);
  const Endpoint* endpoint = nullptr;
  for (const Endpoint& candidate : kProbes) {
    if (request.path == candidate.path) endpoint = &candidate;
  }
  const bool is_status = request.path == "/status";
  const bool is_metrics = request.path == "/metrics";
  const bool is_page = request.path == "/";
  if (endpoint == nullptr && !is_status && !is_metrics && !is_page) {
    return json_response(
        404, error_json("there is no " + request.path +
                        "; see /, /healthz/started, /healthz/ready, /healthz/live, /status, /metrics and /shutdown"));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse refused = json_response(405, error_json(request.path + " takes GET and HEAD"));
    refused.headers.push_back({"Allow", "GET, HEAD"});
    return refused;
  }
  if (is_page) return page_response();
  Told* const told = endpoint == nullptr ? nullptr : &told_[static_cast<size_t>(endpoint - std::begin(kProbes))];
  const uint64_t mark = told == nullptr ? 0 : state_.mark();
  if (told != nullptr && told->looked_ns != 0 && told->mark == mark &&
      boottime_ns() - told->looked_ns < kToldAgainWithin) {
    return told->answer;
  }
  NodeState::Snapshot now = state_.look();
  if (is_status || is_metrics) state_.read_lists(now);
  const StatusInput input = now.input(config_);
  if (is_status) return json_response(200, status_json(input));
  if (is_metrics) {
    const HttpCounters counters = server_ != nullptr ? server_->counters() : HttpCounters{};
    return HttpResponse{200, render_metrics({input, counters, started_realtime_ns_, log_lines_dropped()}),
                        kMetricsContentType};
  }
  const Probe& probe = now.verdict.*(endpoint->probe);
  *told = {now.now_ns, mark, json_response(probe.passes ? 200 : 503, probe_json(input, probe, endpoint->name))};
  return told->answer;
}

}  // namespace pulse
