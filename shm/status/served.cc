#include "shm/status/served.h"

#include <algorithm>
#include <string_view>

#include "shm/record/starts.h"

namespace pulse {

FileProtocols protocols_of(const Config& config) {
  const auto& groups = config.file_groups;
  const auto has = [&](auto is) { return std::any_of(groups.begin(), groups.end(), is); };
  FileProtocols file;
  const bool pgsql_rows =
      has([](std::string_view group) { return group == "pgsql_servers" || group == "pgsql_users"; });
  file.pgsql_port = !config.daemon.pgsql_interfaces.empty();
  file.pgsql_rows = file.pgsql_port && (config.daemon.pgsql_port_set || pgsql_rows);
  file.mysql = !pgsql_rows || config.daemon.mysql_port_set ||
               has([](std::string_view group) { return group.starts_with("mysql_"); });
  return file;
}

Served served_protocols(const StateView& view, const PortView& mysql, const PortView& pgsql,
                        const FileProtocols& file) {
  const Observation& seen = view.observation;
  const bool is_seen = seen.globals_ns != 0 && (seen.serves_mysql != 0 || seen.serves_pgsql != 0) &&
                       is_of(view.start, seen.globals_ns, seen.proxysql_started_ns);
  if (!is_seen) {
    Served served{file.mysql, file.pgsql_rows && pgsql.ever_answered};
    if (!served.mysql && !served.pgsql) (mysql.answers && !pgsql.known ? served.mysql : served.pgsql) = true;
    return served;
  }
  const bool has_pgsql = seen.pgsql_backends.total() != 0;
  const bool has_mysql = seen.backends.total() > seen.pgsql_backends.total();
  Served served;
  served.pgsql = seen.serves_pgsql != 0 && pgsql.known &&
                 (file.pgsql_rows || (has_pgsql && (file.pgsql_port || pgsql.ever_answered)));
  served.mysql = seen.serves_mysql != 0 && (file.mysql || has_mysql || !served.pgsql);
  if (!served.mysql && !served.pgsql) served.pgsql = true;  // MySQL is off
  return served;
}

}  // namespace pulse
