// Answers the requests that change nothing: the probes, /status, /metrics and the page at /.
#pragma once

#include <array>
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

  // Answers a request from memory, without a system call that could wait. Any one thread. A probe within a millisecond
  // of one like it has the same answer, unless something has changed: of those that have queued up, say.
  std::optional<HttpResponse> handle(const HttpRequest& request);

  // What /healthz/ready answers at this moment, as one line of JSON, with `probe_name` as its `probe`. Any thread.
  std::string readiness(const char* probe_name);

 private:
  // A probe's last answer.
  struct Told {
    int64_t looked_ns = 0;
    uint64_t mark = 0;  // of the node's state, before the look
    HttpResponse answer;
  };

  const Config config_;
  NodeState& state_;
  const int64_t started_realtime_ns_;
  const HttpServer* server_ = nullptr;
  std::array<Told, 3> told_;  // one for each probe
};

}  // namespace pulse
