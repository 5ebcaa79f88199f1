// What a beat has read from ProxySQL, and what it says of its modules and peers. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shm/segment/layout.h"

namespace pulse {

struct ModuleRow {
  std::string name;
  int64_t version = 0;
  int64_t epoch = 0;
  std::string checksum;
};

// The module of this name, or null.
const ModuleRow* find_module(const std::vector<ModuleRow>& modules, std::string_view name);

// Whether a checksum is that of no rows: all zeros.
bool is_empty_checksum(std::string_view checksum);

struct ServerRow {  // of proxysql_servers, as memory and runtime know it
  std::string hostname;
  uint16_t port = 0;
  bool in_memory = false;
  bool in_runtime = false;
  int64_t updated_at = 0;               // epoch seconds of ProxySQL's last good check of it; 0: never
  int64_t moved_ns = 0;                 // boottime of the beat that last found it reached; 0: none has
  std::vector<ModuleRow> modules = {};  // as ProxySQL last read them from it
  // For how long beats have watched it at runtime without its updated_at moving: see watch_peers().
  std::chrono::nanoseconds silent{0};
};

struct Seen {
  std::vector<ServerRow> servers;
  std::vector<ModuleRow> modules;
  int64_t now_s = 0;  // epoch seconds by ProxySQL's own clock
  uint64_t connection_id = 0;

  bool has_globals = false;  // what follows was asked for
  // Of both protocols; the second of each is PostgreSQL's part.
  BackendCounts backends{}, pgsql_backends{};
  std::map<uint32_t, Hostgroup> hostgroups, pgsql_hostgroups;  // the same backends, by hostgroup_id
  int64_t clients = 0, pgsql_clients = 0;
  bool serves_mysql = false, serves_pgsql = false;  // a protocol that is off has no statistics
  int64_t clients_not_idle = -1;  // of MySQL's those that aren't in idle threads; -1: this ProxySQL doesn't say
  int64_t threads = 0;            // MySQL's
  int64_t uptime_s = 0;
  bool listener_paused = false;  // of a protocol at least
  std::string version;

  bool no_cluster_user = false;  // without it ProxySQL checks nobody; of the last look at everything
};

// Whether ProxySQL has reached this server within `timeout`, and whether it is known to be gone: at runtime, and not
// reached for longer than that while beats watched it. What is neither hasn't been watched for long enough. No wall
// clock is compared: one that steps would make every peer look dead.
bool is_live(const ServerRow& row, std::chrono::milliseconds timeout);
bool is_dead(const ServerRow& row, std::chrono::milliseconds timeout);

}  // namespace pulse
