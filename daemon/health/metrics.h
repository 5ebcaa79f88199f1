// What /metrics answers: the Prometheus text format, version 0.0.4. All names are in docs/metrics.md.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/http/message.h"
#include "shm/status/status_json.h"

namespace pulse {

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsInput {
  const StatusInput& status;  // its view with members and hostgroups
  HttpCounters http;
  int64_t started_realtime_ns;  // when the daemon began
  uint64_t log_lines_dropped = 0;
};

// Everything known, as metrics. Pure. What isn't known has no sample; without a usable segment that is all that beats
// and discovery report, for a counter that falls to 0 and comes back would count as so many new events.
std::string render_metrics(const MetricsInput& input);

}  // namespace pulse
