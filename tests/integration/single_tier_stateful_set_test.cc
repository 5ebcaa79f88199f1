// A single tier of three as a StatefulSet makes it: each pod a core that serves clients, with names that stay and
// addresses that don't.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// Beats of quiet in which a wrong load would come.
constexpr int kQuiet = 6;

class ClusterStatefulSet : public ::testing::Test {
 protected:
  ClusterStatefulSet() : cluster_(options()), files_(cluster_.contents()) {
    cluster_.release(first_, 1);
    for (int i = 0; i < 3; ++i) cluster_.add_core(pod(i), files_.before, 600 - i, first_);
    cluster_.settle(files_.before);
    for (const Node* core : cluster_.cores()) cluster_.wait_until_settled(*core);
  }

  static Cluster::Options options() {
    Cluster::Options options;
    options.pulse = "drain={ timeout_ms=5000, settle_ms=1000 },";
    options.admin_variables = "cluster_mysql_variables_diffs_before_sync=0";
    return options;
  }
  static std::string pod(int ordinal) { return "core-" + std::to_string(ordinal); }
  Node& node(int ordinal) {
    for (Node& each : cluster_.nodes()) {
      if (each.name() == pod(ordinal)) return each;
    }
    throw std::runtime_error("no " + pod(ordinal));
  }
  bool is_ready(int ordinal) { return node(ordinal).daemon().get("/healthz/ready").status == 200; }
  // As a kubelet ends a pod: preStop drains it, then it goes, and its name is free for the next one.
  void end_pod(int ordinal) {
    Node& old = node(ordinal);
    const Ran drained = old.server().run({"drain"});
    EXPECT_EQ(0, drained.exit_code) << drained.output;
    EXPECT_TRUE(old.server().process().wait()) << "ProxySQL was shut down";
    cluster_.remove(old);
  }
  // Somebody's change at the admin interface, in all nodes.
  Contents change_by_hand(Contents contents) {
    contents.users["emergency"] = 1;
    Server& server = node(0).server();
    server.query("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('emergency', 'app', 1)");
    server.query("LOAD MYSQL USERS TO RUNTIME");
    cluster_.wait_until_all_have(contents, "a change by hand");
    return contents;
  }
  // Of all modules but the table of nodes. A core may load again what all have, to leave version 1.
  static std::map<std::string, std::string> content(Node& node) {
    auto checksums = node.checksums();
    checksums.erase("proxysql_servers");
    return checksums;
  }

  const Template first_{Template::Kind::controller_revision, "core-a"};
  const Template second_{Template::Kind::controller_revision, "core-b"};
  Cluster cluster_;
  const Deployments files_;
};

TEST_F(ClusterStatefulSet, ARollingChangeOfTheFileIsEverywhereInTheEnd) {
  cluster_.release(second_, 2);
  Watcher watcher(cluster_, files_.after);
  for (const int ordinal : {2, 1, 0}) {
    SCOPED_TRACE(pod(ordinal));
    end_pod(ordinal);
    cluster_.add_core(pod(ordinal), files_.after, 0, second_);
    EXPECT_TRUE(eventually([&] { return is_ready(ordinal); })) << cluster_.describe();
    const auto lags = cluster_.wait_until_all_have(files_.after, "the new file");
    print_figure(pod(ordinal) + " replaced: " + show(lags));
    watcher.look_for(3);
  }
  cluster_.settle(files_.after);
  watcher.look_for(kQuiet);
  EXPECT_EQ("", watcher.relapses()) << cluster_.describe();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_ready(i)) << i;
}

// A node is lost: the same name comes back elsewhere, from nothing.
TEST_F(ClusterStatefulSet, APodThatMovesIsBackWithAllPeers) {
  const Contents changed = change_by_hand(files_.before);
  const std::string old_address = node(1).address();
  cluster_.remove(node(1));
  cluster_.add_core(pod(1), files_.before, 0, first_);
  ASSERT_NE(old_address, node(1).address());
  const auto lags = cluster_.wait_until_right("a pod moved");
  print_figure("a pod moved: " + show(lags));
  EXPECT_LE(most_beats(lags), 2) << show(lags);
  cluster_.settle(changed);
  for (Node& each : cluster_.nodes()) EXPECT_EQ(0U, each.table().count(old_address)) << each.name();
  EXPECT_TRUE(eventually([&] { return is_ready(1); }));
}

