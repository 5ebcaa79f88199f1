// Discovery that is broken, files that are, statements that are refused and beats that die: what ProxySQL has at
// runtime stays, and the next beat goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "src/base/exit_code.h"
#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// Every way in which the API double can be broken; each lasts for PULSE_FAULT_S seconds (2).
TEST(ClusterFault, BrokenDiscoveryRemovesNobody) {
  const char* given = std::getenv("PULSE_FAULT_S");
  const seconds span(given != nullptr ? std::max(2, std::atoi(given)) : 2);
  Cluster::Options options;
  options.discovery = "watch_ms=1000, max_age_ms=3000,";
  Cluster cluster(options);
  const Contents contents = cluster.contents();
  for (int i = 0; i < 3; ++i) cluster.add_core("core-" + std::to_string(i), contents, 600 - i);
  cluster.add_satellite("satellite-0");
  cluster.settle(contents);
  const std::set<std::string> table = cluster.core_addresses();
  std::map<std::string, int64_t> writes;
  for (Node& node : cluster.nodes()) writes[node.name()] = node.writes();
  const auto expect_nothing_done = [&](const std::string& when) {
    for (Node& node : cluster.nodes()) {
      if (writes.count(node.name()) == 0) continue;
      EXPECT_EQ(table, node.table()) << when << ": " << node.name();
      EXPECT_EQ(table, node.table_in_memory()) << when << ": " << node.name();
      EXPECT_EQ(writes[node.name()], node.writes()) << when << ": " << node.name();
    }
  };

  // What is wrong, and since when.
  const auto broken = [&](const Node& node) {
    const nlohmann::json discovery = node.status()["discovery"];
    return discovery["failing_for_ms"].is_number() && discovery["failing_for_ms"] > 2000 && discovery["error"] != "" &&
           discovery["ok_age_ms"] > 3000;
  };
  const int64_t began_ns = monotonic_ns();
  for (const char* fault : {"401", "410", "429 for=any 1", "500", "503", "html", "reset", "slow", "truncated",
                            "malformed", "hang-watch-silent", "wrong-certificate", "expired-certificate", "wrong-name",
                            "noaccept", "refuse", "403", "empty", "hang"}) {
    cluster.api().clear();
    cluster.api().fault(fault);
    // Nobody goes on from where they were, and some faults are of new connections.
    if (std::string(fault) != "reset") cluster.api().fault("reset times=8");
    cluster.api().control("compact");
    const Deadline over = Deadline::after(span);
    while (!over.passed()) {
      std::this_thread::sleep_for(std::min<nanoseconds>(over.left(), seconds(1)));
      expect_nothing_done(fault);
    }
    for (Node& node : cluster.nodes()) {
      EXPECT_TRUE(eventually([&] { return broken(node); })) << fault << ": " << node.status()["discovery"];
    }
    print_figure(std::string(fault) + ": " + cluster.nodes().front().status()["discovery"].dump());
  }
  // A core dies and another one comes meanwhile.
  cluster.remove(*cluster.cores().front());
  cluster.add_core("core-3", contents);
  cluster.pass_beats(4);
  expect_nothing_done("a core died");
  EXPECT_THAT(cluster.satellites().front()->server().run({"beat", "--dry-run"}).output, Not(HasSubstr("would run")));
  print_figure("broken for " + std::to_string((monotonic_ns() - began_ns) / 1'000'000) + " ms");

  cluster.api().clear();
  const int64_t mended_ns = monotonic_ns();
  // The back-off has grown to 15 s by now, and a request that still hangs has its time.
  const std::set<std::string> expected = cluster.core_addresses();
  for (const Node& node : cluster.nodes()) {
    EXPECT_TRUE(eventually([&] { return node.discovered_cores() == expected; }, seconds(60))) << node.status();
    print_figure(node.name() + " knew the members again after " +
                 std::to_string((monotonic_ns() - mended_ns) / 1'000'000) + " ms");
  }
  print_figure("after discovery was mended: " + show(cluster.wait_until_right("discovery was mended")));
  for (Node& node : cluster.nodes()) {
    EXPECT_TRUE(eventually([&] { return node.status()["discovery"]["failing_for_ms"].is_null(); })) << node.name();
  }
}

// A core whose ProxySQL runs the old configuration, and whose file holds the new one: the next beat is to load it, and
// to make proxysql_servers right.
class FaultStage {
  inline static const std::set<std::string> kCores = {"127.0.0.1", "127.0.0.2"};

 public:
  FaultStage() : FaultStage(Deployments({{{"192.0.2.9:3306", 1}}, {{"app", 0}}, {}})) {}
  explicit FaultStage(const Deployments& deployments)
      : deployments_(deployments), node_("core", options(deployments.before), {"--listen=127.0.0.1"}) {
    EXPECT_TRUE(eventually([&] { return server().beat().exit_code == kExitOk && in_order(deployments_.before); }))
        << server().status().dump(1);
    node_.kill();
    rewrite(deployments_.after);
    node_.start();
    wait_until_due();
    EXPECT_EQ(deployments_.before.rows(), node_.rows());
  }

