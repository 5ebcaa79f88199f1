#include "scheduler/doctor/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace pulse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const ReportHead kHead{"core", "/etc/proxysql.cnf", 12, 5000};

TEST(ReportTest, WhereAllIsWellThatIsTheFirstLine) {
  const Findings well = {{Severity::ok, "scheduler", "id 1, every 2000 ms"}};
  EXPECT_EQ("all is well (core, /etc/proxysql.cnf)\n\nok  scheduler           id 1, every 2000 ms\n",
            report_text(kHead, well, false));
}

TEST(ReportTest, TheWorstComesFirstWithWhatItMeansAndWhatToDo) {
  const Findings findings = {{Severity::notice, "disk", "differs", "later", "save"},
                             {Severity::ok, "segment", "there"},
                             {Severity::critical, "admin interface", "hangs", "nothing is healed", "wait"}};
  EXPECT_EQ(
      "1 critical, 1 notice (core, /etc/proxysql.cnf)\n\n"
      "CRITICAL  admin interface: hangs\n          means: nothing is healed\n          do:    wait\n\n"
      "NOTICE    disk: differs\n          means: later\n          do:    save\n\n"
      "ok  segment             there\n",
      report_text(kHead, findings, false));
}

TEST(ReportTest, NoLineIsLongerThan80Columns) {
  const std::string text(500, 'x');
  std::string words;
  for (int i = 0; i < 100; ++i) words += "word" + std::to_string(i) + " ";
  for (const Severity severity : {Severity::ok, Severity::notice, Severity::warning, Severity::critical}) {
    std::istringstream lines(report_text(kHead, {{severity, "subject", words, words, words}}, false));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(ReportTest, OnlyATerminalGetsColours) {
  const Findings findings = {{Severity::warning, "a", "b"}};
  EXPECT_THAT(report_text(kHead, findings, true), HasSubstr("\x1b[1;33mWARNING"));
  EXPECT_THAT(report_text(kHead, findings, false), Not(HasSubstr("\x1b")));
}

TEST(ReportTest, JsonHasAllOfIt) {
  const auto json = nlohmann::json::parse(
      report_json(kHead, {{Severity::warning, "drain", "w\xff", "m", "a"}, {Severity::ok, "x", "y"}}));
  EXPECT_EQ("warning", json["worst"]);
  EXPECT_EQ(1, json["counts"]["warning"]);
  EXPECT_EQ(1, json["counts"]["ok"]);
  EXPECT_EQ("drain", json["findings"][0]["subject"]);
  EXPECT_EQ("a", json["findings"][0]["action"]);
  EXPECT_EQ(5000, json["deadline_ms"]);
}

TEST(ReportTest, TheExitCodeIsThatOfTheWorst) {
  EXPECT_EQ(kExitOk, exit_code_of(worst_of({})));
  EXPECT_EQ(kExitOk, exit_code_of(worst_of({{Severity::notice, "", ""}})));
  EXPECT_EQ(kExitWarning, exit_code_of(worst_of({{Severity::notice, "", ""}, {Severity::warning, "", ""}})));
  EXPECT_EQ(kExitCritical, exit_code_of(worst_of({{Severity::critical, "", ""}, {Severity::ok, "", ""}})));
}

}  // namespace
}  // namespace pulse
