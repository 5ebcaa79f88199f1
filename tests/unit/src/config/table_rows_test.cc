#include "src/config/table_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/config-corpus/corpus.h"

namespace pulse {
namespace {

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> found;
  for (size_t begin = 0; begin < line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    found.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return found;
}

std::string shown(const std::optional<std::string>& cell) { return cell ? "=" + test::escape(*cell) : "N"; }

// What ProxySQL's tables hold after the file, as rows.txt has it.
std::vector<std::string> stored(const Cnf& cnf, const std::vector<std::vector<std::string>>& tables) {
  std::vector<std::string> lines;
  for (const std::vector<std::string>& table : tables) {
    for (const ListedRow& row : listed_rows(table.front(), cnf.root().find(table.front()))) {
      std::string line = table.front() + " ";
      for (size_t i = 1; i < table.size(); ++i) {
        line += (i == 1 ? "" : "\t") + shown(stored_cell(table.front(), row, table[i]));
      }
      lines.push_back(line);
    }
  }
  for (const char* prefix : {"admin", "mysql"}) {
    const CnfSetting* group = cnf.root().find(std::string(prefix) + "_variables");
    if (group == nullptr || !group->is(CnfType::group)) continue;
    for (const CnfSetting& variable : CnfChildren(group)) {
      const auto text = variable_text(variable);
      if (!text) continue;
      lines.push_back("global_variables =" + std::string(prefix) + "-" + std::string(variable.name) + "\t" +
                      shown(text));
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(TableRows, AreThoseThatARealServerStores) {
  std::vector<std::vector<std::string>> tables;
  std::vector<std::string> wanted;
  std::string input;
  size_t inputs = 0;
  const auto check = [&] {
    if (input.empty()) return;
    ++inputs;
    std::sort(wanted.begin(), wanted.end());
    const auto cnf = parse_cnf(test::unescape(input), "f");
    ASSERT_TRUE(cnf) << cnf.error().text << "\n" << input;
    EXPECT_EQ(wanted, stored(*cnf, tables)) << input;
    wanted.clear();
  };
  for (const std::string& line : test::corpus_lines("rows.txt")) {
    if (line.starts_with("columns global_variables")) continue;
    if (line.starts_with("columns ")) {
      tables.push_back(words(line.substr(8)));
    } else if (line.starts_with("in ")) {
      check();
      input = line.substr(3);
    } else {
      wanted.push_back(line);
    }
  }
  check();
  EXPECT_LT(800u, inputs);
}

// What is loaded without a row that the file means takes it away: the load isn't run then.
TEST(TableRows, RowsThatTheTableRefusesAreMeantAllTheSame) {
  const auto cnf = parse_cnf(
      "mysql_users=( { username=\"a\" }, { username=\"b\" active=7 }, { username=\"it's\" }, { password=\"none\" } )",
      "f");
  ASSERT_TRUE(cnf);
  const CnfSetting* list = cnf->root().find("mysql_users");
  EXPECT_EQ(1u, listed_rows("mysql_users", list).size());
  const FileTable table = read_table("mysql_users", list);
  ASSERT_EQ(3u, table.rows.size());
  EXPECT_EQ("7", table.rows[0].at("active"));
  EXPECT_EQ("a", table.rows[1].at("username"));
  EXPECT_EQ("it's", table.rows[2].at("username"));
  EXPECT_TRUE(listed_rows("mysql_users", nullptr).empty());
}

}  // namespace
}  // namespace pulse
