// What a beat reads from ProxySQL: one statement, one answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/admin/admin_session.h"
#include "shm/segment/layout.h"
#include "src/base/result.h"

namespace pulse {

struct ModuleRow {
  std::string name;
  int64_t version = 0;
  int64_t epoch = 0;
  std::string checksum;
};

// The module of this name, or null.
const ModuleRow* find_module(const std::vector<ModuleRow>& modules, std::string_view name);

struct ServerRow {  // of proxysql_servers, as memory and runtime know it
  std::string hostname;
  uint16_t port = 0;
  bool in_memory = false;
  bool in_runtime = false;
  int64_t updated_at = 0;               // epoch seconds of ProxySQL's last good check of it; 0: never
  int64_t first_seen_ns = 0;            // boottime of the first beat that saw it at runtime
  std::vector<ModuleRow> modules = {};  // as ProxySQL last read them from it
};

struct Seen {
  std::vector<ServerRow> servers;
  std::vector<ModuleRow> modules;
  int64_t now_s = 0;  // epoch seconds by ProxySQL's own clock
  uint64_t connection_id = 0;

  bool has_globals = false;  // what follows was asked for
  uint32_t backends_online = 0;
  uint32_t backends_shunned = 0;
  uint32_t backends_offline = 0;
  std::map<uint32_t, Hostgroup> hostgroups;  // the same backends, by hostgroup_id
  int64_t clients = 0;
  int64_t uptime_s = 0;
  bool listener_paused = false;
  std::string version;
};

// The two statements. `cluster` reads what a plan is made of, with every beat; `everything` also what only reports
// need: ProxySQL takes milliseconds for these tables, under its admin mutex, and the host group manager's lock.
enum class Look { cluster, everything };

// The tables, each reviewed for the locks that reading it takes: proxysql_servers (memory, none),
// runtime_proxysql_servers and stats_proxysql_servers_checksums (the cluster's, for a copy), runtime_checksums_values
// (the checksums'); and with everything, in upper case, GLOBAL_VARIABLES (memory, none), runtime_mysql_servers (the
// host group manager's, for a copy), stats_mysql_global (each thread's counters). Never
// stats_proxysql_servers_metrics: reading it can hang ProxySQL for good.
std::string observe_statement(Look look);

// Reads the answer. Fails if a row isn't as asked for or a part is missing.
Result<Seen> parse_seen(const AdminResult& answer, Look look);

// Whether ProxySQL reached this server within `timeout`, and whether it is known to be gone: checked once and not
// since, or never reached although it has been there for that long.
bool is_live(const ServerRow& row, int64_t now_s, std::chrono::milliseconds timeout);
bool is_dead(const ServerRow& row, int64_t now_s, int64_t now_ns, std::chrono::milliseconds timeout);

}  // namespace pulse
