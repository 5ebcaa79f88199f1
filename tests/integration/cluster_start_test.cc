// A cluster that begins, and one that a satellite joins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

Contents some(const Cluster& cluster) {
  Contents contents = cluster.contents();
  contents.servers["192.0.2.1:3306"] = 5;
  contents.users["reader"] = 1;
  contents.rules = {{1, 1}, {2, 0}};
  return contents;
}

TEST(ClusterStart, FromNothingToSilence) {
  Cluster cluster;
  const Contents contents = some(cluster);
  cluster.add_core("core-0", contents);
  cluster.add_core("core-1", contents);
  cluster.add_satellite("satellite-0");
  cluster.add_satellite("satellite-1");

  print_figure("tables right: " + show(cluster.wait_until_right("from nothing")));
  print_figure("configured: " + show(cluster.wait_until_all_have(contents, "from nothing")));
  for (Node& node : cluster.nodes()) {
    EXPECT_TRUE(eventually([&] { return node.daemon().get("/healthz/started").status == 200; })) << node.name();
    EXPECT_TRUE(eventually([&] { return node.daemon().get("/healthz/ready").status == 200; })) << node.name();
  }
  for (Node* core : cluster.cores()) {
    EXPECT_EQ(cluster.core_addresses(), core->table()) << "and no host name";
  }

  cluster.settle(contents);
  std::map<std::string, int64_t> writes;
  for (Node& node : cluster.nodes()) writes[node.name()] = node.writes();
  cluster.pass_beats(20);
  for (Node& node : cluster.nodes()) {
    EXPECT_EQ(writes[node.name()], node.writes()) << node.name() << cluster.describe();
    const nlohmann::json history = node.status()["history"];
    for (size_t i = 0; i < 20 && i < history.size(); ++i) EXPECT_EQ(0, history[i]["writes"]) << node.name();
  }
  EXPECT_TRUE(cluster.all_right());
  EXPECT_TRUE(cluster.all_have(contents));
}

TEST(ClusterStart, ASatelliteThatJoinsIsConfiguredWithoutAStamp) {
  Cluster cluster;
  const Contents contents = some(cluster);
  cluster.add_core("core-0", contents, 10);
  cluster.add_core("core-1", contents);
  cluster.add_satellite("satellite-0");
  cluster.settle(contents);
  std::map<Node*, std::map<std::string, int64_t>> versions;
  for (Node& node : cluster.nodes()) versions[&node] = node.versions();

  cluster.add_satellite("satellite-1");
  const auto lags = cluster.wait_until_all_have(contents, "joined");
  print_figure("joined, configured: " + show(lags));
  // Two beats, and some two until ProxySQL's third check of a core has found a difference and it has pulled.
  for (const Lag& lag : lags) {
    EXPECT_LE(lag.node == "satellite-1" ? lag.beats_ever : 0, 2 + 2) << show(lags);
  }
  print_figure("joined, table: " + show(cluster.wait_until_right("joined")));
  for (const auto& [node, before] : versions)
    EXPECT_EQ(before, node->versions()) << node->name() << " loaded something";
}

}  // namespace
}  // namespace pulse::test
