#include "scheduler/cluster/satellite_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kPlanNowS = 1'000'000;
constexpr int64_t kPlanNowNs = 900'000'000'000;
constexpr const char* kFromConfig = "LOAD PROXYSQL SERVERS FROM CONFIG";
constexpr const char* kToRuntime = "LOAD PROXYSQL SERVERS TO RUNTIME";

ServerRow live(const std::string& host) { return {host, 6032, true, true, kPlanNowS, kPlanNowNs}; }
ServerRow dead(const std::string& host) {
  return {host, 6032, true, true, kPlanNowS - 60, 1, {}, std::chrono::seconds(60)};
}
ServerRow unchecked(const std::string& host) { return {host, 6032, true, true, 0, 0}; }
ServerRow in_memory(const std::string& host) { return {host, 6032, true, false, 0, 0}; }
ServerRow in_runtime(ServerRow row) {
  row.in_memory = false;
  return row;
}

class SatellitePlan : public ::testing::Test {
 protected:
  Plan plan(std::vector<ServerRow> servers) {
    seen_.now_s = kPlanNowS;
    seen_.servers = std::move(servers);
    return plan_satellite({seen_, bootstrap_, std::chrono::milliseconds(5000), list_, resync_, remembers_});
  }
  std::vector<std::string> statements(std::vector<ServerRow> servers) {
    std::vector<std::string> list;
    for (const Step& step : plan(std::move(servers)).steps) {
      EXPECT_FALSE(step.reason.empty()) << step.statement;
      list.push_back(step.statement);
    }
    return list;
  }

  std::vector<ServerEntry> bootstrap_ = {{"core.example", 6032, 0, "boot"}};
  Seen seen_;
  CoreList list_{{}, "no list"};
  bool resync_ = false;
  bool remembers_ = true;
};

TEST_F(SatellitePlan, AHealthyOneIsLeftAlone) {
  EXPECT_THAT(statements({live("10.0.0.1"), live("10.0.0.2")}), IsEmpty());
  EXPECT_THAT(statements({live("10.0.0.1"), dead("10.0.0.2")}), IsEmpty()) << "the cores' own table says who is gone";
  EXPECT_EQ("", plan({live("10.0.0.1")}).situation);
}

TEST_F(SatellitePlan, AnEditInProgressIsLeftAlone) {
  EXPECT_THAT(statements({live("10.0.0.1"), in_memory("10.0.0.9")}), IsEmpty());
}

TEST_F(SatellitePlan, AnEmptyTableGoesBackToTheFile) {
  EXPECT_THAT(statements({}), ElementsAre(kFromConfig, kToRuntime));
  const Plan made = plan({});
  EXPECT_THAT(made.steps[0].instead,
              ElementsAre("INSERT OR REPLACE INTO proxysql_servers (hostname, port, weight, comment) "
                          "VALUES ('core.example', 6032, 0, 'boot')"));
  EXPECT_EQ("proxysql_servers", made.steps[1].needs_rows_in);
}

TEST_F(SatellitePlan, AnEmptiedTableUnderALiveRuntimeIsPutBackWithoutALoad) {
  EXPECT_THAT(statements({in_runtime(live("10.0.0.1")), in_runtime(dead("10.0.0.2"))}),
              ElementsAre(HasSubstr("VALUES ('10.0.0.1', 6032"), HasSubstr("VALUES ('10.0.0.2', 6032")))
      << "a load would end the cores' say over this table";
}

TEST_F(SatellitePlan, DeadCoresMakeRoomForTheFilesEntries) {
  EXPECT_THAT(statements({dead("10.0.0.1"), dead("10.0.0.2")}),
              ElementsAre(kFromConfig, "DELETE FROM proxysql_servers WHERE hostname = '10.0.0.1' AND port = 6032",
                          "DELETE FROM proxysql_servers WHERE hostname = '10.0.0.2' AND port = 6032", kToRuntime));
}

TEST_F(SatellitePlan, AfterwardsItWaits) {
  EXPECT_THAT(statements({unchecked("core.example")}), IsEmpty());
  EXPECT_THAT(statements({dead("core.example")}), IsEmpty()) << "ProxySQL looks the name up again by itself";
  EXPECT_THAT(plan({dead("core.example")}).situation, HasSubstr("no core is alive"));
}

TEST_F(SatellitePlan, WithoutAClusterUserItSaysThatNobodyIsEverChecked) {
  EXPECT_EQ("waiting for ProxySQL's first check of a core", plan({unchecked("core.example")}).situation);
  seen_.no_cluster_user = true;
  EXPECT_EQ("admin-cluster_username isn't set, so ProxySQL never checks a core",
            plan({unchecked("core.example")}).situation);
}

