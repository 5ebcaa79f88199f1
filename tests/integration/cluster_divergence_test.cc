// Two cores that loaded different contents within one second: ProxySQL never syncs over equal epochs, one beat ends it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

struct Module {
  const char* name;      // as in commands
  const char* checksum;  // in runtime_checksums_values
  const char* change;    // with two places for a number
};

constexpr Module kModules[] = {
    {"MYSQL USERS", "mysql_users", "UPDATE mysql_users SET default_hostgroup = #"},
    {"MYSQL SERVERS", "mysql_servers_v2", "UPDATE mysql_servers SET weight = #"},
    {"MYSQL QUERY RULES", "mysql_query_rules", "UPDATE mysql_query_rules SET destination_hostgroup = #"},
    {"PROXYSQL SERVERS", "proxysql_servers", "UPDATE proxysql_servers SET weight = #"},
};

std::pair<std::string, std::string> epoch_and_checksum(Node& node, const Module& module) {
  const auto rows = node.server().query("SELECT epoch, checksum FROM runtime_checksums_values WHERE name = '" +
                                        std::string(module.checksum) + "'");
  return rows.size() == 1 ? std::make_pair(rows[0][0], rows[0][1]) : std::make_pair("", "");
}

// Loads of a module by beats.
int64_t loads(const Node& node, const Module& module) {
  int64_t count = 0;
  for (const std::string& act : node.acts()) {
    if (act.rfind(std::string("LOAD ") + module.name + " TO RUNTIME", 0) == 0) ++count;
  }
  return count;
}

// Loads different contents on both within one second of both clocks. False if that didn't work out.
bool diverge(Node& a, Node& b, const Module& module, int number) {
  for (Node* node : {&a, &b}) {
    const std::string value = std::to_string(node == &a ? number : number + 1);
    node->server().query(std::regex_replace(module.change, std::regex("#"), value));
  }
  std::this_thread::sleep_for(nanoseconds(1'050'000'000 - clock_ns(CLOCK_REALTIME) % 1'000'000'000));
  for (Node* node : {&a, &b}) node->server().query(std::string("LOAD ") + module.name + " TO RUNTIME");
  const auto at_a = epoch_and_checksum(a, module);
  const auto at_b = epoch_and_checksum(b, module);
  return at_a.first == at_b.first && at_a.second != at_b.second;
}

TEST(ClusterDivergence, EqualEpochsAreEndedByOneCore) {
  // A load again must wait for the next second, and ProxySQL's own sync takes more than half of one.
  Cluster::Options options;
  options.beat_ms = 1000;
  Cluster cluster(options);
  Contents contents = cluster.contents();
  contents.rules = {{1, 1}};
  std::vector<Node*> cores;
  for (int i = 0; i < 3; ++i) {
    cores.push_back(&cluster.add_core("core-" + std::to_string(i), contents, 600 - 10 * i));
  }
  cluster.add_satellite("satellite-0");
  for (const Node* core : cores) cluster.wait_until_settled(*core);
  cluster.settle(contents, 2);
  // Whether or not the newest core, which is to act, is one of the two.
  const std::pair<int, int> pairs[] = {{0, 2}, {0, 1}, {1, 2}, {2, 0}};
  for (size_t i = 0; i < std::size(kModules); ++i) {
    const Module& module = kModules[i];
    const auto [first, second] = pairs[i];
    SCOPED_TRACE(module.name);
    std::vector<int64_t> loaded;
    for (const Node* core : cores) loaded.push_back(loads(*core, module));
    ASSERT_TRUE(diverge(*cores[first], *cores[second], module, 10 * static_cast<int>(i) + 10));

    std::map<std::string, int64_t> beats;
    for (Node& node : cluster.nodes()) beats[node.name()] = node.beats();
    const int64_t began_ns = monotonic_ns();
    int64_t beats_to_load = -1;
    int64_t most = 0;  // begun before the last look that found them different
    const bool healed = eventually([&] {
      std::this_thread::sleep_for(milliseconds(10));
      if (beats_to_load < 0 && loads(*cores[2], module) > loaded[2])
        beats_to_load = cores[2]->beats() - beats["core-2"];
      int64_t begun = 0;
      for (Node& node : cluster.nodes()) begun = std::max(begun, node.beats() - beats[node.name()]);
      std::set<std::string> checksums;
      for (Node& node : cluster.nodes()) checksums.insert(epoch_and_checksum(node, module).second);
      if (checksums.size() > 1) most = begun;
      return checksums.size() == 1 && beats_to_load >= 0;
    });
    EXPECT_TRUE(healed) << cluster.describe();
    print_figure(std::string(module.name) + ": loaded again with beat " + std::to_string(beats_to_load) +
                 ", the same everywhere after " + std::to_string(most) + " beats, " +
                 std::to_string((monotonic_ns() - began_ns) / 1'000'000) + " ms");
    EXPECT_LE(most, 3);
    cluster.pass_beats(2);
    for (size_t core = 0; core < cores.size(); ++core) {
      EXPECT_EQ(core == 2 ? 1 : 0, loads(*cores[core], module) - loaded[core]) << cores[core]->name();
    }
  }
}

}  // namespace
}  // namespace pulse::test
