#include "scheduler/beat/served_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

namespace pulse {
namespace {

using ::testing::HasSubstr;
using Table = std::vector<std::vector<std::string>>;  // the first row is the columns' names

constexpr int kRefused = 1045;

// Whole tables by name; a table that isn't there is refused as ProxySQL does it.
class TablesSession final : public AdminSession {
 public:
  std::map<std::string, Table> tables;
  std::map<std::string, std::string> counts;  // otherwise than there are rows
  std::optional<Error> broken;

  Result<AdminResult> query(const std::string& statement, Deadline) override {
    if (broken) return *broken;
    std::vector<std::string> cells;
    for (size_t at = statement.find("FROM "); at != std::string::npos; at = statement.find("FROM ", at + 1)) {
      const std::string name = statement.substr(at + 5, statement.find(')', at) - at - 5);
      if (tables.count(name) == 0) return Error{"no such table: " + name, kRefused};
      cells.push_back(counts.count(name) != 0 ? counts[name] : std::to_string(tables[name].size() - 1));
    }
    return AdminResult{{cells}, 0};
  }
  Result<uint64_t> read(const std::string& statement, RowSink& sink, Deadline) override {
    const Table& table = tables.at(statement.substr(std::string("SELECT * FROM ").size()));
    if (auto taken = sink.columns({table[0].begin(), table[0].end()}); !taken) return taken.error();
    for (size_t i = 1; i < table.size(); ++i) {
      if (auto taken = sink.row({table[i].begin(), table[i].end()}); !taken) return taken.error();
    }
    return uint64_t{0};
  }
  uint64_t connection_id() const override { return 1; }
  void say_goodbye(Deadline) override {}
};

class ServedRowsTest : public ::testing::Test {
 protected:
  Result<void> compare(const char* module) {
    return compare_with_runtime(session_, *find_file_module(module), Deadline::after(std::chrono::seconds(1)));
  }
  void expect_held(const char* module, const std::string& what) {
    const auto done = compare(module);
    ASSERT_FALSE(done);
    EXPECT_EQ(EAGAIN, done.error().code);
    EXPECT_THAT(done.error().text, HasSubstr(what));
  }

  TablesSession session_;
};

TEST_F(ServedRowsTest, UsersAreTheSameThoughRuntimeListsThemTwice) {
  const std::vector<std::string> columns = {"username", "password", "active", "backend", "frontend", "comment"};
  session_.tables["mysql_users"] = {columns,
                                    {"app", "x", "1", "1", "1", ""},
                                    {"only_here", "x", "1", "0", "1", ""},
                                    {"rests", "x", "0", "1", "1", ""}};
  session_.tables["runtime_mysql_users"] = {
      columns, {"app", "x", "1", "0", "1", ""}, {"app", "x", "1", "1", "0", ""}, {"only_here", "x", "1", "0", "1", ""}};
  const auto done = compare("mysql_users");
  EXPECT_TRUE(done) << done.error().text;
  session_.tables["mysql_users"].push_back({"draft", "x", "1", "1", "1", ""});
  expect_held("mysql_users", "mysql_users draft");
}

TEST_F(ServedRowsTest, OfServersAShunnedOneIsMeantToBeOnline) {
  const std::vector<std::string> columns = {"hostgroup_id", "hostname", "port", "status", "weight"};
  session_.tables["mysql_servers"] = {columns, {"0", "a", "3306", "ONLINE", "1"}};
  session_.tables["runtime_mysql_servers"] = {
      columns, {"0", "a", "3306", "SHUNNED", "1"}, {"0", "gone", "3306", "OFFLINE_HARD", "1"}};
  EXPECT_TRUE(compare("mysql_servers")) << "its other tables aren't there";
  // The monitor has made another one the writer.
  session_.tables["runtime_mysql_servers"][1][0] = "1";
  expect_held("mysql_servers", "mysql_servers 0 a 3306");
  session_.tables["runtime_mysql_servers"][1][0] = "0";
  const std::vector<std::string> attributes = {"hostgroup_id", "max_num_online_servers"};
  session_.tables["mysql_hostgroup_attributes"] = {attributes, {"0", "7"}};
  session_.tables["runtime_mysql_hostgroup_attributes"] = {attributes};
  expect_held("mysql_servers", "mysql_hostgroup_attributes");
}

TEST_F(ServedRowsTest, OfRulesThoseThatRestArentAtRuntime) {
  const std::vector<std::string> columns = {"rule_id", "active", "username", "destination_hostgroup"};
  session_.tables["mysql_query_rules"] = {columns, {"1", "1", "", "1"}, {"2", "0", "", "1"}};
  session_.tables["runtime_mysql_query_rules"] = {columns, {"1", "1", "", "1"}};
  EXPECT_TRUE(compare("mysql_query_rules"));
  session_.tables["mysql_query_rules"][2][1] = "1";
  expect_held("mysql_query_rules", "mysql_query_rules 2");
}

TEST_F(ServedRowsTest, WhatIsTooLargeIsHeldBackUnread) {
  session_.tables["mysql_users"] = session_.tables["runtime_mysql_users"] = {{"username"}};
  session_.counts["runtime_mysql_users"] = std::to_string(kMostServedRows + 1);
  expect_held("mysql_users", "more than 20000 rows");
}

TEST_F(ServedRowsTest, NothingIsTakenForGrantedOfATableThatIsntRead) {
  EXPECT_FALSE(compare("mysql_users"));
  session_.broken = Error{"database is locked", kRefused};
  EXPECT_FALSE(compare("mysql_users"));
}

TEST_F(ServedRowsTest, ABrokenConversationIsItsOwnError) {
  session_.broken = Error{"timed out", ETIMEDOUT};
  const auto done = compare("mysql_users");
  ASSERT_FALSE(done);
  EXPECT_EQ(ETIMEDOUT, done.error().code);
}

}  // namespace
}  // namespace pulse
