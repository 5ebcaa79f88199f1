// A program killed before and after each statement that it sends, by a rehearsal's journal. No table is ever empty, no
// death counts as a timeout, and the next beats bring about what the dead one was to.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <thread>

#include "scheduler/admin/admin_client.h"
#include "src/base/exit_code.h"
#include "tests/fault/program.h"

namespace pulse::test {
namespace {

enum class Side { before, after };

struct Killed {
  const Program* program;
  Side side;
};
std::string name_of(const Killed& each) {
  return std::string(each.program->name) + (each.side == Side::before ? "_Before" : "_After");
}
void PrintTo(const Killed& each, std::ostream* out) { *out << name_of(each); }

std::vector<Killed> killed() {
  std::vector<Killed> all;
  for (const Program& program : programs()) {
    if (!program.crashes) continue;
    for (const Side side : {Side::before, Side::after}) all.push_back({&program, side});
  }
  return all;
}

class Crash : public ::testing::TestWithParam<Killed> {
 protected:
  static void no_table_was_empty(Server& server) {
    const nlohmann::json fewest = server.control("stats")["min_rows"];
    for (const auto& [table, rows] : fewest.items()) EXPECT_GE(rows, 1) << table;
  }

  // Whether all is well again in the end.
  static bool kill_at(World& world, const std::vector<std::string>& statements, size_t number, Side side) {
    Server& server = world.server();
    const int connections = world.connections();
    world.program().spoil(server);
    server.control("reset_stats");
    const nlohmann::json counters = server.status()["counters"];
    // Held back until the program is dead: the statement itself, or the answer to it.
    server.control(statement_fault(side == Side::before ? "query silence" : "query slow", statements, number));
    const std::string since = world.last_statement();
    {
      std::vector<std::string> arguments = world.program().runs.front();
      arguments.push_back("--timeout-ms=20000");
      Process process(server.pulse(arguments), server.dir(), {{}, "killed", {}});
      EXPECT_TRUE(eventually([&] { return world.statements_since(since).size() >= number; }));
      process.signal(SIGKILL);
      EXPECT_EQ(-SIGKILL, process.wait());
    }
    server.control("clear");
    EXPECT_TRUE(eventually([&] { return world.connections() <= connections; }));
    no_table_was_empty(server);
    const ::testing::AssertionResult converged = world.converges();
    EXPECT_TRUE(converged);
    no_table_was_empty(server);

    const nlohmann::json after = server.status()["counters"];
    EXPECT_EQ(after["started"], after["ok"].get<int>() + after["failed"].get<int>() + after["timed_out"].get<int>());
    EXPECT_EQ(counters["failed"].get<int>() + 1, after["failed"]) << "the death, and nothing else";
    EXPECT_EQ(counters["timed_out"], after["timed_out"]);
    return converged;
  }
};

TEST_P(Crash, AtEachStatementTheNextBeatsConverge) {
  if (is_real()) GTEST_SKIP() << "needs the double to hold a statement up";
  const Program* const program = GetParam().program;
  const Side side = GetParam().side;
  const std::vector<std::string> statements = World(*program).rehearse();
  ASSERT_GE(statements.size(), 5u) << "the situation is to take several";
  RecordProperty("statements", static_cast<int>(statements.size()));
  in_worlds(*program, statements.size(), [&](World& world, size_t i) {
    SCOPED_TRACE("statement " + std::to_string(i + 1) + ": " + statements[i]);
    return kill_at(world, statements, i + 1, side);
  });
}

INSTANTIATE_TEST_SUITE_P(Each, Crash, ::testing::ValuesIn(killed()),
                         [](const auto& each) { return name_of(each.param); });

// A drain killed before and after each of its statements, one of each kind: the next beats undo it, and if ProxySQL was
// stopped by it, the next one is in service.
class DrainCrash : public ::testing::TestWithParam<Side> {
 protected:
  // PAUSE is for a client that stays.
  class Stage {
   public:
    Stage() : server_(options()), daemon_(server_) {
      EXPECT_TRUE(in_service());
      client_ =
          AdminClient::connect({"127.0.0.1", server_.mysql_port(), "app", "app", false}, Deadline::after(kPatience));
      EXPECT_TRUE(client_) << client_.error().text;
      EXPECT_TRUE(still_served("BEGIN"));
    }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    ~Stage() {
      if (client_) client_->close(Deadline::after(kPatience));
    }

