// A program killed before and after each statement that it sends, by a rehearsal's journal. No table is ever empty, no
// death counts as a timeout, and the next beats bring about what the dead one was to.
#include <gtest/gtest.h>
#include <signal.h>

#include "src/heartbeat.h"
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

}  // namespace
}  // namespace pulse::test
