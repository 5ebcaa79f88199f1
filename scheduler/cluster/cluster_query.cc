#include "scheduler/cluster/cluster_query.h"

#include <algorithm>

#include "src/base/number.h"

namespace pulse {

namespace {

constexpr size_t kColumns = 5;

bool to_number(const std::string& text, int64_t& number) {
  const auto parsed = pulse::to_number<int64_t>(text);
  if (parsed) number = *parsed;
  return parsed.has_value();
}

ServerRow* server(Seen& seen, const std::string& hostname, const std::string& port_text) {
  int64_t port = 0;
  if (!to_number(port_text, port) || port < 0 || port > 65'535) return nullptr;
  for (ServerRow& row : seen.servers) {
    if (row.port == port && row.hostname == hostname) return &row;
  }
  seen.servers.push_back({hostname, static_cast<uint16_t>(port)});
  return &seen.servers.back();
}

bool take_backends(Seen& seen, const std::vector<std::string>& row, bool pgsql) {
  int64_t count = 0, id = 0;
  if (!to_number(row[2], count) || !to_number(row[3], id) || id < 0 || id > UINT32_MAX) return false;
  Hostgroup& hostgroup = (pgsql ? seen.pgsql_hostgroups : seen.hostgroups)[static_cast<uint32_t>(id)];
  hostgroup.id = static_cast<uint32_t>(id);
  hostgroup.pgsql = pgsql ? 1 : 0;
  const auto add = [&](uint32_t BackendCounts::*all, uint32_t& of_hostgroup) {
    seen.backends.*all += static_cast<uint32_t>(count);
    if (pgsql) seen.pgsql_backends.*all += static_cast<uint32_t>(count);
    of_hostgroup += static_cast<uint32_t>(count);
  };
  const std::string& status = row[1];
  if (status == "ONLINE") {
    add(&BackendCounts::online, hostgroup.online);
  } else if (status.rfind("SHUNNED", 0) == 0) {
    add(&BackendCounts::shunned, hostgroup.shunned);
  } else {
    add(&BackendCounts::offline, hostgroup.offline);
  }
  return true;
}

// "NAME VERSION EPOCH CHECKSUM", the checksum may be empty.
bool take_peer_module(ServerRow& server, const std::string& packed) {
  ModuleRow module;
  const size_t version = packed.find(' ');
  const size_t epoch = packed.find(' ', version + 1);
  const size_t checksum = packed.find(' ', epoch + 1);
  if (version == std::string::npos || epoch == std::string::npos || checksum == std::string::npos) return false;
  module.name = packed.substr(0, version);
  module.checksum = packed.substr(checksum + 1);
  const bool good = to_number(packed.substr(version + 1, epoch - version - 1), module.version) &&
                    to_number(packed.substr(epoch + 1, checksum - epoch - 1), module.epoch);
  server.modules.push_back(std::move(module));
  return good;
}

bool take_row(Seen& seen, const std::vector<std::string>& row, bool& has_uptime) {
  const std::string& kind = row[0];
  int64_t number = 0;
  if (kind == "memory" || kind == "runtime" || kind == "peer") {
    ServerRow* found = server(seen, row[1], row[2]);
    if (found == nullptr) return false;
    if (kind == "memory") found->in_memory = true;
    if (kind == "runtime") found->in_runtime = true;
    if (kind != "peer") return true;
    if (!to_number(row[3], number)) return false;
    found->updated_at = std::max(found->updated_at, number);
    return take_peer_module(*found, row[4]);
  }
  if (kind == "module") {
    ModuleRow module{row[1], 0, 0, row[4]};
    const bool good = to_number(row[2], module.version) && to_number(row[3], module.epoch);
    seen.modules.push_back(std::move(module));
    return good;
  }
  if (kind == "backends" || kind == "pgsql_backends") return take_backends(seen, row, kind != "backends");
  if (kind == "now") return to_number(row[1], seen.now_s);
  if (kind == "global" || kind == "pgsql_global") {
    const bool pgsql = kind != "global";
    if (row[1] == "ProxySQL_Uptime") {
      has_uptime = true;
      return to_number(row[2], seen.uptime_s);
    }
    if (row[1] == "Client_Connections_connected") {
      (pgsql ? seen.serves_pgsql : seen.serves_mysql) = true;
      if (!to_number(row[2], number)) return false;
      seen.clients += number;
      if (pgsql) seen.pgsql_clients += number;
      return true;
    }
    if (row[1].ends_with("_listener_paused")) seen.listener_paused |= row[2] == "true" || row[2] == "1";
    if (row[1] == "Client_Connections_non_idle") return to_number(row[2], seen.clients_not_idle);
    if (row[1] == "MySQL_Thread_Workers") return to_number(row[2], seen.threads);
    if (row[1] == "admin-version") seen.version = row[2];
    if (row[1] == "admin-cluster_username") seen.no_cluster_user = row[2].empty();
    return true;
  }
  return false;
}

}  // namespace

std::string observe_statement(Look look, bool pgsql) {
  std::string statement =
      "SELECT 'memory', hostname, port, '', '' FROM proxysql_servers"
      " UNION ALL SELECT 'runtime', hostname, port, '', '' FROM runtime_proxysql_servers"
      " UNION ALL SELECT 'peer', hostname, port, updated_at, name || ' ' || version || ' ' || epoch || ' ' || checksum"
      " FROM stats_proxysql_servers_checksums"
      " UNION ALL SELECT 'module', name, version, epoch, checksum FROM runtime_checksums_values"
      " UNION ALL SELECT 'now', strftime('%s', 'now'), '', '', ''";
  if (look == Look::cluster) return statement;
  // ProxySQL refreshes a table when it finds its name in lower case. GLOBAL_VARIABLES is no such table, but naming it
  // rebuilds runtime_global_variables under the checksums' mutex; the version needs no refresh.
  statement.append(
      " UNION ALL SELECT 'backends', status, COUNT(*), hostgroup_id, '' FROM runtime_mysql_servers"
      " GROUP BY hostgroup_id, status"
      " UNION ALL SELECT 'global', Variable_Name, Variable_Value, '', '' FROM stats_mysql_global WHERE Variable_Name IN"
      " ('ProxySQL_Uptime', 'Client_Connections_connected', 'Client_Connections_non_idle', 'MySQL_Thread_Workers',"
      " 'mysql_listener_paused')"
      " UNION ALL SELECT 'global', variable_name, variable_value, '', '' FROM GLOBAL_VARIABLES"
      " WHERE variable_name IN ('admin-version', 'admin-cluster_username')");
  if (!pgsql) return statement;
  return statement.append(
      " UNION ALL SELECT 'pgsql_backends', status, COUNT(*), hostgroup_id, '' FROM runtime_pgsql_servers"
      " GROUP BY hostgroup_id, status"
      " UNION ALL SELECT 'pgsql_global', Variable_Name, Variable_Value, '', '' FROM stats_pgsql_global"
      " WHERE Variable_Name IN ('ProxySQL_Uptime', 'Client_Connections_connected', 'pgsql_listener_paused')");
}

bool lacks_pgsql(const Error& error) {
  return error.text.find("no such table") != std::string::npos && error.text.find("_pgsql_") != std::string::npos;
}

Result<Seen> parse_seen(const AdminResult& answer, Look look) {
  Seen seen;
  bool has_uptime = false;
  for (const auto& row : answer.rows) {
    if (row.size() != kColumns || !take_row(seen, row, has_uptime)) {
      std::string shown;
      for (const auto& cell : row) shown += (shown.empty() ? "" : ", ") + cell.substr(0, 40);
      return Error{"unexpected row in ProxySQL's answer: " + shown};
    }
  }
  seen.has_globals = look == Look::everything;
  if (seen.now_s == 0) return Error{"ProxySQL's answer is incomplete: no time"};
  if (seen.has_globals && !has_uptime)
    return Error{
        "ProxySQL's answer is incomplete: no ProxySQL_Uptime, neither MySQL's nor PostgreSQL's statistics have rows"};
  // A server that is neither in memory nor at runtime any more may still have checksums for a moment.
  std::erase_if(seen.servers, [](const ServerRow& row) { return !row.in_memory && !row.in_runtime; });
  return seen;
}

std::string version_in(const AdminResult& answer) {
  for (const auto& row : answer.rows) {
    if (row.size() == kColumns && row[0] == "global" && row[1] == "admin-version") return row[2];
  }
  return "";
}

}  // namespace pulse
