// Three hosts, each a core that serves, with the addresses of all in its file: they are its list without saying more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <thread>

#include "tests/integration/support.h"

namespace pulse::test {
namespace {

class SingleTier : public ::testing::Test {
 protected:
  struct Host {
    explicit Host(const Server::Options& options) : server(options) {}
    Server server;
    std::optional<Daemon> daemon;
  };

  SingleTier() {
    for (int i = 0; i < 3; ++i) {
      Server::Options options;
      options.role = "core";
      options.start = false;
      options.beat_interval_ms = 500;
      options.admin_variables = "cluster_mysql_variables_diffs_before_sync=0";
      hosts_.emplace_back(options);
    }
    std::string rows;
    for (const Host& host : hosts_) rows += row(host.server.admin_port());
    for (Host& host : hosts_) {
      host.server.rewrite([&](Server::Options& options) { options.bootstrap = rows; });
      host.server.start();
      host.daemon.emplace(host.server);
    }
  }

  static std::string row(uint16_t port) { return "{ hostname=\"127.0.0.1\", port=" + std::to_string(port) + " }, "; }
  // Ports of the runtime table.
  static std::string table(Host& host) {
    return host.server.column("SELECT port FROM runtime_proxysql_servers ORDER BY port");
  }
  std::string all_ports(std::vector<uint16_t> more = {}) const {
    for (const Host& host : hosts_) more.push_back(host.server.admin_port());
    std::sort(more.begin(), more.end());
    std::string joined;
    for (const uint16_t port : more) joined += (joined.empty() ? "" : ",") + std::to_string(port);
    return joined;
  }
  bool all_have(const std::string& ports) {
    return eventually(
        [&] { return std::all_of(hosts_.begin(), hosts_.end(), [&](Host& host) { return table(host) == ports; }); });
  }
  static int64_t version(Host& host, const std::string& module) {
    return std::stoll(host.server.value("SELECT version FROM runtime_checksums_values WHERE name = '" + module + "'"));
  }
  void pass_beats(int count) {
    std::vector<int64_t> before;
    const auto beats = [](Host& host) { return host.server.status()["counters"]["ok"].get<int64_t>(); };
    for (Host& host : hosts_) before.push_back(beats(host));
    EXPECT_TRUE(eventually([&] {
      for (size_t i = 0; i < hosts_.size(); ++i) {
        if (beats(hosts_[i]) < before[i] + count) return false;
      }
      return true;
    }));
  }

  std::deque<Host> hosts_;
};

TEST_F(SingleTier, VersionOneIsLeftAndAllAreReady) {
  for (Host& host : hosts_) {
    EXPECT_TRUE(eventually([&] { return host.daemon->get("/healthz/ready").status == 200; }));
    EXPECT_TRUE(eventually([&] { return host.daemon->get("/status").body["discovery"]["source"] == "static"; }));
  }
  // One loads what all have: a satellite, and a node that starts from nothing, take it from there.
  for (const char* module : {"mysql_servers", "mysql_users"}) {
    EXPECT_TRUE(eventually([&] {
      return std::any_of(hosts_.begin(), hosts_.end(), [&](Host& host) { return version(host, module) > 1; });
    })) << module
        << "\n"
        << hosts_[0].server.log();
  }
  // What is loaded on any of them reaches all. Not in the second of that load: ProxySQL doesn't sync over equal epochs.
  pass_beats(4);
  hosts_[2].server.query("INSERT INTO mysql_users (username, password) VALUES ('late', 'late')");
  hosts_[2].server.query("LOAD MYSQL USERS TO RUNTIME");
  for (Host& host : hosts_) {
    EXPECT_TRUE(eventually([&] {
      return host.server.value("SELECT count(*) FROM runtime_mysql_users WHERE username = 'late' AND frontend = 1") ==
             "1";
    })) << host.server.log();
  }
}

TEST_F(SingleTier, AnEmptiedTableComesBackEverywhere) {
  ASSERT_TRUE(all_have(all_ports()));
  pass_beats(2);
  hosts_[0].server.query("DELETE FROM proxysql_servers");
  hosts_[0].server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  EXPECT_TRUE(all_have(all_ports())) << hosts_[0].server.log();
}

// It is in no file: somebody has added it at the admin interface, as ProxySQL's own documentation has it.
TEST_F(SingleTier, AMemberThatAPersonHasAddedStays) {
  ASSERT_TRUE(all_have(all_ports()));
  pass_beats(2);
  const uint16_t fourth = free_port();
  hosts_[1].server.query("INSERT INTO proxysql_servers (hostname, port) VALUES ('127.0.0.1', " +
                         std::to_string(fourth) + ")");
  hosts_[1].server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  ASSERT_TRUE(all_have(all_ports({fourth}))) << hosts_[1].server.log();
  pass_beats(6);
  EXPECT_TRUE(all_have(all_ports({fourth})));
  for (Host& host : hosts_) {
    EXPECT_EQ(all_ports({fourth}), table(host));
    EXPECT_THAT(host.server.log(), ::testing::Not(::testing::HasSubstr("is not among the cores")));
  }
}

// Two of three are down and come back: nobody has taken them away.
TEST_F(SingleTier, TwoOfThreeAreDown) {
  ASSERT_TRUE(all_have(all_ports()));
  hosts_[1].server.kill();
  hosts_[2].server.kill();
  std::this_thread::sleep_for(seconds(7));  // longer than a core takes to count as dead
  EXPECT_EQ(all_ports(), table(hosts_[0]));
  EXPECT_EQ(200, hosts_[0].daemon->get("/healthz/ready").status);
  hosts_[1].server.start();
  hosts_[2].server.start();
  EXPECT_TRUE(all_have(all_ports()));
  for (Host& host : hosts_) {
    EXPECT_TRUE(eventually([&] { return host.daemon->get("/healthz/ready").status == 200; })) << host.server.log();
  }
}

}  // namespace
}  // namespace pulse::test
