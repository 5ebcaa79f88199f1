#include "scheduler/dump/dump_format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/csv_reader.h"

namespace pulse {
namespace {

using Cells = std::vector<std::optional<std::string_view>>;

std::string written(DumpFormat format, const std::vector<std::string_view>& columns, const Cells& cells,
                    std::string_view pod = "pod-0") {
  const DumpWriter writer(format, pod, columns);
  std::string out;
  writer.header(out);
  writer.row(out, cells);
  return out;
}

std::string csv_cell(std::string_view text) {
  const std::string out = written(DumpFormat::csv, {"a"}, {text});
  const std::string before = "pod_name,a\r\npod-0,";
  EXPECT_EQ(before, out.substr(0, before.size()));
  return out.substr(before.size());
}

std::string json_cell(std::string_view text) {
  const std::string out = written(DumpFormat::jsonl, {"a"}, {text});
  const std::string before = "{\"pod_name\":\"pod-0\",\"a\":";
  EXPECT_EQ(before, out.substr(0, before.size()));
  EXPECT_EQ("}\n", out.substr(out.size() - 2));
  return out.substr(before.size(), out.size() - before.size() - 2);
}

TEST(DumpFormat, TakesStatisticsTablesAlone) {
  for (const char* name : {"stats_mysql_query_digest", "stats_mysql_global", "stats_no_such", "stats_x9"}) {
    const auto table = parse_dump_table(name);
    ASSERT_TRUE(table) << name;
    EXPECT_EQ(std::string("SELECT * FROM ") + name, table->statement());
    EXPECT_FALSE(table->reset);
  }
  const auto reset = parse_dump_table("stats_mysql_errors_reset");
  ASSERT_TRUE(reset);
  EXPECT_TRUE(reset->reset);
  EXPECT_EQ("stats_mysql_errors", reset->name);
  EXPECT_EQ("SELECT * FROM stats_mysql_errors_reset", reset->statement());
  for (const char* name : {"", "mysql_users", "runtime_mysql_servers", "disk.mysql_users", "stats.stats_mysql_global",
                           "STATS_MYSQL_GLOBAL", "stats_Mysql_global", "stats_a b", "stats_a;", "stats_a'", "stats_é",
                           "monitor.mysql_server_ping_log", "mysql_stats_", "stats-mysql"}) {
    const auto table = parse_dump_table(name);
    ASSERT_FALSE(table) << name;
    EXPECT_NE(std::string::npos, table.error().text.find("only tables named stats_"));
  }
  EXPECT_FALSE(parse_dump_table("stats_" + std::string(1000, 'a')));
}

TEST(DumpFormat, NeverReadsTheTableThatHangsTheAdminInterface) {
  for (const char* name : {"stats_proxysql_servers_metrics", "stats_proxysql_servers_metrics_reset"}) {
    const auto table = parse_dump_table(name);
    ASSERT_FALSE(table);
    EXPECT_NE(std::string::npos, table.error().text.find("can hang ProxySQL's admin interface"));
  }
}

TEST(DumpFormat, TheHeaderIsThatOfProxysqlAgentWithClientAddress) {
  const std::vector<std::string_view> columns = {
      "hostgroup",  "schemaname", "username", "client_address", "digest",   "digest_text",       "count_star",
      "first_seen", "last_seen",  "sum_time", "min_time",       "max_time", "sum_rows_affected", "sum_rows_sent"};
  std::string header;
  DumpWriter(DumpFormat::csv, "pod-0", columns).header(header);
  EXPECT_EQ(
      "pod_name,hostgroup,schemaname,username,client_address,digest,digest_text,count_star,first_seen,last_seen,"
      "sum_time_us,min_time_us,max_time,sum_rows_affected,sum_rows_sent\r\n",
      header);
  header.clear();
  DumpWriter(DumpFormat::jsonl, "pod-0", columns).header(header);
  EXPECT_EQ("", header);
}

TEST(DumpFormat, CsvQuotesWhatNeedsIt) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""},
      {"plain text", "plain text"},
      {" spaces ", " spaces "},
      {"a,b", "\"a,b\""},
      {"\"", "\"\"\"\""},
      {"say \"hi\", \"\"", "\"say \"\"hi\"\", \"\"\"\"\""},
      {"a\nb", "\"a\nb\""},
      {"a\rb", "\"a\rb\""},
      {"a\r\n", "\"a\r\n\""},
      {"a\tb\\n'c'", "a\tb\\n'c'"},
      {"\xFF\x01\xC3(", "\xFF\x01\xC3("},
      {"Zürich", "Zürich"},
      {{"a\0b", 3}, {"a\0b", 3}},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(std::string(expected) + "\r\n", csv_cell(text)) << text;
}

