// The JSON that probes and `status` answer with. Field names are proxysql-agent's where it has them.
#pragma once

#include <cstdint>
#include <string>

#include "shm/status/health.h"

namespace pulse {

struct StatusInput {
  const StateView& view;
  const Verdict& verdict;
  const PortView& port;
  const Config& config;
  int64_t clients;  // of both protocols; -1: not known
  int64_t now_ns;
  int64_t clients_at_ns = 0;             // when they were counted
  const PortView* pgsql_port = nullptr;  // null: nobody looks at it
  int64_t pgsql_clients = -1;            // of `clients`; -1: not known
};

// One probe's answer: {"status","message","probe","draining","clients","backends","state","heartbeat",...}.
std::string probe_json(const StatusInput& input, const Probe& probe, const char* probe_name);

// Everything known, indented for people.
std::string status_json(const StatusInput& input);

// The answer to /shutdown: {"status","message","draining","clients","drain":{...}}. `message` is for a drain that left
// no word of its own.
std::string drain_json(const StatusInput& input, bool good, const std::string& message);

// {"status":"error","message":...}
std::string error_json(const std::string& message);

}  // namespace pulse
