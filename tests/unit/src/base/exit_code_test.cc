#include "src/base/exit_code.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace pulse {
namespace {

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(PULSE_SOURCE_DIR "/") + path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

std::set<int> list() {
  std::set<int> codes;
  for (const ExitCodeRow& row : kExitCodes) codes.insert(row.code);
  return codes;
}

// The numbers that begin a row of a Markdown table whose head is "| code |", or an item of a manual's EXIT STATUS.
std::set<int> documented(const std::string& path) {
  std::istringstream lines(read_source(path));
  std::set<int> codes;
  bool inside = false;
  const std::regex row(R"(^(?:\| |\.It )([0-9]+)\b(?!\+).*)");
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("| code |", 0) == 0 || line == ".Sh EXIT STATUS") inside = true;
    if (line.empty() || line == ".El") inside = false;
    if (inside && std::regex_match(line, match, row)) codes.insert(std::stoi(match[1]));
  }
  return codes;
}

bool is_of_a_command(int code) { return code == 126 || code == 127 || code > 128; }

TEST(ExitCodes, EachHasOneRow) {
  EXPECT_EQ(kExitCodes.size(), list().size());
  EXPECT_STREQ("hard timeout", find_exit_code(kExitTimeout)->meaning);
  EXPECT_EQ(nullptr, find_exit_code(3));
}

TEST(ExitCodes, TheWholeTablesAreTheList) {
  for (const char* path : {"docs/exit-codes.md", "docs/man/proxysql-pulse.1"}) {
    std::set<int> codes = documented(path);
    std::erase_if(codes, is_of_a_command);
    EXPECT_EQ(list(), codes) << path;
  }
}

TEST(ExitCodes, NoTableHasAnother) {
  const std::set<int> known = list();
  std::set<std::string> paths = {"README.md"};
  for (const char* directory : {"docs", "docs/man"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PULSE_SOURCE_DIR "/") + directory)) {
      const std::string extension = entry.path().extension();
      if (extension == ".md" || extension == ".1" || extension == ".8") {
        paths.insert(std::string(directory) + "/" + entry.path().filename().string());
      }
    }
  }
  size_t found = 0;
  const std::regex mention(R"(\bexit(?:s with| code)? ([0-9]+)\b(?!\+))", std::regex::icase);
  for (const std::string& path : paths) {
    std::set<int> codes = documented(path);
    const std::string text = read_source(path);
    for (std::sregex_iterator at(text.begin(), text.end(), mention), end; at != end; ++at) {
      codes.insert(std::stoi((*at)[1]));
    }
    found += codes.size();
    for (const int code : codes) EXPECT_TRUE(known.count(code) != 0 || is_of_a_command(code)) << path << ": " << code;
  }
  EXPECT_GT(found, 2 * known.size()) << "the tables are there";
}

}  // namespace
}  // namespace pulse
