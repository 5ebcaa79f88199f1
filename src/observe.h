// What a beat reads from ProxySQL: one statement, one answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shm/layout.h"
#include "src/admin_client.h"
#include "src/result.h"

namespace pulse {

struct ServerRow {  // of proxysql_servers, as memory and runtime know it
  std::string hostname;
  uint16_t port = 0;
  bool in_memory = false;
  bool in_runtime = false;
  int64_t updated_at = 0;     // epoch seconds of ProxySQL's last good check of it; 0: never
  int64_t first_seen_ns = 0;  // boottime of the first beat that saw it at runtime
};

struct ModuleRow {
  std::string name;
  int64_t version = 0;
  int64_t epoch = 0;
  std::string checksum;
};

struct Seen {
  std::vector<ServerRow> servers;
  std::vector<ModuleRow> modules;
  uint32_t backends_online = 0;
  uint32_t backends_shunned = 0;
  uint32_t backends_offline = 0;
  int64_t clients = 0;
  int64_t uptime_s = 0;
  int64_t now_s = 0;  // epoch seconds by ProxySQL's own clock
  bool listener_paused = false;
  std::string version;
};

// The statement. Its tables, each reviewed for the locks that reading it takes: proxysql_servers and, in upper case,
// GLOBAL_VARIABLES (memory, none), runtime_proxysql_servers and stats_proxysql_servers_checksums (the cluster's, for a
// copy), runtime_checksums_values (the checksums'), runtime_mysql_servers (the host group manager's, for a copy),
// stats_mysql_global. Never stats_proxysql_servers_metrics: reading it can hang ProxySQL for good.
const std::string& observe_statement();

// Reads the answer. Fails if a row isn't as asked for or a part is missing.
Result<Seen> parse_seen(const AdminResult& answer);

// Whether ProxySQL reached this server within `timeout`, and whether it is known to be gone: checked once and not
// since, or never reached although it has been there for that long.
bool is_live(const ServerRow& row, int64_t now_s, std::chrono::milliseconds timeout);
bool is_dead(const ServerRow& row, int64_t now_s, int64_t now_ns, std::chrono::milliseconds timeout);

// Gives each server at runtime the first_seen_ns that the last observation has of it, else `now_ns`.
void carry_first_seen(Seen& seen, const Observation& last, int64_t now_ns);

// As published to the segment. `last` is the observation before it: of the same ProxySQL boot, once configured is
// configured.
Observation to_observation(const Seen& seen, const Observation& last, int64_t now_ns,
                           std::chrono::milliseconds peer_timeout, bool is_core);

}  // namespace pulse