TEST_F(SatellitePlan, TheFilesEntriesStayAlsoWhenTheyAreDead) {
  EXPECT_THAT(statements({dead("core.example"), dead("10.0.0.1")}),
              ElementsAre("DELETE FROM proxysql_servers WHERE hostname = '10.0.0.1' AND port = 6032", kToRuntime));
}

TEST_F(SatellitePlan, ANewCoreGetsItsTime) {
  EXPECT_THAT(statements({dead("10.0.0.1"), unchecked("10.0.0.2")}), IsEmpty());
}

TEST_F(SatellitePlan, NeverChecksCountAsDeadAfterTheTimeout) {
  ServerRow old = unchecked("10.0.0.1");
  old.silent = std::chrono::seconds(6);
  EXPECT_THAT(statements({old}), ElementsAre(kFromConfig, HasSubstr("DELETE"), kToRuntime));
}

TEST_F(SatellitePlan, WithoutASegmentWhoSeemsGoneByTheClockGetsCompanyAndStays) {
  ServerRow gone_by_the_clock = dead("10.0.0.1");
  gone_by_the_clock.moved_ns = 0;
  gone_by_the_clock.silent = {};
  EXPECT_THAT(statements({gone_by_the_clock}), IsEmpty()) << "the next beats will tell";
  remembers_ = false;
  EXPECT_THAT(statements({gone_by_the_clock}), ElementsAre(kFromConfig, kToRuntime)) << "no beat would ever tell";
}

TEST_F(SatellitePlan, WithoutEntriesInTheFileNothingIsRemoved) {
  bootstrap_.clear();
  EXPECT_THAT(statements({dead("10.0.0.1")}), IsEmpty()) << "a dead row is better than none";
  EXPECT_THAT(statements({}), IsEmpty());
  EXPECT_THAT(plan({}).situation, HasSubstr("no proxysql_servers to go back to"));
}

TEST_F(SatellitePlan, LoadsAlsoInTheSecondOfTheLastLoadForNobodyPullsFromIt) {
  seen_.modules = {{"proxysql_servers", 3, kPlanNowS, "0xA"}};
  EXPECT_THAT(statements({in_memory("core.example")}), ElementsAre(kToRuntime));
}

ServerRow with_table(ServerRow row, int64_t epoch, const std::string& checksum) {
  row.modules = {{"proxysql_servers", 2, epoch, checksum}};
  return row;
}

TEST_F(SatellitePlan, WhileItPullsTheCoresTableItLeavesItToThem) {
  list_ = {{{{"10.0.0.1", 6032}, "core-1"}, {{"10.0.0.2", 6032}, "core-2"}}, ""};
  seen_.modules = {{"proxysql_servers", 5, kPlanNowS - 10, "0xA"}};
  EXPECT_THAT(statements({with_table(live("10.0.0.1"), kPlanNowS - 10, "0xA")}), IsEmpty()) << "pulled";
  EXPECT_THAT(statements({with_table(live("10.0.0.1"), kPlanNowS - 5, "0xB")}), IsEmpty()) << "about to be pulled";
}

TEST_F(SatellitePlan, OnceItHasLoadedItsOwnTableItFollowsTheListOfMembers) {
  list_ = {{{{"10.0.0.1", 6032}, "core-1"}, {{"10.0.0.2", 6032}, "core-2"}}, ""};
  const std::vector<std::string> followed = {
      "INSERT OR REPLACE INTO proxysql_servers (hostname, port, weight, comment) VALUES ('10.0.0.2', 6032, 0, "
      "'core-2')",
      "DELETE FROM proxysql_servers WHERE hostname = 'core.example' AND port = 6032", kToRuntime};
  for (const auto& [epoch, checksum] : {std::pair{kPlanNowS - 20, "0xB"}, std::pair{kPlanNowS - 10, "0xB"}}) {
    seen_.modules = {{"proxysql_servers", 5, kPlanNowS - 10, "0xA"}};
    EXPECT_EQ(followed, statements({with_table(live("10.0.0.1"), epoch, checksum), dead("core.example")})) << epoch;
  }
  seen_.modules = {{"proxysql_servers", 5, kPlanNowS, "0xA"}};
  EXPECT_EQ(followed, statements({with_table(live("10.0.0.1"), kPlanNowS - 20, "0xB"), dead("core.example")}))
      << "twice within a second: nobody pulls from a satellite";
  seen_.modules = {{"proxysql_servers", 1, kPlanNowS - 10, "0xA"}};
  EXPECT_THAT(statements({with_table(live("10.0.0.1"), kPlanNowS - 20, "0xB"), dead("core.example")}), IsEmpty())
      << "at version 1 it pulls, however new its own epoch is";
  seen_.modules = {{"proxysql_servers", 5, kPlanNowS - 10, "0xA"}};
  list_.unusable = "too old";
  EXPECT_THAT(statements({with_table(live("10.0.0.1"), kPlanNowS - 20, "0xB"), dead("core.example")}), IsEmpty());
}