    Server& server() { return server_; }
    bool in_service() {
      return eventually(
          [&] { return server_.beat().exit_code == kExitOk && daemon_.get("/healthz/ready").status == 200; });
    }
    bool still_served(const std::string& statement) {
      return client_ && client_->query(statement, Deadline::after(kPatience));
    }
    std::string variable(const std::string& name) {
      return server_.value("SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-" + name +
                           "'");
    }

   private:
    static Server::Options options() {
      Server::Options options;
      options.pulse =
          "interval_ms=500, timeout_ms=400, drain={ settle_ms=500, timeout_ms=7000, steps=[\"200:500\", \"0\"] }, ";
      return options;
    }

    Server server_;
    Daemon daemon_;
    Result<AdminClient> client_ = Error{"not connected"};
  };

  // The beginning of each, so that kinds of looks are one.
  static std::vector<std::string> rehearse() {
    Stage stage;
    const std::string before = last_statement(stage.server());
    const Ran ran = stage.server().run({"drain", "--no-shutdown"});
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    std::vector<std::string> kinds;
    std::vector<std::string> sent = statements_since(stage.server(), before);
    sent.emplace_back("PROXYSQL SHUTDOWN");
    for (const std::string& statement : sent) {
      const std::string kind = statement.substr(0, statement.rfind("SELECT", 0) == 0 ? 40 : std::string::npos);
      if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    }
    return kinds;
  }

  static void kill_at(const std::string& statement, Side side) {
    SCOPED_TRACE(statement);
    Stage stage;
    Server& server = stage.server();
    const std::string poll_timeout = stage.variable("poll_timeout");
    server.control(std::string("fault query ") + (side == Side::before ? "silence" : "slow") + " match=\"" + statement +
                   "\"");
    const std::string since = last_statement(server);
    const bool stops = side == Side::after && statement == "PROXYSQL SHUTDOWN";
    {
      Process drain(server.pulse({"drain"}), server.dir(), {{}, "killed", {}});
      if (stops) {
        EXPECT_EQ(0, server.process().wait());
      } else {
        EXPECT_TRUE(eventually([&] {
          const std::vector<std::string> sent = statements_since(server, since);
          return std::any_of(sent.begin(), sent.end(),
                             [&](const std::string& each) { return each.rfind(statement, 0) == 0; });
        })) << drain.output();
      }
      drain.signal(SIGKILL);
      EXPECT_TRUE(drain.wait());
    }
    if (stops) {
      server.start();
    } else {
      server.control("clear");
    }
    EXPECT_TRUE(stage.in_service()) << server.log();
    EXPECT_EQ("28800000", stage.variable("wait_timeout"));
    EXPECT_EQ(poll_timeout, stage.variable("poll_timeout"));
    EXPECT_TRUE(connect_loopback(server.mysql_port()));
    if (!stops) {
      EXPECT_TRUE(server.process().running());
      EXPECT_TRUE(stage.still_served("SELECT 1"));
    }
    EXPECT_TRUE(server.processes("drain").empty());
  }
};

TEST_P(DrainCrash, AtEachStatementBeatsUndoIt) {
  if (is_real()) GTEST_SKIP() << "needs the double to hold a statement up";
  const std::vector<std::string> statements = rehearse();
  ASSERT_GE(statements.size(), 8u) << "two looks, two timeouts twice, a load, PAUSE and SHUTDOWN";
  constexpr size_t kAtOnce = 4;
  std::vector<std::thread> threads;
  for (size_t first = 0; first < kAtOnce; ++first) {
    threads.emplace_back([&, first] {
      for (size_t i = first; i < statements.size(); i += kAtOnce) kill_at(statements[i], GetParam());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Each, DrainCrash, ::testing::Values(Side::before, Side::after),
                         [](const auto& each) { return each.param == Side::before ? "Before" : "After"; });

}  // namespace
}  // namespace pulse::test