TEST_F(ClusterStatefulSet, ScaleInTakesTheRowAndNothingElse) {
  const Contents changed = change_by_hand(files_.before);
  cluster_.settle(changed);
  const auto before_0 = content(node(0)), before_1 = content(node(1));
  end_pod(2);
  cluster_.wait_until_right("scaled in");
  cluster_.pass_beats(kQuiet);
  EXPECT_TRUE(cluster_.all_right());
  EXPECT_TRUE(cluster_.all_have(changed)) << cluster_.describe();
  EXPECT_EQ(before_0, content(node(0)));
  EXPECT_EQ(before_1, content(node(1)));

  // And out again: the new one takes what the others have, the change by hand included; nobody loads anything.
  cluster_.add_core(pod(2), files_.before, 0, first_);
  cluster_.wait_until_right("scaled out");
  cluster_.wait_until_all_have(changed, "scaled out");
  cluster_.pass_beats(kQuiet);
  EXPECT_TRUE(cluster_.all_have(changed)) << cluster_.describe();
  EXPECT_EQ(before_0, content(node(0)));
  EXPECT_EQ(before_1, content(node(1)));
  EXPECT_TRUE(eventually([&] { return is_ready(2); }));
}

// A PersistentVolumeClaim keeps proxysql.db as it was saved last; the state segment goes with the pod.
TEST_F(ClusterStatefulSet, AnOldDatabaseOnAVolumeChangesNothing) {
  const Contents changed = change_by_hand(files_.before);
  cluster_.settle(changed);
  Node& old = node(2);
  Server& server = old.server();
  server.query("DELETE FROM mysql_users WHERE username IN ('emergency', 'changed')");
  server.query("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '192.0.2.66', 3306)");
  for (const char* module : {"SERVERS", "USERS"}) server.query(std::string("SAVE MYSQL ") + module + " TO DISK");
  for (const char* module : {"SERVERS", "USERS"}) server.query(std::string("SAVE MYSQL ") + module + " TO MEMORY");
  const auto before_0 = content(node(0)), before_1 = content(node(1));
  Watcher watcher(cluster_, changed);
  watcher.look();
  watcher.spare(old);
  old.reboot();
  const auto lags = cluster_.wait_until_all_have(changed, "a pod with an old database");
  print_figure("an old database: " + show(lags));
  watcher.look_for(kQuiet);
  cluster_.settle(changed);
  EXPECT_EQ("", watcher.relapses()) << cluster_.describe();
  EXPECT_EQ(before_0, content(node(0)));
  EXPECT_EQ(before_1, content(node(1)));
  EXPECT_TRUE(eventually([&] { return is_ready(2); }));
}

// The other two come back, one after the other; the one that stayed serves all the while.
TEST_F(ClusterStatefulSet, TwoOfThreeAreDown) {
  const Contents changed = change_by_hand(files_.before);
  cluster_.settle(changed);
  const auto before = content(node(0));
  node(1).kill();
  node(2).kill();
  // Longer than a core takes to count as dead.
  const int64_t goal = node(0).beats() + 14;
  EXPECT_TRUE(eventually([&] { return node(0).beats() >= goal; }));
  EXPECT_EQ(changed.rows(), node(0).rows());
  EXPECT_EQ(3U, node(0).table().size()) << "the list has them all the time";
  EXPECT_TRUE(is_ready(0));
  node(2).start();
  node(1).start();
  cluster_.wait_until_all_have(changed, "they came back");
  cluster_.settle(changed);
  EXPECT_EQ(before, content(node(0)));
}

}  // namespace
}  // namespace pulse::test
