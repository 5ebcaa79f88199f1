// What the admin interface understands beside SQL.
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <functional>
#include <regex>
#include <thread>
#include <vector>

#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/saved_config.h"
#include "tests/proxysql-double/server.h"
#include "tests/proxysql-double/statement.h"

namespace proxysql_double {
namespace {

using std::chrono::milliseconds;

std::string upper_and_single_spaced(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (space && !out.empty() && out.back() == ' ') continue;
    out += space ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

struct Call {
  Server& server;
  const Client& client;
  const std::string& text;    // as sent, trimmed
  const std::smatch& groups;  // of the upper-case, single-spaced text, unless the pattern is matched on `text`
  StatementLock& lock;
};

using Handler = std::function<std::optional<Answer>(const Call&)>;

struct Command {
  std::regex pattern;
  Handler handler;
};

Answer select_one(Server& server, const std::string& sql) { return server.database->run(sql); }

// LOAD and SAVE.
std::optional<Module> module_called(const Server& server, const std::string& phrase) {
  const std::pair<const char*, Module> phrases[] = {{"PGSQL VARIABLES", Module::pgsql_variables},
                                                    {"PGSQL SERVERS", Module::pgsql_servers},
                                                    {"PGSQL USERS", Module::pgsql_users},
                                                    {"PGSQL QUERY RULES", Module::pgsql_query_rules},
                                                    {"ADMIN VARIABLES", Module::admin_variables},
                                                    {"MYSQL VARIABLES", Module::mysql_variables},
                                                    {"MYSQL SERVERS", Module::mysql_servers},
                                                    {"MYSQL USERS", Module::mysql_users},
                                                    {"MYSQL QUERY RULES", Module::mysql_query_rules},
                                                    {"PROXYSQL SERVERS", Module::proxysql_servers},
                                                    {"SCHEDULER", Module::scheduler}};
  for (const auto& [text, module] : phrases) {
    if (phrase == text && (server.options.has_pgsql() || !phrase.starts_with("PGSQL"))) return module;
  }
  return std::nullopt;
}

Answer load_from_config(Server& server, Module module) {
  const auto cnf = read_cnf(server.options.config_file);
  if (!cnf) {
    log_error(cnf.error().text);
    return Answer::admin_error("Unable to open or parse config file " + server.options.config_file);
  }
  const int64_t rows = server.modules.config_to_memory(module, *cnf);
  server.note_rows();
  return Answer::ok(rows);
}

// ProxySQL lets go of the global mutex while it loads its own servers.
Answer load_to_runtime(Server& server, Module module, StatementLock& lock) {
  if (module == Module::proxysql_servers) lock.unlock();
  const LoadStats stats = server.load_to_runtime(module);
  if (!lock.owns_lock()) lock.lock();
  const bool variables = module_tables(module).empty();
  if (!variables || !server.options.counts_variables()) return Answer::ok();
  return Answer::ok(0, "Records: " + std::to_string(stats.records) + " Updated: " + std::to_string(stats.updated) +
                           " Rejected: " + std::to_string(stats.rejected) +
                           " Unknown: " + std::to_string(stats.unknown));
}

std::optional<Answer> load_or_save(const Call& call) {
  const auto module = module_called(call.server, call.groups[2]);
  if (!module) return std::nullopt;
  log_info("Received " + call.text + " command");
  const bool load = call.groups[1] == "LOAD";
  const std::string way = call.groups[3].str() + " " + call.groups[4].str();
  Modules& modules = call.server.modules;
  if (way == "FROM CONFIG") return load ? std::optional(load_from_config(call.server, *module)) : std::nullopt;
  if (way == "TO RUNTIME" || way == "TO RUN" || way == "FROM MEMORY" || way == "FROM MEM") {
    if (load) return load_to_runtime(call.server, *module, call.lock);
    return way.starts_with("FROM") ? std::optional(Answer::ok(modules.memory_to_disk(*module))) : std::nullopt;
  }
  if (way == "TO MEMORY" || way == "TO MEM") {
    const int64_t rows = load ? modules.disk_to_memory(*module) : modules.runtime_to_memory(*module);
    call.server.note_rows();
    return Answer::ok(rows);
  }
  if (load && way == "FROM DISK") {
    const int64_t rows = modules.disk_to_memory(*module);
    call.server.note_rows();
    return Answer::ok(rows);
  }
  if (!load && way == "TO DISK") return Answer::ok(modules.memory_to_disk(*module));
  if (!load && (way == "FROM RUNTIME" || way == "FROM RUN")) {
    const int64_t rows = modules.runtime_to_memory(*module);
    call.server.note_rows();
    return Answer::ok(rows);
  }
  return std::nullopt;
}

// PROXYSQL ...
// 3.x stops and starts two modules, one after the other, and answers for each: an OK or an error, of which a client
// that reads one answer sees the first. `act` says whether a port was in the state that it needs.
Answer for_each_protocol(Server& server, const std::function<bool(ClientPort&)>& act, const std::string& error) {
  Answer first = act(server.mysql_port) ? Answer::ok() : Answer::admin_error("ProxySQL MySQL module " + error);
  if (server.options.has_pgsql()) {
    act(server.pgsql_port);
    first.twice = true;
  }
  return first;
}

std::optional<Answer> proxysql_pause(const Call& call) {
  log_info("Received PROXYSQL PAUSE command");
  return for_each_protocol(
      call.server, [](ClientPort& port) { return port.pause(); }, "is already paused, impossible to pause");
}

std::optional<Answer> proxysql_resume(const Call& call) {
  log_info("Received PROXYSQL RESUME command");
  pulse::Result<void> resumed;
  Answer answer = for_each_protocol(
      call.server,
      [&](ClientPort& port) {
        if (!port.paused()) return false;
        if (auto done = port.resume(); !done) resumed = done;
        return true;
      },
      "is not paused, impossible to resume");
  if (!resumed) return Answer::admin_error(resumed.error().text);
  return answer;
}

std::optional<Answer> proxysql_shutdown(const Call& call) {
  log_info("Received " + call.text + " command");
  constexpr milliseconds kGrace{1000};
  if (call.groups[1] == "SHUTDOWN SLOW") {
    call.server.mysql_port.drain(kGrace);
    if (call.server.options.has_pgsql()) call.server.pgsql_port.drain(kGrace);
  }
  if (!call.server.options.control_path.empty()) ::unlink(call.server.options.control_path.c_str());
  std::_Exit(0);
}

std::optional<Answer> proxysql_restart(const Call& call) {
  log_info("Received PROXYSQL RESTART command");
  call.server.restart();
  return Answer::connection_lost();
}

std::optional<Answer> pull_version(const Call& call) {
  const milliseconds limit(1000 * std::stoll(call.groups[2]));
  call.server.modules.wait_for_version("mysql_servers", std::stoll(call.groups[1]), limit);
  return Answer::single("version", std::to_string(call.server.modules.stamp("mysql_servers").version));
}

std::optional<Answer> global_checksum(const Call& call) {
  std::string all;
  for (const auto& [name, stamp] : call.server.modules.stamps()) {
    all += name + std::to_string(stamp.version) + " " + std::to_string(stamp.epoch) + stamp.checksum;
  }
  return Answer::single("CHECKSUM", std::to_string(std::hash<std::string>{}(all)));
}

// SET and SELECT @@.
std::optional<Answer> set_variable(const Call& call) {
  static const std::regex pattern(R"re(^SET\s+([^=]*?)\s*=\s*([\s\S]*)$)re", std::regex::icase);
  std::smatch groups;
  if (!std::regex_match(call.text, groups, pattern)) return std::nullopt;
  const std::string name = groups[1];
  std::string value = groups[2];
  if (value.size() >= 2 && (value.front() == '\'' || value.front() == '"') && value.back() == value.front()) {
    value = value.substr(1, value.size() - 2);
  }
  log_info("Received command " + call.text);
  if (!call.server.variables.known(lower(name))) {
    return Answer::ok(0, "ERROR: Unknown global variable: '" + name + "'.");
  }
  return call.server.database->run("UPDATE main.global_variables SET variable_value=" + quoted(value) +
                                   " WHERE variable_name=" + quoted(lower(name)));
}

std::optional<Answer> select_variable(const Call& call) {
  std::string name = call.groups[1];
  const std::string column = call.text.substr(call.text.find('@'), name.size() + 2);
  name = lower(name);
  if (name == "version_comment") {
    if (call.groups[2].matched) return Answer::single("'(ProxySQL Admin Module)'", "(ProxySQL Admin Module)");
    return Answer::single("@@version", call.server.options.version);
  }
  if (name == "version") return Answer::single("@@version", call.server.options.version);
  if (name == "max_allowed_packet") name = "mysql-max_allowed_packet";
  Answer answer =
      select_one(call.server, "SELECT variable_value FROM main.global_variables WHERE variable_name=" + quoted(name));
  answer.set.columns = {column};
  return answer;
}

// The answer comes before any table is filled.
std::optional<Answer> truncate_digests(const Call& call) {
  const bool pgsql = call.groups[1] == "PGSQL";
  if (pgsql && !call.server.options.has_pgsql()) return std::nullopt;
  if (pgsql) return Answer::ok(static_cast<int64_t>(call.server.pgsql_port.digests(true).size()));
  ResultSet set = call.server.digests(true);
  int64_t count = static_cast<int64_t>(set.rows.size());
  for (Row row; set.more(row);) ++count;
  return Answer::ok(count);
}

std::optional<Answer> kill_connection(const Call& call) {
  const std::string id = call.groups[1];
  if (call.server.mysql_port.kill(static_cast<uint32_t>(std::atol(id.c_str())))) return Answer::ok();
  return Answer::admin_error("Unknown thread id: " + id);
}

// SHOW.
std::optional<Answer> show_tables(const Call& call) {
  static const std::regex pattern(R"re(^SHOW\s+TABLES(?:\s+(?:FROM|IN)\s+(\w+))?(?:\s+LIKE\s+('[^']*'|"[^"]*"))?$)re",
                                  std::regex::icase);
  std::smatch groups;
  if (!std::regex_match(call.text, groups, pattern)) return std::nullopt;
  std::string sql = "SELECT name AS tables FROM " + (groups[1].matched ? groups[1].str() : "main") +
                    ".sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'";
  if (groups[2].matched) sql += " AND name LIKE " + groups[2].str();
  return call.server.database->run(sql + " ORDER BY name");
}

std::optional<Answer> show_databases(const Call& call) {
  const std::string directory = call.server.options.data_dir;
  return Answer::rows({{"seq", "name", "file"},
                       {{"0", "main", ""},
                        {"2", "disk", directory + "/proxysql.db"},
                        {"3", "stats", ""},
                        {"5", "stats_history", directory + "/proxysql_stats.db"}}});
}

std::optional<Answer> show_create_table(const Call& call) {
  static const std::regex pattern(R"re(^SHOW\s+CREATE\s+TABLE\s+(?:(\w+)\.)?(\w+)$)re", std::regex::icase);
  std::smatch groups;
  if (!std::regex_match(call.text, groups, pattern)) return std::nullopt;
  const std::string schema = groups[1].matched ? groups[1].str() : "main";
  return call.server.database->run("SELECT name AS 'table', sql AS 'Create Table' FROM " + schema +
                                   ".sqlite_master WHERE type='table' AND name=" + quoted(groups[2].str()));
}

std::optional<Answer> show_variables(const Call& call) {
  static const std::regex pattern(R"re(^SHOW\s+(?:(MYSQL|ADMIN)\s+)?VARIABLES(?:\s+(LIKE\s+.*|WHERE\s+.*))?$)re",
                                  std::regex::icase);
  std::smatch groups;
  if (!std::regex_match(call.text, groups, pattern)) return std::nullopt;
  if (groups[1].matched && groups[2].matched) return std::nullopt;
  std::string sql = "SELECT variable_name AS Variable_name, variable_value AS Value FROM main.global_variables";
  if (groups[1].matched) sql += " WHERE variable_name LIKE '" + lower(groups[1].str()) + "-%'";
  const std::string filter = groups[2];
  if (!filter.empty()) sql += (std::toupper(filter[0]) == 'L' ? " WHERE variable_name " : " ") + filter;
  return call.server.database->run(sql + " ORDER BY variable_name");
}

std::optional<Answer> show_status(const Call& call) {
  refresh_tables(call.server, "stats_mysql_global", call.lock);
  return select_one(call.server,
                    "SELECT Variable_Name AS Variable_name, Variable_Value AS Value FROM stats.stats_mysql_global "
                    "ORDER BY Variable_name");
}

std::optional<Answer> show_processlist(const Call& call) {
  refresh_tables(call.server, "stats_mysql_processlist", call.lock);
  return select_one(call.server,
                    "SELECT SessionID, user, db, hostgroup, command, time_ms, info FROM stats.stats_mysql_processlist");
}

std::optional<Answer> accepted(const Call& /*call*/) { return Answer::ok(); }

const std::vector<Command>& commands() {
  static const std::vector<Command> list = [] {
    std::vector<Command> all;
    const auto add = [&](const char* pattern, Handler handler) {
      all.push_back({std::regex("^" + std::string(pattern) + "$"), std::move(handler)});
    };
    add("(LOAD|SAVE) (.+) (TO|FROM) (MEMORY|MEM|RUNTIME|RUN|DISK|CONFIG)", load_or_save);
    add("PROXYSQL PAUSE", proxysql_pause);
    add("PROXYSQL RESUME", proxysql_resume);
    add("PROXYSQL (SHUTDOWN|SHUTDOWN SLOW|KILL)", proxysql_shutdown);
    add("PROXYSQL RESTART", proxysql_restart);
    add("PROXYSQL (FLUSH LOGS|CLUSTER_NODE_UUID .*)", accepted);
    add("KILL CONNECTION (\\d+)", kill_connection);
    add("PULL VERSION MYSQL SERVERS (\\d+) (\\d+)", pull_version);
    add("SELECT CONFIG FILE", [](const Call& call) {
      return Answer::single("Data", saved_config(*call.server.database, call.server.options.has_pgsql()));
    });
    add("TRUNCATE (?:TABLE )?(?:STATS\\.)?STATS_(MYSQL|PGSQL)_QUERY_DIGEST(?:_RESET)?", truncate_digests);
    add("SELECT GLOBAL_CHECKSUM\\(\\)", global_checksum);
    add("(BEGIN|COMMIT|ROLLBACK|START TRANSACTION|SET NAMES|SET AUTOCOMMIT|SET CHARACTER_SET_RESULTS|SET "
        "SQL_AUTO_IS_NULL|SET SQL_SAFE_UPDATES|USE)\\b.*",
        accepted);
    add("SET .*", set_variable);
    add("SELECT @@([A-Z0-9_-]+)( LIMIT 1)?", select_variable);
    add("SELECT VERSION\\(\\).*",
        [](const Call& call) { return Answer::single("version()", call.server.options.version); });
    add("SELECT DATABASE\\(\\)( AS NAME)?",
        [](const Call& call) { return Answer::single(call.groups[1].matched ? "name" : "DATABASE()", "admin"); });
    add("SELECT USER\\(\\)",
        [](const Call& call) { return Answer::single("user()", call.client.user + "@" + call.client.host); });
    add("SELECT CONNECTION_ID\\(\\)", [](const Call&) { return Answer::single("CONNECTION_ID()", "0"); });
    add("SHOW TABLES.*", show_tables);
    add("SHOW (DATABASES|SCHEMAS)", show_databases);
    add("SHOW CREATE TABLE .*", show_create_table);
    add("SHOW .*VARIABLES.*", show_variables);
    add("SHOW MYSQL STATUS", show_status);
    add("SHOW (FULL )?PROCESSLIST", show_processlist);
    return all;
  }();
  return list;
}

}  // namespace

std::optional<Answer> run_command(Server& server, const Client& client, const std::string& text, StatementLock& lock) {
  constexpr size_t kLongestCommand = 512;  // whatever is longer is SQL
  if (text.size() > kLongestCommand) return std::nullopt;
  const std::string upper = upper_and_single_spaced(text);
  for (const Command& command : commands()) {
    std::smatch groups;
    if (!std::regex_match(upper, groups, command.pattern)) continue;
    if (auto answer = command.handler({server, client, text, groups, lock})) return answer;
  }
  return std::nullopt;
}

}  // namespace proxysql_double
