#include "scheduler/drain/variables_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using Rows = std::vector<std::vector<std::string>>;

VariablesSync sync(Rows rows) {
  rows.push_back({"diffs", "3", "", ""});
  return variables_sync_of({std::move(rows), 0});
}

TEST(VariablesSync, TellsAPullThatIsDueFromOneThatNeverComes) {
  struct Case {
    const char* name;
    Rows rows;
    bool pull_due;
    uint32_t overtaken;
  };
  const std::vector<std::string> own = {"own", "5", "100", "0xA"};
  for (const Case& c :
       {Case{"alone", {own}, false, 0}, Case{"the same content", {own, {"peer", "3", "101", "0xA"}}, false, 0},
        Case{"a newer one", {own, {"peer", "3", "101", "0xB"}}, true, 0},
        Case{"an older one", {own, {"peer", "3", "99", "0xB"}}, false, 1},
        Case{"of the same second", {own, {"peer", "3", "100", "0xB"}}, false, 1},
        Case{"both: the newer one wins", {own, {"peer", "3", "99", "0xB"}, {"peer", "3", "101", "0xC"}}, true, 0},
        Case{"at version 1 nobody pulls it", {own, {"peer", "1", "101", "0xB"}}, false, 0},
        Case{"never read", {own, {"peer", "0", "0", ""}}, false, 0},
        Case{"at version 1 anything is pulled", {{"own", "1", "100", "0xA"}, {"peer", "3", "99", "0xB"}}, true, 0},
        Case{"no own", {{"peer", "3", "101", "0xB"}}, false, 0}, Case{"short rows", {own, {"peer", "3"}}, false, 0}}) {
    const VariablesSync result = sync(c.rows);
    EXPECT_EQ(c.pull_due, result.pull_due) << c.name;
    EXPECT_EQ(c.overtaken, result.overtaken) << c.name;
  }
}

TEST(VariablesSync, WhereVariablesArentSyncedNothingIsDue) {
  const Rows rows = {{"own", "5", "100", "0xA"}, {"peer", "3", "101", "0xB"}, {"diffs", "0", "", ""}};
  EXPECT_FALSE(variables_sync_of({rows, 0}).pull_due);
}

TEST(VariablesSync, SaysTheStatementThatEndsIt) {
  EXPECT_THAT(overtaken_text({false, 2}), ::testing::HasSubstr("LOAD MYSQL VARIABLES TO RUNTIME on a core"));
  EXPECT_EQ(std::string::npos, variables_sync_statement().find("global_variables")) << "rebuilds the runtime's table";
}

}  // namespace
}  // namespace pulse
