// Answers the requests that change nothing: the probes, /status, /metrics and the page at /.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/health/node_state.h"
#include "daemon/http/http_server.h"
#include "src/config/settings.h"

namespace pulse {

class Probes {
 public:
  // `state` must outlive the probes.
  Probes(const Config& config, NodeState& state);

  // Whose counters /metrics shows. To be called before the first handle(); `server` must outlive the last one.
  void show_counters_of(const HttpServer& server) { server_ = &server; }

  // Answers a request from memory, without a system call that could wait. Any one thread.
  std::optional<HttpResponse> handle(const HttpRequest& request);

  // What /healthz/ready answers at this moment, as one line of JSON, with `probe_name` as its `probe`. Any thread.
  std::string readiness(const char* probe_name);

 private:
  const Config config_;
  NodeState& state_;
  const int64_t started_realtime_ns_;
  const HttpServer* server_ = nullptr;
};

}  // namespace pulse
