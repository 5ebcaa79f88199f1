// Somebody has loaded on a satellite, which never pulls those modules again: the cores' leader says so, or brings the
// satellite back where it is told to. A minute has to pass first: it does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// The leader asks each satellite every 30 s.
constexpr seconds kAsked{50};

int64_t loads(Cluster& cluster, const std::string& command) {
  int64_t count = 0;
  for (const Node* core : cluster.cores()) {
    for (const std::string& act : core->acts()) {
      if (act.rfind("LOAD " + command + " TO RUNTIME", 0) == 0) ++count;
    }
  }
  return count;
}

class ClusterMend : public ::testing::Test {
 protected:
  void begin(const std::string& mend) {
    Cluster::Options options;
    options.beat_ms = 1000;
    options.pulse = mend;
    cluster_.emplace(options);
    contents_ = cluster_->contents();
    contents_.rules = {{1, 1}};
    for (int i = 0; i < 3; ++i) cluster_->add_core("core-" + std::to_string(i), contents_, 600 - 10 * i);
    for (int i = 0; i < 2; ++i) cluster_->add_satellite("satellite-" + std::to_string(i));
    for (const Node* core : cluster_->cores()) cluster_->wait_until_settled(*core);
    cluster_->settle(contents_, 2);
    satellite_ = cluster_->satellites().front();
  }
  void change(const std::string& statement, const std::string& command) {
    satellite_->server().query(statement);
    satellite_->server().query("LOAD " + command + " TO RUNTIME");
  }
  // What the leader, the core with the lowest address, says of the satellite's module; null if it says nothing.
  nlohmann::json said(const std::string& module) {
    const nlohmann::json status = cluster_->cores().front()->status();
    if (!status.contains("satellites") || !status["satellites"].is_object()) return nullptr;
    for (const auto& stuck : status["satellites"]["stuck"]) {
      if (stuck["module"] == module && stuck["address"] == satellite_->address()) return stuck;
    }
    return nullptr;
  }

  std::optional<Cluster> cluster_;
  Contents contents_;
  Node* satellite_ = nullptr;
};

TEST_F(ClusterMend, ASatelliteIsBackWithinNinetySecondsAfterOneLoad) {
  begin("satellite={ mend=\"reload\" },");
  Cluster& cluster = *cluster_;
  // Of users, somebody is at work on the core that would load: what isn't loaded yet must not become so.
  Server& leader = cluster.cores().front()->server();
  leader.query("INSERT INTO mysql_users (username, password) VALUES ('draft', 'x')");
  const int64_t before_rules = loads(cluster, "MYSQL QUERY RULES");
  const int64_t before_servers = loads(cluster, "MYSQL SERVERS");
  const int64_t before_users = loads(cluster, "MYSQL USERS");

  const int64_t began_ns = monotonic_ns();
  change("UPDATE mysql_query_rules SET destination_hostgroup = 7", "MYSQL QUERY RULES");
  change("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '192.0.2.9', 3306)", "MYSQL SERVERS");
  change("UPDATE mysql_users SET default_hostgroup = 7", "MYSQL USERS");
  Contents mended = contents_;
  mended.users["app"] = 7;
  EXPECT_NE(mended.rows(), satellite_->rows());
  const bool healed = eventually([&] { return satellite_->rows() == mended.rows(); }, seconds(120));
  const int64_t took_s = (monotonic_ns() - began_ns) / 1'000'000'000;
  EXPECT_TRUE(healed) << said("mysql_query_rules").dump() << cluster.describe();
  print_figure("a satellite that was loaded on is right again after " + std::to_string(took_s) + " s");
  EXPECT_GE(took_s, 60);
  EXPECT_LE(took_s, 90);
  EXPECT_TRUE(eventually([&] { return said("mysql_query_rules").is_null() && said("mysql_servers_v2").is_null(); }));

  // On a busy machine the reason is another for a moment: a core that isn't reached.
  nlohmann::json held;
  EXPECT_TRUE(eventually([&] {
    held = said("mysql_users");
    return held.dump().find("memory isn't what this core serves: mysql_users draft") != std::string::npos;
  })) << held.dump();
  ASSERT_FALSE(held.is_null());
  EXPECT_EQ(0, held["loads"]);
  EXPECT_EQ("here", held["origin"]);
  EXPECT_EQ("1", leader.value("SELECT count(*) FROM mysql_users WHERE username = 'draft'")) << "still there";
  EXPECT_THAT(leader.log(), HasSubstr("nothing is loaded for it: memory isn't what this core serves"));

  cluster.pass_beats(3);
  EXPECT_EQ(1, loads(cluster, "MYSQL QUERY RULES") - before_rules);
  EXPECT_EQ(1, loads(cluster, "MYSQL SERVERS") - before_servers);
  EXPECT_EQ(0, loads(cluster, "MYSQL USERS") - before_users);
  for (Node* core : cluster.cores()) EXPECT_EQ(contents_.rows(), core->rows()) << core->name();
  EXPECT_EQ(contents_.rows(), cluster.satellites().back()->rows());
}

TEST_F(ClusterMend, ByDefaultItIsSaidAndNothingIsDone) {
  begin("");
  Cluster& cluster = *cluster_;
  std::vector<int64_t> before;
  change("UPDATE mysql_users SET default_hostgroup = 7", "MYSQL USERS");
  for (Node* core : cluster.cores()) before.push_back(core->writes());
  ASSERT_TRUE(eventually([&] { return !said("mysql_users").is_null(); }, kAsked)) << cluster.describe();
  const Server& leader = cluster.cores().front()->server();
  EXPECT_THAT(leader.run({"status"}).output, HasSubstr("HAS ITS OWN mysql_users"));
  EXPECT_THAT(leader.run({"doctor"}).output, HasSubstr("has its own mysql_users"));
  EXPECT_THAT(cluster.cores().front()->daemon().get("/metrics").text,
              HasSubstr("proxysql_pulse_satellite_modules_stuck 1"));
  EXPECT_TRUE(cluster.cores().back()->status()["satellites"].is_null()) << "one core asks";
  for (const auto& module : satellite_->status()["proxysql"]["modules"]) {
    if (module["name"] != "mysql_users") continue;
    EXPECT_GT(module["stuck_for_ms"].get<int64_t>(), 0);
  }
  EXPECT_TRUE(
      eventually([&] { return said("mysql_users")["why_not_mended"] == "satellite.mend is \"report\""; }, seconds(90)))
      << said("mysql_users").dump();
  cluster.pass_beats(3);
  std::vector<int64_t> after;
  for (Node* core : cluster.cores()) after.push_back(core->writes());
  EXPECT_EQ(before, after);
  Contents own = contents_;
  own.users["app"] = 7;
  EXPECT_EQ(own.rows(), satellite_->rows());

  // A person decides.
  cluster.cores().back()->server().query("LOAD MYSQL USERS TO RUNTIME");
  cluster.wait_until_all_have(contents_, "a load on a core");
  EXPECT_TRUE(eventually([&] { return said("mysql_users").is_null(); })) << said("mysql_users").dump();
}

}  // namespace
}  // namespace pulse::test
