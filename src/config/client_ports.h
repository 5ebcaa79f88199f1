// All of ProxySQL's ports for clients, of both protocols.
#pragma once

#include <vector>

#include "src/config/settings.h"

namespace pulse {

inline std::vector<MysqlInterface> client_ports(const DaemonSettings& daemon) {
  std::vector<MysqlInterface> all = daemon.mysql_interfaces;
  if (daemon.pgsql_port != 0) all.push_back({daemon.pgsql_host, daemon.pgsql_port});
  return all;
}

}  // namespace pulse
