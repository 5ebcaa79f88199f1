// A dump of ProxySQL 3's statistics of PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/base/exit_code.h"
#include "tests/csv_reader.h"
#include "tests/integration/pgsql_client.h"
#include "tests/integration/pgsql_server.h"

namespace pulse::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kDigests = "stats_pgsql_query_digest";
const CsvRecord kHeader = {"pod_name",    "hostgroup",   "database",   "username",          "client_address",
                           "digest",      "digest_text", "count_star", "first_seen",        "last_seen",
                           "sum_time_us", "min_time_us", "max_time",   "sum_rows_affected", "sum_rows_sent"};

class PgsqlDump : public PgsqlServerTest {
 protected:
  // The dump's records, its header first; nothing where it fails.
  static std::vector<CsvRecord> dump(const Server& server, std::vector<std::string> arguments) {
    const TempDir dir;
    arguments.insert(arguments.begin(), "dump");
    arguments.push_back("--output=" + dir.path());
    const Ran ran = run_to_end(server.pulse(arguments), server.dir());
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      std::stringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      return read_csv(text.str()).value_or(std::vector<CsvRecord>());
    }
    return {};
  }
  static void ask(const Server& server, const std::string& statement, int times) {
    PgsqlClient client(server.pgsql_port(), "app", "app");
    for (int i = 0; i < times; ++i) ASSERT_TRUE(client.query(statement)) << client.error();
  }
  // What was counted of the statements that contain the text.
  static int64_t count_of(const std::vector<CsvRecord>& records, const std::string& text) {
    int64_t count = 0;
    for (size_t i = 1; i < records.size(); ++i) {
      if (records[i].at(6).find(text) != std::string::npos) count += std::stoll(records[i].at(7));
    }
    return count;
  }
};

TEST_F(PgsqlDump, DigestsHaveTheirColumnsByName) {
  Server server(options());
  ask(server, "SELECT 17", 5);
  const auto records = dump(server, {kDigests});
  ASSERT_GE(records.size(), 2u);
  EXPECT_EQ(kHeader, records[0]);
  EXPECT_EQ(5, count_of(records, "SELECT ?"));
  EXPECT_THAT(records[1][8], HasSubstr("T")) << "RFC 3339";
  EXPECT_EQ("app", records[1][3]);
  EXPECT_EQ(records.size(), dump(server, {kDigests}).size()) << "reading takes nothing away";
}

TEST_F(PgsqlDump, WithResetNothingIsLostAndNothingCountedTwice) {
  Server server(options());
  ask(server, "SELECT 17", 5);
  EXPECT_EQ(5, count_of(dump(server, {kDigests, "--reset"}), "SELECT ?"));
  ask(server, "SELECT 17", 3);
  EXPECT_EQ(3, count_of(dump(server, {"stats_pgsql_query_digest_reset"}), "SELECT ?"));
  EXPECT_EQ(std::vector<CsvRecord>{kHeader}, dump(server, {kDigests}));
}

TEST_F(PgsqlDump, OfAnyOtherTableOfPostgresql) {
  Server server(options());
  const auto records = dump(server, {"stats_pgsql_global"});
  ASSERT_GE(records.size(), 2u);
  EXPECT_THAT(records[0], ElementsAre("pod_name", "Variable_Name", "Variable_Value"));
}

TEST(PgsqlTables, OfAProxysqlWithoutPostgresqlAreItsOwnError) {
  if (is_real() && proxysql_major() >= 3) GTEST_SKIP() << "this one has it";
  Server::Options old;
  old.version = is_real() ? "" : "2.7.1-16-g2726c27";
  const Server server(old);
  const Ran ran = server.run({"dump", kDigests, "--output=-"});
  EXPECT_EQ(kExitStatement, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("no such table: stats_pgsql_query_digest"));
}

}  // namespace
}  // namespace pulse::test
