#include "src/config/table_rules.h"

#include <algorithm>

#include "src/config/table_rows.h"

namespace pulse {

namespace {

constexpr const char* kStatuses[] = {"ONLINE", "SHUNNED", "OFFLINE_SOFT", "OFFLINE_HARD"};
constexpr const char* kCheckTypes[] = {"read_only", "innodb_read_only", "super_read_only"};

constexpr ColumnRule number(const char* name, const char* otherwise, int64_t least = INT_MIN, int64_t most = INT_MAX) {
  return {name, ColumnKind::number, otherwise, least, most};
}
constexpr ColumnRule flag(const char* name, const char* otherwise) { return number(name, otherwise, 0, 1); }
constexpr ColumnRule text(const char* name, char quote = '\0') {
  ColumnRule rule{name, ColumnKind::text};
  rule.quote = quote;
  return rule;
}
constexpr ColumnRule text_or_null(const char* name, char quote) {
  ColumnRule rule = text(name, quote);
  rule.null_by_default = true;
  return rule;
}
constexpr ColumnRule words(const char* name, std::span<const char* const> allowed) {
  ColumnRule rule = text(name);
  rule.words = allowed;
  rule.otherwise = allowed.front();
  return rule;
}
constexpr ColumnRule key(ColumnRule rule, const char* alias = nullptr) {
  rule.key = true;
  rule.alias = alias;
  return rule;
}
constexpr ColumnRule needed(ColumnRule rule) {
  rule.otherwise = nullptr;
  return rule;
}
constexpr ColumnRule unread(ColumnRule rule) {
  rule.read = false;
  return rule;
}
// A column that is NULL by default, and where the file has a number below 0.
constexpr ColumnRule nullable(const char* name, int64_t least = 0, int64_t most = INT_MAX) {
  ColumnRule rule = number(name, "", least, most);
  rule.negative_is_null = rule.null_by_default = true;
  return rule;
}
constexpr ColumnRule any_flag(const char* name) {
  ColumnRule rule = number(name, "0");
  rule.flag = true;
  return rule;
}

constexpr int64_t kMostWeight = 10'000'000;
constexpr int64_t kMostPort = 65'535;

bool ports_differ(const ListedRow& row) {
  const int64_t gtid_port = row.number("gtid_port", 0);
  return gtid_port == 0 || gtid_port != row.number("port", 3306);
}

bool has_what_is_replaced(const ListedRow& row) {
  return row.cells.count("replace_pattern") == 0 || row.cells.count("match_pattern") != 0;
}

bool begins_with_a_dot(const ListedRow& row) { return row.get("domain_name", "").starts_with('.'); }

constexpr ColumnRule rule_with(ColumnRule rule, const char* otherwise) {
  rule.otherwise = otherwise;
  rule.null_by_default = false;
  return rule;
}

constexpr ColumnRule kServers[] = {key(needed(number("hostgroup_id", "", 0)), "hostgroup"),
                                   key(needed(text("hostname", '"')), "address"),
                                   key(number("port", "3306", 0, kMostPort)),
                                   number("gtid_port", "0", 0, kMostPort),
                                   words("status", kStatuses),
                                   number("weight", "1", 0, kMostWeight),
                                   flag("compression", "0"),
                                   number("max_connections", "1000", 0),
                                   number("max_replication_lag", "0", 0, 126'144'000),
                                   flag("use_ssl", "0"),
                                   number("max_latency_ms", "0", 0),
                                   text("comment")};
// PostgreSQL's, as ProxySQL 3.0.1 reads them: MySQL's columns but for those that only MySQL has.
constexpr ColumnRule kPgsqlServers[] = {key(needed(number("hostgroup_id", "", 0)), "hostgroup"),
                                        key(needed(text("hostname", '"')), "address"),
                                        key(number("port", "5432", 0, kMostPort)),
                                        words("status", kStatuses),
                                        number("weight", "1", 0, kMostWeight),
                                        flag("compression", "0"),
                                        number("max_connections", "1000", 0),
                                        number("max_replication_lag", "0", 0, 126'144'000),
                                        flag("use_ssl", "0"),
                                        number("max_latency_ms", "0", 0),
                                        text("comment")};
constexpr ColumnRule kPgsqlUsers[] = {key(needed(text("username", '\''))),
                                      text("password", '\''),
                                      flag("active", "1"),
                                      flag("use_ssl", "0"),
                                      number("default_hostgroup", "0"),
                                      flag("transaction_persistent", "1"),
                                      flag("fast_forward", "0"),
                                      unread(flag("backend", "1")),
                                      unread(flag("frontend", "1")),
                                      number("max_connections", "10000", 0),
                                      text("attributes", '\''),
                                      text("comment")};
constexpr ColumnRule kUsers[] = {key(needed(text("username", '\''))),
                                 text("password", '\''),
                                 flag("active", "1"),
                                 flag("use_ssl", "0"),
                                 number("default_hostgroup", "0"),
                                 text("default_schema", '\''),
                                 flag("schema_locked", "0"),
                                 flag("transaction_persistent", "1"),
                                 flag("fast_forward", "0"),
                                 unread(flag("backend", "1")),
                                 unread(flag("frontend", "1")),
                                 number("max_connections", "10000", 0),
                                 text("attributes", '\''),
                                 text("comment")};
constexpr ColumnRule kQueryRules[] = {key(needed(number("rule_id", ""))),
                                      flag("active", "1"),
                                      text_or_null("username", '"'),
                                      text_or_null("schemaname", '"'),
                                      rule_with(nullable("flagIN"), "0"),
                                      text_or_null("client_addr", '"'),
                                      text_or_null("proxy_addr", '"'),
                                      nullable("proxy_port", 0, kMostPort),
                                      text_or_null("digest", '"'),
                                      text_or_null("match_digest", '"'),
                                      text_or_null("match_pattern", '"'),
                                      any_flag("negate_match_pattern"),
                                      rule_with(text("re_modifiers", '"'), "CASELESS"),
                                      nullable("flagOUT"),
                                      text_or_null("replace_pattern", '"'),
                                      nullable("destination_hostgroup"),
                                      nullable("cache_ttl", 1),
                                      nullable("cache_empty_result", 0, 1),
                                      nullable("cache_timeout"),
                                      nullable("reconnect", 0, 1),
                                      nullable("timeout"),
                                      nullable("retries", 0, 1000),
                                      nullable("delay"),
                                      nullable("next_query_flagIN"),
                                      nullable("mirror_flagOUT"),
                                      nullable("mirror_hostgroup"),
                                      text_or_null("error_msg", '"'),
                                      text_or_null("OK_msg", '"'),
                                      nullable("sticky_conn", 0, 1),
                                      nullable("multiplex", 0, 2),
                                      nullable("gtid_from_hostgroup"),
                                      nullable("log", 0, 1),
                                      any_flag("apply"),
                                      text("attributes", '\''),
                                      text_or_null("comment", '\'')};
constexpr ColumnRule kPgsqlQueryRules[] = {key(needed(number("rule_id", ""))),
                                           flag("active", "1"),
                                           text_or_null("username", '"'),
                                           text_or_null("database", '"'),
                                           rule_with(nullable("flagIN"), "0"),
                                           text_or_null("client_addr", '"'),
                                           text_or_null("proxy_addr", '"'),
                                           nullable("proxy_port", 0, kMostPort),
                                           text_or_null("digest", '"'),
                                           text_or_null("match_digest", '"'),
                                           text_or_null("match_pattern", '"'),
                                           any_flag("negate_match_pattern"),
                                           rule_with(text("re_modifiers", '"'), "CASELESS"),
                                           nullable("flagOUT"),
                                           text_or_null("replace_pattern", '"'),
                                           nullable("destination_hostgroup"),
                                           nullable("cache_ttl", 1),
                                           nullable("cache_empty_result", 0, 1),
                                           nullable("cache_timeout"),
                                           nullable("reconnect", 0, 1),
                                           nullable("timeout"),
                                           nullable("retries", 0, 1000),
                                           nullable("delay"),
                                           nullable("next_query_flagIN"),
                                           nullable("mirror_flagOUT"),
                                           nullable("mirror_hostgroup"),
                                           text_or_null("error_msg", '"'),
                                           text_or_null("OK_msg", '"'),
                                           nullable("sticky_conn", 0, 1),
                                           nullable("multiplex", 0, 2),
                                           nullable("log", 0, 1),
                                           any_flag("apply"),
                                           text("attributes", '\''),
                                           text_or_null("comment", '\'')};
constexpr ColumnRule kReplicationHostgroups[] = {key(needed(number("writer_hostgroup", "", 0))),
                                                 needed(number("reader_hostgroup", "", 0)),
                                                 words("check_type", kCheckTypes), text("comment")};
constexpr ColumnRule kAuroraHostgroups[] = {key(needed(number("writer_hostgroup", "", 0))),
                                            needed(number("reader_hostgroup", "", 1)),
                                            unread(flag("active", "1")),
                                            number("aurora_port", "3306"),
                                            needed(text("domain_name")),
                                            number("max_lag_ms", "600000", 10, 600'000),
                                            number("check_interval_ms", "1000", 100, 600'000),
                                            number("check_timeout_ms", "1000", 80, 3'000),
                                            flag("writer_is_also_reader", "0"),
                                            number("new_reader_weight", "1", 0, kMostWeight),
                                            number("add_lag_ms", "30", 0, 600'000),
                                            number("min_lag_ms", "30", 0, 600'000),
                                            number("lag_num_checks", "1", 1, 16),
                                            text("comment")};
constexpr ColumnRule kSslParams[] = {key(needed(text("hostname", '\''))),
                                     key(number("port", "3306", 0, kMostPort)),
                                     key(text("username", '\'')),
                                     text("ssl_ca", '\''),
                                     text("ssl_cert", '\''),
                                     text("ssl_key", '\''),
                                     text("ssl_capath", '\''),
                                     text("ssl_crl", '\''),
                                     text("ssl_crlpath", '\''),
                                     text("ssl_cipher", '\''),
                                     text("tls_version", '\''),
                                     text("comment")};
constexpr ColumnRule kProxysqlServers[] = {key(needed(text("hostname", '"')), "address"),
                                           key(needed(number("port", ""))), number("weight", "0", 0), text("comment")};
constexpr ColumnRule kScheduler[] = {
    key(needed(number("id", ""))),  flag("active", "1"),        needed(number("interval_ms", "", 100, 100'000'000)),
    needed(text("filename", '\'')), text_or_null("arg1", '\''), text_or_null("arg2", '\''),
    text_or_null("arg3", '\''),     text_or_null("arg4", '\''), text_or_null("arg5", '\''),
    text("comment", '\'')};
// Of mysql_group_replication_hostgroups and mysql_galera_hostgroups.
constexpr ColumnRule kFourHostgroups[] = {key(needed(number("writer_hostgroup", "", 0))),
                                          needed(number("backup_writer_hostgroup", "", 0)),
                                          needed(number("reader_hostgroup", "", 1)),
                                          needed(number("offline_hostgroup", "", 0)),
                                          unread(flag("active", "1")),
                                          number("max_writers", "1", 0),
                                          number("writer_is_also_reader", "0", 0, 2),
                                          number("max_transactions_behind", "0", 0),
                                          text("comment")};

// Read since 3.0.10. A column that the file doesn't give is as the table has it.
constexpr ColumnRule kHostgroupAttributes[] = {key(needed(number("hostgroup_id", ""))),
                                               number("max_num_online_servers", "1000000", 0, 1'000'000),
                                               number("autocommit", "-1", -1, 1),
                                               number("free_connections_pct", "10", 0, 100),
                                               text("init_connect"),
                                               flag("multiplex", "1"),
                                               flag("connection_warming", "0"),
                                               number("throttle_connections_per_sec", "1000000", 1, 1'000'000),
                                               text("ignore_session_variables"),
                                               text("hostgroup_settings"),
                                               text("servers_defaults"),
                                               text("comment")};
constexpr ColumnRule kFastRouting[] = {key(text("username", '\'')), key(text("schemaname", '\'')),
                                       key(number("flagIN", "0")), number("destination_hostgroup", "0", 0),
                                       text("comment")};
constexpr ColumnRule kPgsqlFastRouting[] = {key(text("username", '\'')), key(text("database", '\'')),
                                            key(number("flagIN", "0")), number("destination_hostgroup", "0", 0),
                                            text("comment")};

constexpr const char* kTwo[] = {"writer_hostgroup", "reader_hostgroup"};
constexpr const char* kFour[] = {"writer_hostgroup", "backup_writer_hostgroup", "reader_hostgroup",
                                 "offline_hostgroup"};
constexpr const char* kReader[] = {"reader_hostgroup"};
constexpr const char* kReaderOfflineBackup[] = {"reader_hostgroup", "offline_hostgroup", "backup_writer_hostgroup"};

// Laid out by the compiler: each beat reads its file, and nothing of this table may cost it time.
constexpr TableRules kRules[] = {
    {"mysql_servers", kServers, {}, {}, ports_differ},
    {"mysql_users", kUsers},
    {"mysql_query_rules", kQueryRules, {}, {}, has_what_is_replaced},
    {"mysql_replication_hostgroups", kReplicationHostgroups, kTwo, kReader},
    {"mysql_group_replication_hostgroups", kFourHostgroups, kFour, kReaderOfflineBackup},
    {"mysql_galera_hostgroups", kFourHostgroups, kFour, kReaderOfflineBackup},
    {"mysql_aws_aurora_hostgroups", kAuroraHostgroups, kTwo, kReader, begins_with_a_dot},
    {"mysql_servers_ssl_params", kSslParams},
    {"pgsql_servers", kPgsqlServers},
    {"pgsql_users", kPgsqlUsers},
    {"pgsql_query_rules", kPgsqlQueryRules, {}, {}, has_what_is_replaced},
    {"pgsql_replication_hostgroups", kReplicationHostgroups, kTwo, kReader},
    {"mysql_hostgroup_attributes", kHostgroupAttributes},
    {"mysql_query_rules_fast_routing", kFastRouting},
    {"pgsql_hostgroup_attributes", kHostgroupAttributes},
    {"pgsql_query_rules_fast_routing", kPgsqlFastRouting},
    {"proxysql_servers", kProxysqlServers},
    {"scheduler", kScheduler},
};

}  // namespace

const TableRules* find_table_rules(std::string_view table) {
  const auto* found =
      std::find_if(std::begin(kRules), std::end(kRules), [&](const TableRules& one) { return table == one.name; });
  return found == std::end(kRules) ? nullptr : found;
}

}  // namespace pulse
