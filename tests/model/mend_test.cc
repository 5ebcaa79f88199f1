// A satellite that a person has loaded on, in a cluster at rest: one core brings it back, with one load.
#include <gtest/gtest.h>

#include "tests/model/cluster.h"

namespace pulse::model {
namespace {

// Three cores and two satellites that have what the file says.
struct Stage {
  explicit Stage(uint64_t seed, MendMode mend) : cluster(seed, options(mend)) {
    ConfigFile file;
    file.rows[kUsers] = {{"app", "1"}};
    file.rows[kServers] = {{"db1", "ONLINE"}};
    for (int i = 0; i < 3; ++i) cluster.add_core(1, file);
    for (int i = 0; i < 2; ++i) cluster.add_satellite();
    cluster.run(120'000);
    satellite = cluster.satellites().front();
  }
  static Options options(MendMode mend) {
    Options options;
    options.mend = mend;
    return options;
  }
  const Rows& cores_users() { return cluster.cores().front()->proxysql.modules[kUsers].runtime; }
  const Rows& its_users() const { return satellite->proxysql.modules[kUsers].runtime; }

  Cluster cluster;
  Host* satellite = nullptr;
};

TEST(Mend, BringsASatelliteBackWithOneLoad) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Stage stage(seed, MendMode::reload);
    ASSERT_EQ("", stage.cluster.unsettled(0)) << stage.cluster.describe();
    const int64_t writes = stage.cluster.writes();
    stage.cluster.person_loads_here(*stage.satellite, kUsers, {{"app", "1"}, {"emergency", "1"}});
    ASSERT_TRUE(stage.cluster.run(55'000)) << stage.cluster.problem();
    EXPECT_EQ(2u, stage.its_users().size()) << "before its minute is over";
    EXPECT_EQ(writes, stage.cluster.writes());
    ASSERT_TRUE(stage.cluster.run(20'000)) << stage.cluster.problem();
    EXPECT_EQ(stage.cores_users(), stage.its_users()) << stage.cluster.describe();
    EXPECT_EQ(writes + 1, stage.cluster.writes());
    ASSERT_TRUE(stage.cluster.run(600'000)) << stage.cluster.problem();
    EXPECT_EQ(writes + 1, stage.cluster.writes());
  }
}

TEST(Mend, WithReportNobodyWrites) {
  Stage stage(1, MendMode::report);
  const int64_t writes = stage.cluster.writes();
  stage.cluster.person_loads_here(*stage.satellite, kUsers, {{"app", "1"}, {"emergency", "1"}});
  ASSERT_TRUE(stage.cluster.run(600'000)) << stage.cluster.problem();
  EXPECT_EQ(2u, stage.its_users().size());
  EXPECT_EQ(writes, stage.cluster.writes());
}

TEST(Mend, StopsAfterThreeLoads) {
  Stage stage(2, MendMode::reload);
  const int64_t writes = stage.cluster.writes();
  for (int i = 0; i < 60; ++i) {
    stage.cluster.person_loads_here(*stage.satellite, kUsers, {{"app", "1"}, {"again" + std::to_string(i), "1"}});
    ASSERT_TRUE(stage.cluster.run(100'000)) << stage.cluster.problem();
  }
  EXPECT_EQ(writes + 3, stage.cluster.writes());
}

}  // namespace
}  // namespace pulse::model
