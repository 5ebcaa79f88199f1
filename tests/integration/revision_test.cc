// The cores' revisions against the Kubernetes API double: what the list has, and what becomes of it while lookups fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shm/segment/segment.h"
#include "tests/integration/kubernetes.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kCore = " labels=app:proxysql,component:core owner=ReplicaSet/";

// A core's segment and daemon, without a ProxySQL.
class RevisionTest : public ::testing::Test {
 protected:
  void start(const std::string& role = "core", const std::string& more = "") {
    Server::Options options;
    options.role = role;
    options.start = false;
    options.pulse = "interval_ms=1000, discovery={ source=\"kubernetes\", port=6032, kubernetes={ api=\"" + api_.url() +
                    "\", service_account=\"" + api_.account() + "\" } }, " + more;
    server_ = std::make_unique<Server>(options);
    server_->beat();
    daemon_ = std::make_unique<Daemon>(*server_);
  }

  // Of the cores, by the list in the segment.
  std::vector<int64_t> revisions() {
    SegmentOptions options;
    options.path = server_->state();
    options.writable = options.create = false;
    const auto segment = Segment::open(options);
    EXPECT_TRUE(segment);
    const auto members = std::make_unique<Members>();
    std::vector<int64_t> found;
    if (!segment || !segment->layout().members.read(*members) || !segment->layout().discovery.read(discovery_)) {
      return found;
    }
    for (size_t i = 0; i < members->cores; ++i) found.push_back(members->members[i].revision);
    return found;
  }
  bool becomes(const std::vector<int64_t>& wanted, milliseconds patience = seconds(10)) {
    return eventually([&] { return revisions() == wanted; }, patience);
  }
  std::string why() {
    revisions();
    return std::string(text(discovery_.no_revisions));
  }

  const KubernetesDouble api_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Daemon> daemon_;
  Discovery discovery_{};
};

TEST_F(RevisionTest, AreInTheListAndFollowARollback) {
  api_.control("replicaset core-a revision=1 workload=core");
  api_.control("replicaset core-b revision=2 workload=core");
  api_.pod("core-a-1", "ip=10.0.0.1" + kCore + "core-a");
  api_.pod("core-b-1", "ip=10.0.0.2" + kCore + "core-b");
  start();
  ASSERT_TRUE(becomes({1, 2})) << daemon_->process().output();
  EXPECT_EQ("", why());

  // The number is there before the pod is: no list has the pod with the old one.
  api_.control("replicaset core-a revision=3 workload=core");
  api_.pod("core-a-2", "ip=10.0.0.3" + kCore + "core-a");
  std::vector<int64_t> first;
  ASSERT_TRUE(eventually([&] {
    first = revisions();
    return first.size() == 3;
  }));
  EXPECT_THAT(first, ElementsAre(3, 2, 3));
}

TEST_F(RevisionTest, OfAStatefulSetAreItsControllerRevisions) {
  api_.control("controllerrevision core-7c9 revision=4 workload=core");
  api_.pod("core-0",
           "ip=10.0.0.1 owner=StatefulSet/core labels=app:proxysql,component:core,"
           "controller-revision-hash:core-7c9");
  start();
  EXPECT_TRUE(becomes({4})) << why();
}

TEST_F(RevisionTest, ARefusalIsSaidAndCostsOnlyTheRevisions) {
  api_.fault("403 for=apps");
  api_.control("replicaset core-a revision=1 workload=core");
  api_.pod("core-a-1", "ip=10.0.0.1" + kCore + "core-a");
  start();
  EXPECT_TRUE(becomes({0}, seconds(2)));
  EXPECT_TRUE(eventually([&] { return why() == "this service account's Role may not get replicasets"; })) << why();
  EXPECT_EQ(0, discovery_.failing_since_ns) << "the members are known";
  const std::string said = "so the newest pod's file counts: this service account's Role";
  EXPECT_TRUE(eventually([&] { return daemon_->process().output().find(said) != std::string::npos; }))
      << daemon_->process().output();

  // The Role was put right: noticed without a change of the list.
  api_.clear();
  EXPECT_TRUE(becomes({1}, seconds(40)));
  EXPECT_EQ("", why());
}

TEST_F(RevisionTest, AnApiThatIsAwayTakesNoKnownRevisionAway) {
  api_.control("replicaset core-a revision=1 workload=core");
  api_.pod("core-a-1", "ip=10.0.0.1" + kCore + "core-a");
  start();
  ASSERT_TRUE(becomes({1}));
  for (const char* fault : {"503 for=apps", "hang for=apps"}) {
    api_.clear();
    api_.fault(fault);
    const int64_t asked = api_.stats()["apps"];
    api_.pod("core-a-1", "ready=0");
    ASSERT_TRUE(eventually([&] { return api_.stats()["apps"] > asked; })) << fault;
    EXPECT_THAT(revisions(), ElementsAre(1)) << fault;
    api_.pod("core-a-1", "ready=1");
  }
  // A pod of a template that isn't known yet waits for it 2 s, no longer.
  api_.pod("core-b-1", "ip=10.0.0.2" + kCore + "core-b");
  const int64_t began = monotonic_ns();
  ASSERT_TRUE(becomes({0, 0}));
  EXPECT_GT(monotonic_ns() - began, 1'500'000'000);
  EXPECT_THAT(why(), HasSubstr("replicasets/core-b"));
}

TEST_F(RevisionTest, NobodyElseAsks) {
  api_.control("replicaset core-a revision=1 workload=core");
  api_.pod("core-a-1", "ip=10.0.0.1" + kCore + "core-a");
  for (const auto& [role, more] : std::vector<std::pair<std::string, std::string>>{
           {"satellite", ""}, {"core", "core={ authority=\"never\" },"}, {"core", "core={ authority=\"always\" },"}}) {
    start(role, more);
    ASSERT_TRUE(becomes({0}));
    EXPECT_EQ("", why());
    daemon_.reset();
  }
  EXPECT_EQ(0, api_.stats()["apps"]);
}

}  // namespace
}  // namespace pulse::test
