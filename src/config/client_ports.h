// ProxySQL's ports for clients, of both protocols.
#pragma once

#include <vector>

#include "src/config/settings.h"

namespace pulse {

// Where ProxySQL 3 listens unless pgsql_variables.interfaces says otherwise.
inline constexpr int64_t kDefaultPgsqlPort = 6133;

// All that the file tells of.
inline std::vector<MysqlInterface> client_ports(const DaemonSettings& daemon) {
  std::vector<MysqlInterface> all = daemon.mysql_interfaces;
  all.insert(all.end(), daemon.pgsql_interfaces.begin(), daemon.pgsql_interfaces.end());
  return all;
}

// Where PostgreSQL clients are served, if they are: ProxySQL 3 has a port for them also where its file says nothing of
// it. None where the file says so.
inline std::vector<MysqlInterface> pgsql_ports(const DaemonSettings& daemon) {
  if (!daemon.pgsql_interfaces.empty() || daemon.pgsql_port_set) return daemon.pgsql_interfaces;
  return {{"127.0.0.1", kDefaultPgsqlPort}};
}

}  // namespace pulse