  Server& server() { return node_.server(); }
  Node& node() { return node_; }
  const Deployments& deployments() const { return deployments_; }
  void rewrite(const Contents& contents) {
    server().rewrite([&](Server::Options& options) { write_modules(contents, options); });
  }
  // At runtime, each module is wholly as before or wholly as in the file, and there is a core.
  std::string damage() {
    const std::string broken = damage(node_.rows());
    return broken.empty() && node_.table().empty() ? "proxysql_servers is empty" : broken;
  }
  std::string damage_in_memory() { return damage(node_.rows("")); }
  std::string damage(const std::set<std::string>& rows) const {
    for (const char* module : {"server", "user", "rule"}) {
      const auto part = [&](const std::set<std::string>& all) {
        std::set<std::string> found;
        for (const std::string& row : all) {
          if (row.rfind(module, 0) == 0) found.insert(row);
        }
        return found;
      };
      if (part(rows) != part(deployments_.before.rows()) && part(rows) != part(deployments_.after.rows())) {
        return std::string(module) + " rows: " + ::testing::PrintToString(part(rows));
      }
    }
    return "";
  }
  bool in_order(const Contents& contents) { return node_.table() == kCores && node_.rows() == contents.rows(); }
  // What was loaded in this second isn't loaded again before the next.
  void wait_until_due() {
    std::vector<std::string> due = {"MYSQL SERVERS", "MYSQL USERS", "MYSQL QUERY RULES", "MYSQL VARIABLES"};
    if (node_.table() != kCores) due.push_back("PROXYSQL SERVERS");
    std::string output;
    EXPECT_TRUE(eventually([&] {
      output = server().run({"beat", "--dry-run"}).output;
      return std::all_of(due.begin(), due.end(), [&](const std::string& module) {
        return output.find("would run: LOAD " + module + " TO RUNTIME") != std::string::npos;
      });
    })) << output;
  }
  // Once the file is loaded: back to the other contents, by a core that knows nothing of what it did.
  void turn_round() {
    std::swap(deployments_.before, deployments_.after);
    rewrite(deployments_.after);
    std::filesystem::remove(server().state());
    wait_until_due();
  }
  // The next beats go on to the end.
  void expect_mended() {
    EXPECT_TRUE(eventually([&] { return server().beat().exit_code == kExitOk && in_order(deployments_.after); }))
        << server().status().dump(1) << ::testing::PrintToString(node_.rows());
  }

 private:
  static Server::Options options(const Contents& contents) {
    Server::Options options;
    options.role = "core";
    options.admin_port = free_port();
    const std::string port = std::to_string(options.admin_port);
    options.bootstrap = "{ hostname=\"localhost\", port=" + port + " },";
    options.pulse =
        "interval_ms=1000, timeout_ms=5000, core={ authority=\"always\", apply=\"on_boot\" }, discovery={ "
        "source=\"static\", "
        "members=[\"127.0.0.1\", \"127.0.0.2\"] }, ";
    write_modules(contents, options);
    return options;
  }

  Deployments deployments_;
  Node node_;
};

// Statements of the beats, as the double numbers them in each session.
size_t statements_of_beats(Server& server, const std::string& since) {
  size_t count = 0;
  const nlohmann::json journal = server.control("statements " + since);
  for (const auto& statement : journal["statements"]) count += statement["user"] == "admin" ? 1 : 0;
  return count;
}

std::string last_statement(Server& server) { return server.control("stats")["last_statement"].dump(); }

