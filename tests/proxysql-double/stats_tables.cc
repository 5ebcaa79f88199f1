// The runtime_ and stats_ tables: filled when a statement names them in lower case.
#include <ctime>
#include <functional>
#include <sstream>
#include <vector>

#include "tests/proxysql-double/server.h"
#include "tests/proxysql-double/statement.h"

namespace proxysql_double {
namespace {

// The rows of stats_mysql_global that stay 0 in the double.
constexpr const char* kAlwaysZero =
    "mysql_backend_buffers_bytes mysql_frontend_buffers_bytes mysql_session_internal_bytes Com_autocommit "
    "Com_autocommit_filtered Com_commit Com_commit_filtered Com_rollback "
    "Com_rollback_filtered Com_backend_change_user Com_backend_init_db Com_backend_set_names "
    "Com_frontend_init_db Com_frontend_set_names Com_frontend_use_db Com_backend_stmt_prepare "
    "Com_backend_stmt_execute Com_backend_stmt_close Com_frontend_stmt_prepare Com_frontend_stmt_execute "
    "Com_frontend_stmt_close GTID_consistent_queries GTID_session_collected Queries_backends_bytes_recv "
    "Queries_backends_bytes_sent Queries_frontends_bytes_recv Queries_frontends_bytes_sent Query_Processor_time_nsec "
    "Backend_query_time_nsec ConnPool_get_conn_latency_awareness ConnPool_get_conn_immediate ConnPool_get_conn_success "
    "ConnPool_get_conn_failure mysql_killed_backend_connections mysql_killed_backend_queries hostgroup_locked_set_cmds "
    "hostgroup_locked_queries mysql_unexpected_frontend_com_quit mysql_unexpected_frontend_packets "
    "queries_with_max_lag_ms__total_wait_time_us "
    "queries_with_max_lag_ms__delayed queries_with_max_lag_ms backend_lagging_during_query "
    "backend_offline_during_query "
    "get_aws_aurora_replicas_skipped_during_query automatic_detected_sql_injection whitelisted_sqli_fingerprint "
    "max_connect_timeouts "
    "generated_error_packets client_host_error_killed_connections Client_Connections_hostgroup_locked "
    "Mirror_concurrency "
    "Mirror_queue_length Selects_for_update__autocommit0 Access_Denied_Max_Connections "
    "Access_Denied_Max_User_Connections "
    "MySQL_Monitor_Workers_Aux MySQL_Monitor_Workers_Started MySQL_Monitor_connect_check_OK "
    "MySQL_Monitor_connect_check_ERR "
    "MySQL_Monitor_ping_check_OK MySQL_Monitor_ping_check_ERR MySQL_Monitor_read_only_check_OK "
    "MySQL_Monitor_read_only_check_ERR "
    "MySQL_Monitor_replication_lag_check_OK MySQL_Monitor_replication_lag_check_ERR MySQL_Monitor_dns_cache_queried "
    "MySQL_Monitor_dns_cache_lookup_success "
    "MySQL_Monitor_dns_cache_record_updated MyHGM_myconnpoll_get MyHGM_myconnpoll_get_ok MyHGM_myconnpoll_push "
    "MyHGM_myconnpoll_destroy MyHGM_myconnpoll_reset SQLite3_memory_bytes ConnPool_memory_bytes "
    "Stmt_Client_Active_Total Stmt_Client_Active_Unique Stmt_Server_Active_Total Stmt_Server_Active_Unique "
    "Stmt_Max_Stmt_id Stmt_Cached Query_Cache_Memory_bytes Query_Cache_count_GET "
    "Query_Cache_count_GET_OK Query_Cache_count_SET Query_Cache_bytes_IN Query_Cache_bytes_OUT "
    "Query_Cache_Purged Query_Cache_Entries new_req_conns_count ";

std::string literal(const Value& value) { return value ? quoted(*value) : "NULL"; }

void insert_row(Database& database, const std::string& table, const std::string& values) {
  database.execute("INSERT OR REPLACE INTO " + table + " VALUES (" + values + ")");
}

void refill(Database& database, const std::string& table, const std::vector<Row>& rows) {
  const auto lock = database.hold();
  database.execute("SAVEPOINT refill");
  database.execute("DELETE FROM " + table);
  for (const Row& row : rows) {
    std::string values;
    for (const Value& value : row) append_item(values, literal(value));
    insert_row(database, table, values);
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
  for (const char* table : {"mysql_servers", "mysql_users", "mysql_query_rules", "mysql_replication_hostgroups",
                            "scheduler", "pgsql_servers", "pgsql_users", "pgsql_query_rules",
                            "pgsql_replication_hostgroups", "mysql_hostgroup_attributes", "pgsql_hostgroup_attributes",
                            "mysql_query_rules_fast_routing", "pgsql_query_rules_fast_routing"}) {
    if (!server.options.has_pgsql() && std::string(table).starts_with("pgsql")) continue;
    if (text.find(std::string("runtime_") + table) != std::string::npos) copy_runtime(*server.database, table);
  }
  if (text.find("runtime_proxysql_servers") != std::string::npos) {
    // ProxySQL asks its cluster's nodes for this one, and refills it, without the global mutex: one statement may see
    // what another one's refill has emptied.
    lock.unlock();
    server.cluster.wait_for_nodes();
    {
      const std::lock_guard one_refill(server.proxysql_servers_mutex);
      server.database->execute("DELETE FROM main.runtime_proxysql_servers");
      // OR REPLACE: a load of another connection may have filled it in between.
      server.database->execute(
          "INSERT OR REPLACE INTO main.runtime_proxysql_servers SELECT * FROM rt.proxysql_servers");
    }
    lock.lock();
    if (server.empty_looks > 0) {
      --server.empty_looks;
      server.database->execute("DELETE FROM main.runtime_proxysql_servers");
    }
  }
  if (text.find("runtime_global_variables") != std::string::npos) {
    std::vector<Row> rows;
    for (const auto& [name, value] : server.variables.with_prefix("")) rows.push_back({name, value});
    refill(*server.database, "main.runtime_global_variables", rows);
  }
  if (text.find("runtime_checksums_values") != std::string::npos) {
    std::vector<Row> rows;
    const auto stamps = server.modules.stamps();
    for (const char* name : checksum_names(server.options.has_pgsql())) {
      const auto found = stamps.find(name);
      if (found == stamps.end()) {
        rows.push_back({name, "0", "0", ""});
        continue;
      }
      const Stamp& stamp = found->second;
      rows.push_back({name, std::to_string(stamp.version), std::to_string(stamp.epoch), stamp.checksum});
    }
    refill(*server.database, "main.runtime_checksums_values", rows);
  }
}

std::vector<Row> global_rows(Server& server) {
  if (!server.options.mysql) return {};
  std::vector<Row> rows = {{"ProxySQL_Uptime", std::to_string(server.uptime().count())}};
  for (const auto& [name, value] : server.mysql_port.status()) rows.push_back({name, value});
  std::istringstream zeros(kAlwaysZero);
  for (std::string name; zeros >> name;) rows.push_back({name, "0"});
  return rows;
}

std::vector<Row> pgsql_global_rows(Server& server) {
  if (!server.options.pgsql) return {};
  std::vector<Row> rows = {{"ProxySQL_Uptime", std::to_string(server.uptime().count())}};
  for (const auto& [name, value] : server.pgsql_port.status()) rows.push_back({name, value});
  return rows;
}

// Of the memory, that of the digests: some bytes for each.
std::vector<Row> memory_rows(Server& server) {
  constexpr size_t kDigestBytes = 200;
  ResultSet set = server.digests(false);
  size_t count = set.rows.size();
  for (Row row; set.more(row);) ++count;
  if (!server.options.has_pgsql()) return {{"query_digest_memory", std::to_string(count * kDigestBytes)}};
  return {{"mysql_query_digest_memory", std::to_string(count * kDigestBytes)},
          {"pgsql_query_digest_memory", std::to_string(server.pgsql_port.digests(false).size() * kDigestBytes)}};
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
  if (text.find("stats_mysql_query_digest") != std::string::npos) {
    const bool reset = text.find("stats_mysql_query_digest_reset") != std::string::npos;
    ResultSet digests = server.digests(reset);
    std::vector<Row> rows = std::move(digests.rows);
    for (Row row; digests.more(row);) rows.push_back(row);
    refill(*server.database, "stats.stats_mysql_query_digest", reset ? std::vector<Row>() : rows);
    if (reset) refill(*server.database, "stats.stats_mysql_query_digest_reset", rows);
  }
  if (server.options.has_pgsql() && text.find("stats_pgsql_query_digest") != std::string::npos) {
    const bool reset = text.find("stats_pgsql_query_digest_reset") != std::string::npos;
    const std::vector<Row> rows = server.pgsql_port.digests(reset);
    refill(*server.database, "stats.stats_pgsql_query_digest", reset ? std::vector<Row>() : rows);
    if (reset) refill(*server.database, "stats.stats_pgsql_query_digest_reset", rows);
  }
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
      {"stats_memory_metrics", [&] { return memory_rows(server); }},
      {"stats_mysql_connection_pool", [&] { return connection_pool_rows(server); }},
      {"stats_mysql_processlist", [&] { return server.mysql_port.processlist(); }},
  };
  for (const auto& [table, rows] : plain) {
    if (text.find(table) != std::string::npos) refill(database, std::string("stats.") + table, rows());
  }
  if (server.options.has_pgsql() && text.find("stats_pgsql_global") != std::string::npos) {
    refill(database, "stats.stats_pgsql_global", pgsql_global_rows(server));
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
