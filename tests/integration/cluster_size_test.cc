// More members than any table has rows for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

// A core alone, whose list has 20 others that never were: it gives them up after a minute, and then offers what it has.
TEST(ClusterSize, CoresThatNeverAnsweredAreGivenUpHoweverMany) {
  const Subnet subnet;
  Server::Options options;
  options.role = "core";
  options.beat_interval_ms = 500;
  options.address = subnet.address(1);
  options.admin_port = free_port();
  std::string members;
  for (int host = 1; host <= 21; ++host) {
    members += (host > 1 ? ", \"" : "\"") + subnet.address(host) + ":" + std::to_string(options.admin_port) + "\"";
  }
  options.pulse = "timeout_ms=2000, discovery={ source=\"static\", members=[" + members + "] }, ";
  Server core(options);
  const Daemon daemon(core);
  ASSERT_TRUE(eventually([&] { return core.value("SELECT COUNT(*) FROM runtime_proxysql_servers") == "21"; }))
      << core.log();
  const auto version = [&] {
    return core.value("SELECT version FROM runtime_checksums_values WHERE name = 'mysql_users'");
  };
  EXPECT_EQ("1", version()) << "any of them may have something newer";
  EXPECT_TRUE(eventually([&] { return version() == "2"; }, seconds(150))) << core.log();
}

// More satellites than a list has room for: all cores are in it, and that is what counts.
TEST(ClusterSize, SatellitesThatAreLeftOutFreezeNoCore) {
  Cluster cluster;
  for (int i = 0; i < 1100; ++i) {
    cluster.api().pod("satellite-" + std::to_string(i), "ip=127.250." + std::to_string(i / 250) + "." +
                                                            std::to_string(i % 250 + 1) +
                                                            " labels=app:proxysql,component:satellite");
  }
  cluster.add_core("core-0", cluster.contents());
  cluster.add_core("core-1", cluster.contents());
  cluster.wait_until_right("two cores");
  Node& third = cluster.add_core("core-2", cluster.contents());
  cluster.wait_until_right("one came");
  cluster.remove(third);
  cluster.wait_until_right("and went");
  for (Node& node : cluster.nodes()) EXPECT_GT(node.status()["discovery"]["members_left_out"], 0);
}

}  // namespace
}  // namespace pulse::test
