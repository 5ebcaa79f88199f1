// Every fault of the double at every phase: the beat ends by its deadline, with the right exit code and phase.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/heartbeat.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

constexpr milliseconds kTimeout{300};
constexpr milliseconds kSlack{250};  // machines are shared

struct FaultCase {
  const char* name;
  const char* fault;            // the double's control line, without "fault"
  std::vector<int> exit_codes;  // any of these
  const char* phase;
};

void PrintTo(const FaultCase& each, std::ostream* out) { *out << each.name; }

class FaultTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(FaultTest, TheBeatEndsInTimeAndSaysWhere) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  Server::Options options;
  options.pulse = "interval_ms=500, timeout_ms=" + std::to_string(kTimeout.count()) + ", ";
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=1 },";
  Server server(options);
  // An emptied table: there is something to do, so that the beat comes to its last phase.
  server.query("DELETE FROM proxysql_servers");
  server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  server.control("fault " + std::string(GetParam().fault));

  const Ran ran = server.beat();
  EXPECT_THAT(GetParam().exit_codes, ::testing::Contains(ran.exit_code)) << ran.output;
  EXPECT_LE(ran.took, kTimeout + kSlack);
  EXPECT_EQ(ran.output.find("[error]"), ran.output.rfind("[error]")) << "one line says it: " << ran.output;
  // A beat that its hard timer ended writes nothing any more; the next one says it.
  const bool said = ran.output.find("[error]") != std::string::npos;
  EXPECT_TRUE(said || ran.exit_code == kExitTimeout) << ran.output;
  EXPECT_TRUE(server.beats().empty());
  const nlohmann::json heartbeat = server.status()["heartbeat"];
  EXPECT_EQ(GetParam().phase, heartbeat["phase"]);
  EXPECT_EQ(ran.exit_code == kExitTimeout ? "timed_out" : "failed", heartbeat["outcome"]);
  EXPECT_EQ(ran.exit_code == kExitTimeout ? 1 : 0, heartbeat["consecutive_timeouts"]);

  server.control("clear");
  EXPECT_TRUE(eventually([&] { return server.control("stats")["admin_connections_now"] == 0; }))
      << "nothing is left open";
  EXPECT_TRUE(eventually(
      [&] {
        return server.beat().exit_code == kExitOk &&
               server.column("SELECT hostname FROM runtime_proxysql_servers") == "127.0.0.1";
      },
      seconds(10)))
      << "and the next ones work";
}

constexpr int kRefused = kExitUnavailable;
constexpr int kStatement = kExitStatement;
constexpr int kLate = kExitTimeout;

