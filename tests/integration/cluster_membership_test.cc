// Cores come, go and change their addresses; tables are emptied. Every node's proxysql_servers follows, and clients of
// the satellites notice nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

// Within two beats after its daemon knows, a node's table is right. A third may have begun when a change within the
// same second had to wait for the next.
constexpr int64_t kMostBeats = 2 + 1;

void expect_soon(const std::string& what, const std::vector<Lag>& lags, int64_t most = kMostBeats) {
  print_figure(what + ": " + show(lags));
  EXPECT_LE(most_beats(lags), most) << what << ": " << show(lags);
}

void await_second_plus(milliseconds part) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::this_thread::sleep_for(seconds(1) - nanoseconds(now.tv_nsec) + part);
}

// Three cores and two satellites at rest.
class ClusterMembership : public ::testing::Test {
 protected:
  ClusterMembership() : contents_(cluster_.contents()) {
    for (int i = 0; i < 3; ++i) cluster_.add_core("core-" + std::to_string(i), contents_, 3600 - i);
    for (int i = 0; i < 2; ++i) cluster_.add_satellite("satellite-" + std::to_string(i));
    cluster_.settle(contents_);
  }

  // Starts cores whose pods appear together once all of them run.
  void join(const std::vector<std::string>& pods) {
    std::vector<Node*> started;
    for (const std::string& pod : pods) started.push_back(&cluster_.start_core(pod, contents_));
    for (const Node* node : started) cluster_.publish(*node);
  }
  Node& node(const std::string& pod) {
    for (Node& each : cluster_.nodes()) {
      if (each.name() == pod) return each;
    }
    throw std::runtime_error("no pod " + pod);
  }

  Cluster cluster_;
  Contents contents_;
};

TEST_F(ClusterMembership, CoresComeAndGoAndTrafficFlows) {
  Traffic traffic(cluster_.satellites());

  cluster_.remove(node("core-1"));
  expect_soon("a core died", cluster_.wait_until_right("a core died"));

  join({"core-1"});
  expect_soon("it came back elsewhere", cluster_.wait_until_right("it came back elsewhere"));

  join({"core-3", "core-4", "core-5"});
  expect_soon("three more joined", cluster_.wait_until_right("three more joined"));

  const std::set<std::string> last = cluster_.core_addresses();
  for (Node* gone : cluster_.cores()) cluster_.remove(*gone);
  cluster_.pass_beats(3);
  for (Node* satellite : cluster_.satellites()) EXPECT_FALSE(satellite->table().empty()) << satellite->name();
  join({"core-0", "core-1", "core-2"});
  expect_soon("all went and returned elsewhere", cluster_.wait_until_right("all went and returned elsewhere"));
  for (const std::string& address : cluster_.core_addresses()) EXPECT_EQ(0U, last.count(address));

  cluster_.settle(contents_);
  traffic.stop();
  print_figure("traffic: " + std::to_string(traffic.statements()) + " statements, " +
               std::to_string(traffic.failures()) + " failed, longest " + std::to_string(traffic.longest().count()) +
               " ms");
  EXPECT_EQ(0, traffic.failures()) << traffic.error();
  EXPECT_GT(traffic.statements(), 500);
  EXPECT_LT(traffic.longest(), seconds(5));
}

TEST_F(ClusterMembership, TwoChangesWithinOneSecondSixTimes) {
  int within_one = 0;
  for (int burst = 0; burst < 12 && within_one < 6; ++burst) {
    Node& joining = cluster_.start_core("core-" + std::to_string(3 + burst), contents_);
    Node& leaving = node("core-" + std::to_string(burst));
    // The beats' phases differ, so that some load once for both changes, and some have to wait for the next second.
    await_second_plus(milliseconds(50 + 60 * (burst % 6)));
    const time_t second = ::time(nullptr);
    cluster_.publish(joining);
    std::this_thread::sleep_for(milliseconds(500));
    cluster_.remove(leaving);
    if (second == ::time(nullptr)) ++within_one;  // or the machine was busy
    expect_soon("burst " + std::to_string(burst), cluster_.wait_until_right("burst"));
  }
  cluster_.settle(contents_);
  if (within_one < 6) {
    GTEST_SKIP() << "the machine was too busy: two changes within one second came about " << within_one << " times";
  }
}

TEST_F(ClusterMembership, EmptiedTablesComeBack) {
  for (const char* pod : {"satellite-0", "core-1"}) {
    Server& server = node(pod).server();
    server.query("DELETE FROM proxysql_servers");
    server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
    // What a core has spread until its next beat, ProxySQL's own sync ends: three checks, a second apart.
    expect_soon(std::string("emptied on ") + pod, cluster_.wait_until_right(std::string("emptied on ") + pod),
                node(pod).is_core() ? kMostBeats + 3 : kMostBeats);
    cluster_.settle(contents_);
  }
}

}  // namespace
}  // namespace pulse::test
