// ProxySQL may have several interfaces for clients: ports and unix sockets. All are watched, counted and drained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/admin/admin_client.h"
#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<AdminClient> client_of(const std::string& host, uint16_t port) {
  auto client = AdminClient::connect({host, port, "app", "app", false}, Deadline::after(seconds(5)));
  EXPECT_TRUE(client) << client.error().text;
  return client;
}

Server::Options options() {
  Server::Options options;
  options.role = "standalone";
  options.pulse = "interval_ms=2000, timeout_ms=1500, drain={ settle_ms=1000, timeout_ms=5000 }, ";
  return options;
}

TEST(Interfaces, TwoPortsAndASocketAreWatchedCountedAndDrained) {
  Server::Options with = options();
  const uint16_t second = free_port();
  with.more_interfaces = ";127.0.0.1:" + std::to_string(second);
  with.socket = Server::Options::Socket::beside;
  Server server(with);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }));
  const nlohmann::json port = daemon.get("/status").body["mysql_port"];
  EXPECT_THAT(port["interfaces"].get<std::vector<std::string>>(),
              ElementsAre("127.0.0.1:" + std::to_string(server.mysql_port()), "127.0.0.1:" + std::to_string(second),
                          server.mysql_socket()));
  EXPECT_EQ(true, port["answers"]);
  const auto one = client_of("127.0.0.1", server.mysql_port());
  const auto two = client_of("127.0.0.1", second);
  const auto three = client_of(server.mysql_socket(), 0);
  EXPECT_THAT(server.run({"status"}).output, HasSubstr("answers, 3 clients"));
  // Counted by the kernel's tables alone.
  server.wedge(seconds(60));
  const Ran ran = server.run({"drain"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("3 clients cut"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_TRUE(eventually([&] { return daemon.get("/status").body["mysql_port"]["answers"] == false; }));
}

TEST(Interfaces, ASocketAloneCanBeReadyAndIsDrained) {
  Server::Options with = options();
  with.socket = Server::Options::Socket::alone;
  Server server(with);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  const Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 200; }))
      << daemon.get("/healthz/ready").body;
  EXPECT_EQ(200, daemon.get("/healthz/started").status);
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  auto client = client_of(server.mysql_socket(), 0);
  ASSERT_TRUE(client);
  const Ran ran = server.run({"drain"});
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("lowers mysql-wait_timeout: there is no other member"));
  EXPECT_THAT(ran.output, HasSubstr("no client was left"));
  EXPECT_EQ(0, server.process().wait(seconds(5)));
  EXPECT_TRUE(eventually([&] { return daemon.get("/healthz/ready").status == 503; }));
}

}  // namespace
}  // namespace pulse::test