INSTANTIATE_TEST_SUITE_P(
    Matrix, FaultTest,
    ::testing::Values(FaultCase{"AcceptNot", "accept noaccept", {kLate}, "connect"},
                      FaultCase{"AcceptSilence", "accept silence", {kLate}, "connect"},
                      FaultCase{"AcceptReset", "accept reset", {kRefused}, "connect"},
                      FaultCase{"GreetingSilence", "greeting silence", {kLate}, "connect"},
                      FaultCase{"GreetingSlow", "greeting slow", {kLate}, "connect"},
                      FaultCase{"GreetingReset", "greeting reset", {kRefused}, "connect"},
                      FaultCase{"GreetingGarbage", "greeting garbage", {kRefused, kLate}, "connect"},
                      FaultCase{"GreetingTruncated", "greeting truncated", {kRefused}, "connect"},
                      FaultCase{"GreetingError", "greeting error", {kRefused}, "connect"},
                      FaultCase{"LoginSilence", "login silence", {kLate}, "connect"},
                      FaultCase{"LoginSlow", "login slow", {kLate}, "connect"},
                      FaultCase{"LoginReset", "login reset", {kRefused}, "connect"},
                      FaultCase{"LoginGarbage", "login garbage", {kRefused, kLate}, "connect"},
                      FaultCase{"LoginTruncated", "login truncated", {kRefused}, "connect"},
                      FaultCase{"LoginError", "login error", {kRefused}, "connect"},
                      FaultCase{"QuerySilence", "query silence", {kLate}, "observe"},
                      FaultCase{"QuerySlow", "query slow", {kLate}, "observe"},
                      FaultCase{"QueryReset", "query reset", {kRefused}, "observe"},
                      FaultCase{"QueryGarbage", "query garbage", {kRefused, kLate}, "observe"},
                      FaultCase{"QueryTruncated", "query truncated", {kRefused}, "observe"},
                      FaultCase{"QueryEndless", "query endless", {kRefused, kLate}, "observe"},
                      FaultCase{"QueryError", "query error", {kStatement}, "observe"},
                      FaultCase{"ResultSilence", "result silence", {kLate}, "observe"},
                      FaultCase{"ResultSlow", "result slow", {kLate}, "observe"},
                      FaultCase{"ResultReset", "result reset", {kRefused}, "observe"},
                      FaultCase{"ResultGarbage", "result garbage", {kRefused, kLate}, "observe"},
                      FaultCase{"ResultTruncated", "result truncated", {kRefused}, "observe"},
                      FaultCase{"ResultEndless", "result endless", {kRefused, kLate}, "observe"},
                      FaultCase{"ResultError", "result error", {kStatement}, "observe"},
                      FaultCase{"FirstStatementSilence", "query silence match=\"FROM CONFIG\"", {kLate}, "act"},
                      FaultCase{"FirstStatementReset", "query reset match=\"FROM CONFIG\"", {kRefused}, "act"},
                      FaultCase{"LoadSilence", "query silence match=\"TO RUNTIME\"", {kLate}, "act"},
                      FaultCase{"LoadSlow", "query slow match=\"TO RUNTIME\"", {kLate}, "act"},
                      FaultCase{"LoadReset", "query reset match=\"TO RUNTIME\"", {kRefused}, "act"},
                      FaultCase{"LoadError", "query error match=\"TO RUNTIME\"", {kStatement}, "act"}),
    [](const auto& each) { return each.param.name; });

TEST(Fault, NobodyListens) {
  Server::Options options;
  options.start = false;
  Server server(options);
  const Ran ran = server.beat();
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_NE(std::string::npos, ran.output.find("connect to the admin interface at 127.0.0.1:")) << ran.output;
}

TEST(Fault, AWrongPasswordIsARefusal) {
  Server::Options options;
  options.pulse = "admin={ password=\"wrong\" },";
  Server server(options);
  const Ran ran = server.beat();
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_NE(std::string::npos, ran.output.find("Access denied")) << ran.output;
}

TEST(Fault, ARefusedLoadFromConfigFallsBackToTheSameRows) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  Server::Options options;
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=1, comment=\"it's\" },";
  Server server(options);
  server.query("DELETE FROM proxysql_servers");
  server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  server.control("fault query error match=\"FROM CONFIG\"");
  const Ran ran = server.beat();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_EQ("it's", server.column("SELECT comment FROM runtime_proxysql_servers"));
}

TEST(Fault, ARepeatedFailureIsLoggedEverMoreRarely) {
  Server::Options options;
  options.start = false;
  Server server(options);
  std::string logged;
  for (int i = 1; i <= 9; ++i) {
    const Ran ran = server.beat();
    EXPECT_EQ(kExitUnavailable, ran.exit_code);
    if (!ran.output.empty()) logged += std::to_string(i) + " ";
  }
  EXPECT_EQ("1 2 4 8 ", logged);
  server.start();
  const Ran good = server.beat();
  EXPECT_EQ(kExitOk, good.exit_code);
  EXPECT_NE(std::string::npos, good.output.find("reconciled again after 9 failed beats")) << good.output;
  EXPECT_EQ("", server.beat().output) << "a quiet beat logs nothing";
}

}  // namespace
}  // namespace pulse::test
