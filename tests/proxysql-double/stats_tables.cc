// The runtime_ and stats_ tables: filled when a statement names them in lower case.
#include <ctime>
#include <functional>
#include <vector>

#include "tests/proxysql-double/server.h"
#include "tests/proxysql-double/statement.h"

namespace proxysql_double {
namespace {

std::string literal(const Value& value) { return value ? quoted(*value) : "NULL"; }

void refill(Database& database, const std::string& table, const std::vector<Row>& rows) {
  const auto lock = database.hold();
  database.execute("SAVEPOINT refill");
  database.execute("DELETE FROM " + table);
  for (const Row& row : rows) {
    std::string values;
    for (const Value& value : row) values += (values.empty() ? "" : ",") + literal(value);
    database.execute("INSERT OR REPLACE INTO " + table + " VALUES (" + values + ")");
  }
  database.execute("RELEASE refill");
}

void copy_runtime(Database& database, const std::string& table) {
  const auto lock = database.hold();
  database.execute("SAVEPOINT copy_runtime");
  database.execute("DELETE FROM main.runtime_" + table);
  database.execute("INSERT INTO main.runtime_" + table + " SELECT * FROM rt." + table);
  database.execute("RELEASE copy_runtime");
}

void refresh_runtime_tables(Server& server, const std::string& text, StatementLock& lock) {
  for (const char* table :
       {"mysql_servers", "mysql_users", "mysql_query_rules", "mysql_replication_hostgroups", "scheduler"}) {
    if (text.find(std::string("runtime_") + table) != std::string::npos) copy_runtime(*server.database, table);
  }
  if (text.find("runtime_proxysql_servers") != std::string::npos) {
    // ProxySQL asks its cluster's nodes for this one, without the global mutex.
    lock.unlock();
    server.cluster.wait_for_nodes();
    lock.lock();
    copy_runtime(*server.database, "proxysql_servers");
  }
  if (text.find("runtime_global_variables") != std::string::npos) {
    std::vector<Row> rows;
    for (const auto& [name, value] : server.variables.with_prefix("")) rows.push_back({name, value});
    refill(*server.database, "main.runtime_global_variables", rows);
  }
  if (text.find("runtime_checksums_values") != std::string::npos) {
    std::vector<Row> rows;
    const auto stamps = server.modules.stamps();
    for (const char* name : {"admin_variables", "mysql_query_rules", "mysql_servers", "mysql_users", "mysql_variables",
                             "proxysql_servers", "mysql_servers_v2"}) {
      const Stamp& stamp = stamps.at(name);
      rows.push_back({name, std::to_string(stamp.version), std::to_string(stamp.epoch), stamp.checksum});
    }
    refill(*server.database, "main.runtime_checksums_values", rows);
  }
}

std::vector<Row> global_rows(Server& server) {
  std::vector<Row> rows = {{"ProxySQL_Uptime", std::to_string(server.uptime().count())}};
  for (const auto& [name, value] : server.mysql_port.status()) rows.push_back({name, value});
  return rows;
}

std::vector<Row> connection_pool_rows(Server& server) {
  const ResultSet servers = server.database->query("SELECT hostgroup_id, hostname, port, status FROM rt.mysql_servers");
  std::vector<Row> rows;
  for (Row row : servers.rows) {
    row.resize(14, "0");
    rows.push_back(std::move(row));
  }
  return rows;
}

void refresh_digests(Server& server, const std::string& text) {
  if (text.find("stats_mysql_query_digest") == std::string::npos) return;
  const bool reset = text.find("stats_mysql_query_digest_reset") != std::string::npos;
  const std::vector<Row> rows = server.mysql_port.digests(reset);
  refill(*server.database, "stats.stats_mysql_query_digest", reset ? std::vector<Row>() : rows);
  if (reset) refill(*server.database, "stats.stats_mysql_query_digest_reset", rows);
}

}  // namespace

void refresh_tables(Server& server, const std::string& text, StatementLock& lock) {
  refresh_runtime_tables(server, text, lock);

  if (text.find("stats_") == std::string::npos) return;
  // The client's own open transaction locks the statistics out of ProxySQL's second connection, for ever.
  if (server.database->statistics_locked()) {
    server.wedge.hang();
    server.database->abandon_transaction();
  }
  Database& database = *server.database;
  const std::pair<const char*, std::function<std::vector<Row>()>> plain[] = {
      {"stats_mysql_global", [&] { return global_rows(server); }},
      {"stats_mysql_connection_pool", [&] { return connection_pool_rows(server); }},
      {"stats_mysql_processlist", [&] { return server.mysql_port.processlist(); }},
  };
  for (const auto& [table, rows] : plain) {
    if (text.find(table) != std::string::npos) refill(database, std::string("stats.") + table, rows());
  }
  refresh_digests(server, text);
  if (text.find("stats_proxysql_servers_checksums") != std::string::npos) {
    lock.unlock();
    const std::vector<Row> rows = server.cluster.checksum_rows();
    lock.lock();
    refill(database, "stats.stats_proxysql_servers_checksums", rows);
  }
  if (text.find("stats_proxysql_servers_metrics") != std::string::npos) {
    // Keeps the global mutex while it waits for the cluster's: a pull of query rules takes them the other way round.
    refill(database, "stats.stats_proxysql_servers_metrics", server.cluster.metrics_rows());
  }
}

}  // namespace proxysql_double