// Calls `work` with each number from 1 to the statements that a beat on a FaultStage has, some at a time. Another beat
// may have one less: whether it looks at everything at once hangs on the time.
void with_each_statement(const std::function<void(FaultStage&, int)>& work) {
  size_t statements = 0;
  {
    FaultStage stage;
    const std::string since = last_statement(stage.server());
    EXPECT_EQ(kExitOk, stage.server().beat().exit_code);
    statements = statements_of_beats(stage.server(), since);
  }
  print_figure(std::to_string(statements) + " statements of one beat");
  EXPECT_GT(statements, 20U);
  std::atomic<int> next{1};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int number = next++; number <= static_cast<int>(statements); number = next++) {
        SCOPED_TRACE("statement " + std::to_string(number));
        FaultStage stage;
        work(stage, number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ClusterFault, AnyStatementOfAStampMayBeRefused) {
  if (is_real()) GTEST_SKIP() << "needs the double to refuse a statement";
  with_each_statement([](FaultStage& stage, int number) {
    const std::string since = last_statement(stage.server());
    stage.server().control("fault query error nth=" + std::to_string(number));
    const Ran ran = stage.server().beat();
    stage.server().control("clear");
    EXPECT_EQ(statements_of_beats(stage.server(), since) < static_cast<size_t>(number) ? kExitOk : kExitStatement,
              ran.exit_code)
        << ran.output;
    EXPECT_EQ("", stage.damage()) << ran.output;
    EXPECT_EQ("", stage.damage_in_memory()) << ran.output;
    stage.expect_mended();
  });
}

TEST(ClusterFault, ABeatMayDieBeforeAnyStatementOfAStamp) {
  if (is_real()) GTEST_SKIP() << "needs the double to hold a statement up";
  with_each_statement([](FaultStage& stage, int number) {
    const std::string since = last_statement(stage.server());
    stage.server().control("fault query silence nth=" + std::to_string(number));
    {
      Process beat(stage.server().pulse({"beat"}), stage.server().dir(), {{}, "killed", {}});
      EXPECT_TRUE(eventually([&] {
        return statements_of_beats(stage.server(), since) >= static_cast<size_t>(number) || !beat.running();
      })) << beat.output();
    }  // SIGKILL, if it still runs
    stage.server().control("clear");
    EXPECT_EQ("", stage.damage());
    stage.expect_mended();
  });
}

TEST(ClusterFault, BeatsThatDieAtRandomInstantsLoseNothing) {
  std::mt19937 random(4711);
  FaultStage stage;
  int loaded = 0;
  for (int i = 0; i < 40; ++i) {
    const auto span = std::max<int64_t>(5, stage.server().run({"beat", "--dry-run"}).took.count() * 3);
    std::uniform_int_distribution<int64_t> instant(0, 1000 * span);
    Process beat(stage.server().pulse({"beat"}), stage.server().dir(), {{}, "killed", {}});
    std::this_thread::sleep_for(std::chrono::microseconds(instant(random)));
    beat.signal(SIGKILL);
    beat.wait();
    ASSERT_EQ("", stage.damage()) << beat.output();
    if (!stage.in_order(stage.deployments().after)) continue;
    ++loaded;
    stage.turn_round();
  }
  print_figure("40 beats killed, " + std::to_string(loaded) + " of them after their last load");
  stage.expect_mended();
}

TEST(ClusterFault, AFileThatCantBeParsedChangesNothing) {
  FaultStage stage;
  Server& server = stage.server();
  const auto rows = stage.node().rows();
  const auto memory = [&] { return server.column("SELECT username FROM mysql_users ORDER BY username"); };
  const std::string users = memory();
  // Neither can: the beat doesn't begin.
  std::filesystem::copy_file(server.config(), server.dir() / "good.cnf");
  std::ofstream(server.config()) << "mysql_servers=( { address=\"half";
  Ran ran = server.beat();
  EXPECT_EQ(kExitConfig, ran.exit_code) << ran.output;
  // ProxySQL can't, although Pulse's own file is good: its first statement finds out, nothing was taken away yet.
  ran = run_to_end({binary("proxysql-pulse"), "beat", "--config=" + (server.dir() / "good.cnf")}, server.dir());
  EXPECT_EQ(kExitStatement, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("config file"));
  EXPECT_EQ(rows, stage.node().rows());
  EXPECT_EQ(users, memory());
  stage.rewrite(stage.deployments().after);
  stage.expect_mended();
}

TEST(ClusterFault, AModuleThatTheFileLacksStays) {
  for (const char* group : {"", " "}) {  // no group, and one without rows
    SCOPED_TRACE(*group == '\0' ? "absent" : "empty");
    FaultStage stage;
    Contents expected = stage.deployments().after;
    expected.rules = stage.deployments().before.rules;
    stage.server().rewrite([&](Server::Options& options) { options.query_rules = group; });
    EXPECT_TRUE(eventually([&] { return stage.server().beat().exit_code == kExitOk && stage.in_order(expected); }))
        << ::testing::PrintToString(stage.node().rows());
    EXPECT_EQ("3", stage.server().value("SELECT COUNT(*) FROM mysql_query_rules")) << "in memory too";
  }
}

TEST(ClusterFault, WhatSomebodyLoadsOnTheAuthorityStays) {
  FaultStage stage;
  stage.expect_mended();
  Contents expected = stage.deployments().after;
  expected.users["somebodys"] = 7;
  stage.server().query("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('somebodys', 'x', 7)");
  std::this_thread::sleep_for(seconds(1));  // its epoch is later than the stamp's
  stage.server().query("LOAD MYSQL USERS TO RUNTIME");
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(milliseconds(600));
    EXPECT_EQ("", stage.server().beat().output);
  }
  EXPECT_TRUE(stage.in_order(expected)) << ::testing::PrintToString(stage.node().rows());
}

}  // namespace
}  // namespace pulse::test
