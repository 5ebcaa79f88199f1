#include "tests/fault/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "shm/segment/segment.h"
#include "src/base/exit_code.h"

namespace pulse::test {

namespace {

// A short interval, for back-off is a multiple of it; time enough for whoever isn't meant to be late.
const std::string kTimes = "interval_ms=100, timeout_ms=2000, ";

std::string expect_equal(const std::string& what, const std::string& expected, const std::string& actual) {
  return expected == actual ? "" : what + " is \"" + actual + "\" and not \"" + expected + "\"\n";
}

std::string servers_are(Server& server, const std::string& ports) {
  return expect_equal("proxysql_servers", ports, server.column("SELECT port FROM proxysql_servers ORDER BY port")) +
         expect_equal("at runtime", ports, server.column("SELECT port FROM runtime_proxysql_servers ORDER BY port"));
}

// A satellite whose file names one core, and whose list of members another: what it has to put back comes from both.

Server::Options satellite() {
  Server::Options options;
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=1 },";
  options.pulse = kTimes + "satellite={ peer_timeout_ms=1000 }, discovery={ members=( \"127.0.0.1:2\" ) }, ";
  return options;
}

void empty_the_table(Server& server) {
  server.query("DELETE FROM proxysql_servers");
  server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
}

// The same without a list: a satellite then goes by what answers and what doesn't.
Server::Options satellite_without_list() {
  Server::Options options;
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=1 }, { hostname=\"127.0.0.1\", port=2 },";
  options.pulse = kTimes + "satellite={ peer_timeout_ms=1000 }, discovery={ source=\"none\" }, ";
  return options;
}

// Rows of cores that nobody answers for, and beats that know them to be dead.
void only_dead_cores(Server& server) {
  server.query("DELETE FROM proxysql_servers");
  for (const char* port : {"8", "9"}) {
    server.query("INSERT INTO proxysql_servers (hostname, port, weight, comment) VALUES ('127.0.0.1', " +
                 std::string(port) + ", 0, '')");
  }
  server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  EXPECT_EQ(kExitOk, server.beat().exit_code);  // sees them for the first time

  std::this_thread::sleep_for(milliseconds(1000));  // the peer timeout
  const auto plan = [&] { return server.run({"beat", "--dry-run"}).output; };
  // Only what beats have watched counts as silence, an interval at most for each. After one, a dry run and the beat
  // behind it count the same.
  EXPECT_TRUE(eventually([&] {
    std::this_thread::sleep_for(milliseconds(100));
    if (plan().find("would run: DELETE") != std::string::npos) return true;
    EXPECT_EQ(kExitOk, server.beat().exit_code);
    return false;
  })) << plan();
}

std::string satellite_wrong(Server& server) { return servers_are(server, "1,2"); }

// A core whose file is the authority after each start, and that is its own only member.

Server::Options core_of(const std::string& more) {
  Server::Options options;
  options.role = "core";
  options.pulse = kTimes + "core={ authority=\"always\", apply=\"on_boot\" " + more +
                  " }, discovery={ members=( \"127.0.0.1\" ) }, ";
  return options;
}

Server::Options core() { return core_of(""); }

// Servers are loaded in the same way as users.
Server::Options core_of_users_and_variables() { return core_of(", modules=[\"mysql_users\", \"mysql_variables\"]"); }

// Somebody else's rows are at runtime, and the beats remember nothing of this boot.
void overrun_by_an_old_configuration(Server& server) {
  for (const char* statement :
       {"DELETE FROM mysql_users", "INSERT INTO mysql_users (username, password) VALUES ('old', 'old')",
        "LOAD MYSQL USERS TO RUNTIME", "SET mysql-monitor_enabled='true'", "LOAD MYSQL VARIABLES TO RUNTIME",
        "DELETE FROM proxysql_servers", "INSERT INTO proxysql_servers (hostname, port) VALUES ('127.0.0.1', 9)",
        "LOAD PROXYSQL SERVERS TO RUNTIME"}) {
    server.query(statement);
  }
  SegmentOptions options;
  options.path = server.state();
  options.create = false;
  auto segment = Segment::open(options);
  ASSERT_TRUE(segment) << segment.error().text;
  segment->layout().core.publish(CoreRecord{});
  // A module isn't loaded twice within one second: what was loaded just now may be loaded again in the next one.
  const auto now = std::chrono::system_clock::now();
  std::this_thread::sleep_until(std::chrono::ceil<seconds>(now));
}

void overrun_with_other_servers(Server& server) {
  for (const char* statement : {"DELETE FROM mysql_servers",
                                "INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '127.0.0.1', 9)",
                                "LOAD MYSQL SERVERS TO RUNTIME"}) {
    server.query(statement);
  }
  overrun_by_an_old_configuration(server);
}

std::string core_wrong(Server& server) {
  std::string wrong = servers_are(server, std::to_string(server.admin_port()));
  for (const std::string layer : {"", "runtime_"}) {
    wrong += expect_equal(layer + "mysql_users", "app",
                          server.column("SELECT DISTINCT username FROM " + layer + "mysql_users"));
    wrong +=
        expect_equal(layer + "mysql_servers", "3306", server.column("SELECT port FROM " + layer + "mysql_servers"));
  }
  wrong += expect_equal("monitor_enabled", "false",
                        server.value("SELECT variable_value FROM runtime_global_variables WHERE variable_name = "
                                     "'mysql-monitor_enabled'"));
  return wrong + expect_equal("core.waiting", "false", server.status()["authority"]["waiting"].dump());
}

std::string resync_wrong(Server& server) {
  return satellite_wrong(server) + expect_equal("resync_pending", "false", server.status()["resync_pending"].dump());
}

}  // namespace