TEST_F(SatellitePlan, ReplacedCoresAreFoundAtOnce) {
  list_ = {{{{"10.0.0.8", 6032}, "core-8"}}, ""};
  EXPECT_THAT(statements({live("10.0.0.1")}),
              ElementsAre(HasSubstr("VALUES ('10.0.0.8'"), HasSubstr("DELETE"), kToRuntime));
  EXPECT_THAT(statements({unchecked("10.0.0.1")}),
              ElementsAre(kFromConfig, HasSubstr("VALUES ('10.0.0.8'"), kToRuntime))
      << "not given up yet, so kept";
  EXPECT_THAT(statements({dead("10.0.0.1")}),
              ElementsAre(kFromConfig, HasSubstr("VALUES ('10.0.0.8'"), HasSubstr("DELETE"), kToRuntime));
}

TEST_F(SatellitePlan, ADiscoveredCoreIsNotDeletedAsDead) {
  bootstrap_.clear();
  list_ = {{{{"10.0.0.1", 6032}, "core-1"}}, ""};
  EXPECT_THAT(statements({dead("10.0.0.1"), dead("10.0.0.2")}), ElementsAre(HasSubstr("'10.0.0.2'"), kToRuntime));
}

TEST_F(SatellitePlan, AResyncLoadsAlsoWhenAllIsWell) {
  resync_ = true;
  EXPECT_THAT(statements({live("core.example")}), ElementsAre(kFromConfig, kToRuntime));
}

TEST_F(SatellitePlan, NamesAreQuoted) {
  EXPECT_THAT(statements({dead("o'neil")}), ::testing::Contains(HasSubstr("hostname = 'o''neil'")));
}

// Runs plans against a table that may stop after any statement, and checks what the design promises: never an empty
// table (once there was a row or the file has one), and the same end from everywhere.
class Table {
 public:
  explicit Table(std::vector<ServerRow> rows, const std::vector<ServerEntry>& file) : file_(file) {
    for (const ServerRow& row : rows) {
      if (row.in_memory) memory_.insert(row.hostname);
      if (row.in_runtime) runtime_.insert(row.hostname);
    }
  }
  void run(const std::string& statement) {
    if (statement == kFromConfig) {
      for (const ServerEntry& entry : file_) memory_.insert(entry.hostname);
    } else if (statement == kToRuntime) {
      ASSERT_FALSE(memory_.empty()) << "an empty table was loaded";
      runtime_ = memory_;
    } else {
      const size_t open = statement.find('\'');
      const std::string host = statement.substr(open + 1, statement.find('\'', open + 1) - open - 1);
      if (statement.rfind("INSERT", 0) == 0) memory_.insert(host);
      if (statement.rfind("DELETE", 0) == 0) memory_.erase(host);
    }
  }
  std::vector<ServerRow> rows(const std::set<std::string>& dead_hosts) const {
    std::vector<ServerRow> list;
    std::set<std::string> all = memory_;
    all.insert(runtime_.begin(), runtime_.end());
    for (const std::string& host : all) {
      const bool runs = runtime_.count(host) != 0;
      const std::chrono::seconds silent(dead_hosts.count(host) != 0 ? 60 : 0);
      list.push_back({host, 6032, memory_.count(host) != 0, runs, 0, 0, {}, silent});
    }
    return list;
  }
  const std::set<std::string>& memory() const { return memory_; }
  const std::set<std::string>& runtime() const { return runtime_; }

 private:
  const std::vector<ServerEntry>& file_;
  std::set<std::string> memory_, runtime_;
};

TEST_F(SatellitePlan, KilledAfterAnyStatementTheNextBeatsArriveAllTheSame) {
  const std::set<std::string> dead_hosts = {"10.0.0.1", "10.0.0.2"};
  const std::vector<std::vector<ServerRow>> starts = {
      {}, {dead("10.0.0.1"), dead("10.0.0.2")}, {in_runtime(dead("10.0.0.1"))}, {in_memory("10.0.0.1")}};
  for (size_t start = 0; start < starts.size(); ++start) {
    for (size_t killed_after = 0; killed_after < 6; ++killed_after) {
      Table table(starts[start], bootstrap_);
      bool had_rows = !table.memory().empty();
      for (int beat = 0; beat < 4; ++beat) {
        size_t done = 0;
        for (const Step& step : plan(table.rows(dead_hosts)).steps) {
          if (beat == 0 && done++ == killed_after) break;
          table.run(step.statement);
          EXPECT_TRUE(!had_rows || !table.memory().empty()) << step.statement;
          had_rows |= !table.memory().empty();
        }
      }
      EXPECT_EQ(1u, table.runtime().count("core.example")) << start << " " << killed_after;
      EXPECT_EQ(table.memory(), table.runtime()) << start << " " << killed_after;
    }
  }
}

}  // namespace
}  // namespace pulse
