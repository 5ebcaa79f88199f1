// What a beat says, and what it does instead, when ProxySQL can't be reached or refuses.
#include <gtest/gtest.h>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

TEST(Refusal, NobodyListens) {
  Server::Options options;
  options.start = false;
  Server server(options);
  const Ran ran = server.beat();
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_NE(std::string::npos, ran.output.find("connect to the admin interface at 127.0.0.1:")) << ran.output;
}

TEST(Refusal, AWrongPasswordIsARefusal) {
  Server::Options options;
  options.pulse = "admin={ password=\"wrong\" },";
  Server server(options);
  const Ran ran = server.beat();
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_NE(std::string::npos, ran.output.find("Access denied")) << ran.output;
}

TEST(Refusal, ARefusedLoadFromConfigFallsBackToTheSameRows) {
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

TEST(Refusal, ARepeatedFailureIsLoggedEverMoreRarely) {
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