const std::vector<Program>& programs() {
  static const std::vector<Program> table = {
      {.name = "SatelliteBeat",
       .runs = {{"beat"}},
       .proxysql = satellite,
       .spoil = empty_the_table,
       .wrong = satellite_wrong,
       .way_round = "FROM CONFIG"},
      {.name = "SatelliteBeatOfDeadCores",
       .runs = {{"beat"}},
       .proxysql = satellite_without_list,
       .spoil = only_dead_cores,
       .wrong = satellite_wrong,
       .in_matrix = false,
       .crashes = true},
      {.name = "CoreBeat",
       .runs = {{"beat"}},
       .proxysql = core_of_users_and_variables,
       .spoil = overrun_by_an_old_configuration,
       .wrong = core_wrong},
      {.name = "CoreBeatOfAllModules",
       .runs = {{"beat"}},
       .proxysql = core,
       .spoil = overrun_with_other_servers,
       .wrong = core_wrong,
       .in_matrix = false,
       .crashes = true},
      {.name = "DryRun",
       .runs = {{"beat", "--dry-run"}},
       .proxysql = satellite,
       .spoil = empty_the_table,
       .wrong = satellite_wrong,
       .records = false},
      {.name = "Commands",
       .runs = {{"status"},
                {"status", "--json"},
                {"check-config"},
                {"maintenance", "on"},
                {"maintenance", "off"},
                {"resync"}},
       .proxysql = satellite,
       .spoil = empty_the_table,
       .wrong = resync_wrong,
       .talks = false,
       .records = false,
       .takes_out_of_service = true},
  };
  return table;
}

World::World(const Program& program) : program_(program), server_(program.proxysql()), daemon_(server_) {
  EXPECT_TRUE(eventually([&] {
    return server_.beat().exit_code == kExitOk && daemon_.get("/healthz/ready").status == 200 &&
           (server_.status()["discovery"]["source"] == "none" || !server_.status()["discovery"]["ok_age_ms"].is_null());
  })) << daemon_.process().output();
  EXPECT_TRUE(converges());
}

std::string last_statement(Server& server) { return server.control("stats")["last_statement"].dump(); }

std::vector<std::string> statements_since(Server& server, const std::string& number) {
  std::vector<std::string> found;
  const nlohmann::json journal = server.control("statements " + number);
  for (const nlohmann::json& entry : journal["statements"]) {
    if (entry["user"] == "admin") found.push_back(entry["text"]);
  }
  return found;
}

std::vector<std::string> World::rehearse() {
  program_.spoil(server_);
  const std::string before = last_statement();
  for (const std::vector<std::string>& arguments : program_.runs) {
    const Ran ran = server_.run(arguments);
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  }
  std::vector<std::string> sent = statements_since(before);
  EXPECT_TRUE(converges());
  return sent;
}

::testing::AssertionResult World::converges() {
  std::string wrong;
  const bool quiet = eventually(
      [&] {
        std::this_thread::sleep_for(milliseconds(20));  // nearer to life, and to what else runs on this machine
        const Ran ran = server_.beat();
        if (ran.exit_code != kExitOk) {
          wrong = ran.output;
          return false;
        }
        wrong = program_.wrong(server_);
        return wrong.empty() && server_.status()["history"][0]["writes"] == 0;
      },
      seconds(20));
  if (quiet) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << wrong << server_.status().dump(1);
}

void in_worlds(const Program& program, size_t count, const std::function<bool(World& world, size_t index)>& run) {
  constexpr size_t kWorlds = 3;
  const size_t worlds = std::min(kWorlds, (count + 1) / 2);
  std::vector<std::thread> threads;
  for (size_t first = 0; first < worlds; ++first) {
    threads.emplace_back([&, first] {
      World world(program);
      for (size_t i = first; i < count && run(world, i); i += worlds) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::string statement_fault(const std::string& phase_and_kind, const std::vector<std::string>& statements,
                            size_t number) {
  return "fault " + phase_and_kind + " nth=" + std::to_string(number) + " match=\"" +
         statements[number - 1].substr(0, 40) + "\"";
}

size_t descriptors_of(pid_t pid) {
  size_t count = 0;
  std::error_code gone;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
    ++count;
  }
  return count;
}

}  // namespace pulse::test
