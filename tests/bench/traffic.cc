#include "tests/bench/traffic.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "tests/loopback.h"

namespace pulse::bench {

namespace {

constexpr const char* kAppUser = "app";  // and its password
constexpr const char* kStatement = "SELECT 1";
constexpr size_t kCachedBytes = 250'000;  // of one result: fits the allocator's class of 256 KiB
constexpr int kRowId = 1;

void pause_for(std::chrono::milliseconds length) { std::this_thread::sleep_for(length); }

ServerOptions options_of(const std::string& name, bool thp, uint16_t backend_port) {
  ServerOptions options;
  options.name = name;
  options.own_entry = true;
  options.backends = kBackends;
  options.backend_port = backend_port;
  options.interval_ms = static_cast<int>(kDaemonInterval.count());
  options.daemon = ", beats=\"always\"";
  options.mysql_variables = ", query_cache_size_MB=65536";
  options.query_rules =
      "{ rule_id=1, active=1, match_pattern=\" AS kept\", cache_ttl=86400000, apply=1 }, "
      "{ rule_id=2, active=1, match_pattern=\" AS brief\", cache_ttl=2000, apply=1 }";
  if (thp) options.environment = {kThpAlways};
  return options;
}

std::string kept_statement(size_t number) {
  return "SELECT " + std::to_string(number) + " AS kept, REPEAT('x', " + std::to_string(kCachedBytes) + ")";
}

Result<void> connect_many(std::vector<SqlClient>& clients, size_t count, uint16_t port, const char* user,
                          const char* password) {
  while (clients.size() < count) {
    auto client = SqlClient::connect(port, user, password);
    if (!client) return client.error();
    clients.push_back(std::move(*client));
  }
  return {};
}

// Statements of a mixed load until the deadline, the same ones in the same order for each caller.
Result<size_t> run_mixed(uint16_t port, Deadline end) {
  constexpr size_t kConnections = 100;
  constexpr unsigned kLargest = 200'000;
  std::mt19937 random(1);  // the same each time, so that both servers get the same
  const auto up_to = [&random](unsigned most) { return static_cast<size_t>(random() % most); };
  std::vector<SqlClient> clients;
  size_t count = 0;
  for (; !end.passed(); ++count) {
    const size_t at = up_to(kConnections);
    const bool is_new = at >= clients.size() || up_to(20) == 0;
    if (is_new) {
      auto client = SqlClient::connect(port, kAppUser, kAppUser);
      if (!client) return client.error();
      if (at < clients.size()) {
        clients[at] = std::move(*client);
      } else {
        clients.push_back(std::move(*client));
      }
    }
    const size_t kind = up_to(10);
    const std::string bytes = std::to_string(up_to(kind == 0 ? kLargest : 2'000));
    const std::string name = kind < 5 ? " AS brief" : "";
    const std::string statement = "SELECT " + std::to_string(count) + name + ", REPEAT('x', " + bytes + ")";
    if (auto ran = clients[std::min(at, clients.size() - 1)].run(statement); !ran) return ran.error();
  }
  return count;
}

}  // namespace

ResidentMemory resident_memory(pid_t pid) {
  constexpr double kMb = 1024;
  ResidentMemory memory;
  memory.resident_mb = static_cast<double>(status_value(pid, "VmRSS")) / kMb;
  memory.page_tables_mb = static_cast<double>(status_value(pid, "VmPTE")) / kMb;
  std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string line; std::getline(rollup, line);) {
    if (line.rfind("AnonHugePages:", 0) == 0) memory.huge_mb = std::atof(line.c_str() + 14) / kMb;
  }
  return memory;
}

TrafficProxy::TrafficProxy(const Programs& programs, const std::string& dir, bool thp, uint16_t backend_port,
                           const std::string& agent)
    : programs_(programs),
      base_(dir + (thp ? "/traffic-thp" : "/traffic")),
      agent_program_(agent),
      server_(programs, dir, options_of(thp ? "traffic-thp" : "traffic", thp, backend_port)) {}

Result<void> TrafficProxy::start() {
  if (auto up = server_.wait_until_up(); !up) return up;
  auto admin = SqlClient::connect(server_.admin_port(), kUser, kPassword);
  if (!admin) return admin.error();
  admin_ = std::make_unique<SqlClient>(std::move(*admin));
  if (auto made = this->admin("PROXYSQLTEST 1 " + std::to_string(kThousandDigests)); !made) return made;
  if (auto in = reconnect(); !in) return in;
  if (auto in = connect_many(idle_, kIdleConnections, server_.mysql_port(), kAppUser, kAppUser); !in) return in;
  std::ofstream(base_ + ".sh") << "#!/bin/bash\n/usr/bin/mysql --no-defaults -h127.0.0.1 -P" << server_.admin_port()
                               << " -u" << kUser << " -p" << kPassword
                               << " -NBe 'SELECT COUNT(*) FROM runtime_proxysql_servers' > /dev/null\n";
  ::chmod((base_ + ".sh").c_str(), 0700);
  // A core's beats load what satellites would ignore, once the daemon has listed the members: the traffic meets that
  // here, not in a round.
  if (auto began = begin({"", Starter::daemon, kDaemonInterval}); !began) return began;
  const bool loaded = eventually(
      [&] {
        return output_of(server_.mysql("SELECT version > 1 FROM runtime_checksums_values WHERE name = 'mysql_servers'",
                                       {"--batch", "--skip-column-names"})) == "1";
      },
      milliseconds(20'000));
  if (!loaded) return Error{"the beats of a core don't load its servers; see " + base_ + ".daemon.log"};
  pause_for(2 * kDaemonInterval);
  return end();
}

Result<void> TrafficProxy::reconnect() {
  clients_.clear();
  admin_clients_.clear();
  if (auto in = connect_many(clients_, kBusyConnections, server_.mysql_port(), kAppUser, kAppUser); !in) return in;
  return connect_many(admin_clients_, 2, server_.admin_port(), kUser, kPassword);
}

Result<void> TrafficProxy::fill(double resident_mb) {
  constexpr size_t kBetweenLooks = 16;
  auto client = SqlClient::connect(server_.mysql_port(), kAppUser, kAppUser);
  if (!client) return client.error();
  const size_t most = cached_ + static_cast<size_t>(2 * resident_mb * (1 << 20) / kCachedBytes);
  while (static_cast<double>(status_value(server_.pid(), "VmRSS")) / 1024 < resident_mb) {
    if (cached_ > most) return Error{"ProxySQL's query cache doesn't keep what it should; see " + server_.log()};
    for (size_t i = 0; i < kBetweenLooks; ++i) {
      if (auto ran = client->run(kept_statement(cached_++)); !ran) return ran;
    }
  }
  return {};
}

Result<void> TrafficProxy::set_row(const std::string& filename, const Argv& arguments,
                                   std::chrono::milliseconds interval) {
  std::string columns = "id, active, interval_ms, filename";
  std::string values = std::to_string(kRowId) + ", 1, " + std::to_string(interval.count()) + ", '" + filename + "'";
  for (size_t i = 0; i < arguments.size(); ++i) {
    columns += ", arg" + std::to_string(i + 1);
    values += ", '" + arguments[i] + "'";
  }
  has_row_ = true;
  if (auto put = admin("INSERT INTO scheduler (" + columns + ") VALUES (" + values + ")"); !put) return put;
  return admin("LOAD SCHEDULER TO RUNTIME");
}

Result<void> TrafficProxy::begin(const TrafficCase& beside) {
  switch (beside.starter) {
    case Starter::nobody:
      return {};
    case Starter::scheduler: {
      const Argv beat = server_.beat();
      return set_row(beat[0], {beat.begin() + 1, beat.end()}, beside.interval);
    }
    case Starter::script:
      return set_row(base_ + ".sh", {}, beside.interval);
    case Starter::daemon:
      daemon_ = std::make_unique<Daemon>(programs_, server_, base_ + ".daemon.log");
      return daemon_->wait_until_ready();
    case Starter::agent:
      agent_ =
          Child({agent_program_, "--run_mode=satellite",
                 "--proxysql.address=127.0.0.1:" + std::to_string(server_.admin_port()),
                 std::string("--proxysql.username=") + kUser, std::string("--proxysql.password=") + kPassword,
                 "--api.port=" + std::to_string(test::free_port()), "--shutdown.draining_file=" + base_ + ".draining"},
                base_ + ".agent.log");
      return {};
  }
  return {};
}

Result<void> TrafficProxy::end() {
  daemon_.reset();
  if (agent_.pid() > 0 && !agent_.running()) {
    return Error{"proxysql-agent ended; its log ends with: " + output_of({"tail", "-n", "3", base_ + ".agent.log"})};
  }
  agent_.end();
  if (!has_row_) return {};
  has_row_ = false;
  if (auto gone = admin("DELETE FROM scheduler"); !gone) return gone;
  return admin("LOAD SCHEDULER TO RUNTIME");
}

Result<TrafficRound> traffic_round(TrafficProxy& proxy, const TrafficCase& beside, std::chrono::milliseconds span) {
  constexpr std::chrono::milliseconds kSettle{400};
  if (auto began = proxy.begin(beside); !began) return began.error();
  // A row that is just loaded runs one interval later: in the middle of the round, if it comes once in it.
  pause_for(std::max(kSettle, beside.interval + milliseconds(500) - span / 2));
  TrafficRound round;
  std::thread admin(
      [&] { round.admin = sql_load(proxy.admin_clients(), kStatement, kAdminStatementsPerSecond, span); });
  round.traffic = sql_load(proxy.clients(), kStatement, kStatementsPerSecond, span);
  admin.join();
  if (auto ended = proxy.end(); !ended) return ended.error();
  if (round.traffic.failed + round.admin.failed > 0) {
    if (auto again = proxy.reconnect(); !again) return again.error();
  }
  pause_for(milliseconds(100));
  return round;
}

Result<std::vector<MixedLoad>> mixed_load(const Programs& programs, const std::string& dir, uint16_t backend_port,
                                          std::chrono::milliseconds span) {
  struct Side {
    std::unique_ptr<Server> server;
    Result<size_t> statements = size_t{0};
    std::thread thread;
  };
  const std::string environments[] = {"", kThpAlways, std::string(kThpAlways) + ",dirty_decay_ms:-1"};
  std::vector<MixedLoad> loads;
  std::vector<Side> sides;
  for (const std::string& environment : environments) {
    ServerOptions options = options_of("mixed-" + std::to_string(sides.size()), false, backend_port);
    if (!environment.empty()) options.environment = {environment};
    sides.emplace_back().server = std::make_unique<Server>(programs, dir, options);
    loads.push_back({environment, {}, 0, 0});
    if (auto up = sides.back().server->wait_until_up(); !up) return up.error();
  }
  const Deadline end = Deadline::after(span);
  for (Side& side : sides) {
    side.thread = std::thread([&side, end] { side.statements = run_mixed(side.server->mysql_port(), end); });
  }
  while (!end.passed()) {
    pause_for(milliseconds(500));
    for (size_t i = 0; i < sides.size(); ++i) {
      loads[i].memory = resident_memory(sides[i].server->pid());
      loads[i].most_huge_mb = std::max(loads[i].most_huge_mb, loads[i].memory.huge_mb);
    }
  }
  for (Side& side : sides) side.thread.join();
  for (size_t i = 0; i < sides.size(); ++i) {
    if (!sides[i].statements) return sides[i].statements.error();
    loads[i].statements = *sides[i].statements;
  }
  return loads;
}

}  // namespace pulse::bench