TEST(DumpFormat, CsvComesBackAsItWas) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string texts[] = {"",    "\"",  ",", "\r\n",    "\"\r\n,\"",
                               "a\"", "\"a", all, all + all, std::string(5000, '"')};
  for (const std::string& text : texts) {
    const auto records = test::read_csv(written(DumpFormat::csv, {text, "b"}, {text, text}, text));
    ASSERT_TRUE(records);
    ASSERT_EQ(2u, records->size());
    EXPECT_EQ((test::CsvRecord{"pod_name", text, "b"}), (*records)[0]);
    EXPECT_EQ((test::CsvRecord{text, text, text}), (*records)[1]);
  }
}

TEST(DumpFormat, JsonEscapesWhatNeedsIt) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "\"\""},
      {"plain", "\"plain\""},
      {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
      {"a\r\n\tb", "\"a\\r\\n\\tb\""},
      {{"\0\x01\x1F\x7F", 4}, "\"\\u0000\\u0001\\u001f\x7F\""},
      {"Zürich 東京 \xF0\x9F\x90\xAC", "\"Zürich 東京 \xF0\x9F\x90\xAC\""},
      {"a\xFF", "\"a\xEF\xBF\xBD\""},
      {"\xC3(", "\"\xEF\xBF\xBD(\""},
      {"\xE6\x9D", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                                  // cut short
      {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                                  // overlong
      {"\xE0\x80\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},                  // overlong
      {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},                  // a surrogate
      {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},  // beyond U+10FFFF
      {"\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80", "\"\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80\""},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(expected, json_cell(text)) << text;
    EXPECT_FALSE(nlohmann::json::parse(json_cell(text), nullptr, false).is_discarded()) << text;
  }
}

TEST(DumpFormat, NullIsEmptyInCsvAndNullInJson) {
  const std::vector<std::string_view> columns = {"a", "first_seen", "count_star", "b"};
  const Cells cells = {std::nullopt, std::nullopt, std::nullopt, ""};
  EXPECT_EQ("pod_name,a,first_seen,count_star,b\r\npod-0,,,,\r\n", written(DumpFormat::csv, columns, cells));
  EXPECT_EQ("{\"pod_name\":\"pod-0\",\"a\":null,\"first_seen\":null,\"count_star\":null,\"b\":\"\"}\n",
            written(DumpFormat::jsonl, columns, cells));
}

TEST(DumpFormat, CountsAreNumbersInJson) {
  const auto count = [](std::string_view text) {
    const std::string line = written(DumpFormat::jsonl, {"count_star"}, {text});
    return nlohmann::json::parse(line)["count_star"];
  };
  EXPECT_EQ(7, count("7"));
  EXPECT_EQ(0, count("0"));
  EXPECT_EQ(-1, count("-1"));
  EXPECT_EQ(18446744073709551615u, count("18446744073709551615"));
  for (const char* text : {"", "-", "007", "1.5", "1e3", "+1", " 1", "0x1", "one"}) EXPECT_EQ(text, count(text));
  EXPECT_EQ("7", nlohmann::json::parse(written(DumpFormat::jsonl, {"digest_text"}, {"7"}))["digest_text"]);
  // A name of proxysql-agent's is still a count.
  EXPECT_EQ(5, nlohmann::json::parse(written(DumpFormat::jsonl, {"sum_time"}, {"5"}))["sum_time_us"]);
}

TEST(DumpFormat, ColumnsOfTimesAndNoOthersAreConverted) {
  EXPECT_EQ("pod_name,first_seen,sum_time_us,digest\r\npod-0,2025-06-07T08:09:10Z,1749283750,1749283750\r\n",
            written(DumpFormat::csv, {"first_seen", "sum_time", "digest"}, {"1749283750", "1749283750", "1749283750"}));
  EXPECT_EQ("{\"pod_name\":\"pod-0\",\"last_seen\":\"2025-06-07T08:09:10Z\"}\n",
            written(DumpFormat::jsonl, {"last_seen"}, {"1749283750"}));
  for (const char* none : {"", "-5", "soon", "1749283750x", "99999999999999999999", "253402300800", "1,2"}) {
    const auto records = test::read_csv(written(DumpFormat::csv, {"updated_at"}, {none}));
    ASSERT_TRUE(records);
    EXPECT_EQ(none, (*records)[1][1]);
    EXPECT_EQ(none, nlohmann::json::parse(written(DumpFormat::jsonl, {"updated_at"}, {none}))["updated_at"]);
  }
}

TEST(DumpFormat, TheFileNameHasPodTableAndTime) {
  constexpr int64_t kInstant = 1'749'283'750'007'999'999;
  EXPECT_EQ("pod-0-stats_mysql_global-20250607T080910.007Z.csv",
            dump_file_name("pod-0", "stats_mysql_global", kInstant, DumpFormat::csv));
  EXPECT_EQ("a_b-t-20250607T080910.007Z.jsonl", dump_file_name("a/b", "t", kInstant, DumpFormat::jsonl));
}

}  // namespace
}  // namespace pulse
