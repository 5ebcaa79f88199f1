#include "tests/proxysql-double/server.h"

#include <filesystem>
#include <thread>

#include "tests/proxysql-double/generated_digests.h"
#include "tests/proxysql-double/log.h"

namespace proxysql_double {

constexpr std::chrono::milliseconds kRestartTakes{1500};

Server::Server(Options options_in, std::unique_ptr<Database> database_in)
    : options(std::move(options_in)),
      database(std::move(database_in)),
      variables(options.version, options.has_pgsql()),
      modules(*database, variables),
      mysql_port(ClientPort::Protocol::mysql, variables, faults),
      pgsql_port(ClientPort::Protocol::pgsql, variables, faults),
      cluster(*this),
      admin_port(*this) {}

pulse::Result<std::unique_ptr<Server>> Server::start(const Options& given) {
  Options options = given;
  const auto cnf = read_cnf(options.config_file);
  if (!cnf) return cnf.error();  // ProxySQL parses the file in any case, and a bad one ends it
  if (options.data_dir.empty()) options.data_dir = cnf->data_dir.empty() ? "/var/lib/proxysql" : cnf->data_dir;
  options.data_dir = std::filesystem::absolute(options.data_dir).string();
  bool new_disk = false;
  auto database = Database::open(options.data_dir, options.initial, options.has_pgsql(), &new_disk);
  if (!database) return database.error();
  auto server = std::make_unique<Server>(options, std::move(*database));
  auto result = server->load_everything(new_disk || options.reload);
  server->note_rows();
  server->journal.reset();
  if (result) result = server->open_ports();
  if (result) return server;
  // Its threads run already, and only the end of the process stops them.
  [[maybe_unused]] const Server* abandoned = server.release();
  return result.error();
}

pulse::Result<void> Server::load_everything(bool read_file) {
  const auto cnf = read_cnf(options.config_file);
  if (!cnf) return cnf.error();
  for (const Module module : {Module::admin_variables, Module::mysql_variables}) modules.runtime_to_memory(module);
  if (options.has_pgsql()) modules.runtime_to_memory(Module::pgsql_variables);
  for (const Module module : all_modules(options.has_pgsql())) {
    modules.disk_to_memory(module);
    if (!read_file) continue;
    modules.config_to_memory(module, *cnf);
    modules.memory_to_disk(module);
  }
  for (const Module module : all_modules(options.has_pgsql())) load_to_runtime(module);
  variables.freeze();
  return {};
}

pulse::Result<void> Server::open_ports() {
  if (options.mysql) {
    if (auto opened = mysql_port.start(); !opened) return opened;
  }
  if (options.has_pgsql() && options.pgsql) {
    if (auto opened = pgsql_port.start(); !opened) return opened;
  }
  return admin_port.start();
}

LoadStats Server::load_to_runtime(Module module, std::optional<int64_t> peer_epoch) {
  const LoadStats stats = modules.memory_to_runtime(module, peer_epoch);
  switch (module) {
    case Module::proxysql_servers:
      cluster.load(database->query("SELECT hostname, port, weight, comment FROM rt.proxysql_servers"));
      break;
    case Module::mysql_users:
      mysql_port.load_users(database->query("SELECT username, password FROM rt.mysql_users WHERE frontend=1"));
      break;
    case Module::pgsql_users:
      pgsql_port.load_users(database->query("SELECT username, password FROM rt.pgsql_users WHERE frontend=1"));
      break;
    case Module::scheduler:
      scheduler.load(database->query("SELECT * FROM rt.scheduler ORDER BY id"));
      break;
    default:
      break;
  }
  note_rows();
  return stats;
}

void Server::note_rows() {
  for (const char* table : {"main.proxysql_servers", "rt.proxysql_servers", "rt.mysql_servers", "rt.mysql_users"}) {
    journal.saw_rows(table, database->count(std::string("SELECT count(*) FROM ") + table));
  }
}

void Server::restart() {
  std::thread([this] {
    log_info("Starting shutdown...");
    admin_port.close();
    mysql_port.stop();
    pgsql_port.stop();
    std::this_thread::sleep_for(kRestartTakes);
    const std::lock_guard lock(statement_mutex);
    modules.forget_all(options.has_pgsql());
    if (auto loaded = load_everything(false); !loaded) log_error(loaded.error().text);
    if (auto opened = open_ports(); !opened) {
      log_error(opened.error().text);
      std::_Exit(1);
    }
  }).detach();
}

std::chrono::seconds Server::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
}

ResultSet Server::digests(bool reset) {
  ResultSet set{{"hostgroup", "schemaname", "username", "client_address", "digest", "digest_text", "count_star",
                 "first_seen", "last_seen", "sum_time", "min_time", "max_time", "sum_rows_affected", "sum_rows_sent"},
                mysql_port.digests(reset)};
  const uint64_t count = reset ? generated_digests_.exchange(0) : generated_digests_.load();
  set.more = [count, i = uint64_t{0}](Row& row) mutable {
    if (i == count) return false;
    generate_digest(i++, row);
    return true;
  };
  return set;
}

}  // namespace proxysql_double
