#include "scheduler/admin/row_collector.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(RowCollectorTest, KeepsNamesAndRowsAndNullAsNothing) {
  RowCollector rows;
  EXPECT_TRUE(rows.columns({"a", "b"}));
  EXPECT_TRUE(rows.row({"1", std::nullopt}));
  EXPECT_EQ((std::vector<std::string>{"a", "b"}), rows.names());
  EXPECT_EQ((std::vector<std::vector<std::string>>{{"1", ""}}), rows.rows());
}

// Their memory counts, not their letters: short cells are what a beat's 64 MiB end by first.
TEST(RowCollectorTest, EndsWithAnErrorLongBeforeTheMemory) {
  for (const size_t letters : {0, 5, 20, 100'000}) {
    const std::string cell(letters, 'x');
    RowCollector rows;
    const std::vector<std::optional<std::string_view>> cells(14, cell);
    size_t bytes = 0;
    while (rows.row(cells)) {
      bytes += sizeof(std::vector<std::string>) + 14 * (sizeof(std::string) + (cell.size() > 15 ? cell.size() : 0));
      ASSERT_LT(bytes, size_t{32} << 20);
    }
    EXPECT_TRUE(rows.is_full());
    EXPECT_GT(bytes, size_t{12} << 20);
  }
}

}  // namespace
}  // namespace pulse
