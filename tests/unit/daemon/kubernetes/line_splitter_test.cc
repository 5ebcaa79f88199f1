#include "daemon/kubernetes/line_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pulse {
namespace {

using ::testing::ElementsAre;

TEST(LineSplitterTest, CutsWhereverThePiecesEnd) {
  const std::string stream = "one\n\ntwo two\nthree\nrest";
  for (size_t size = 1; size <= stream.size(); ++size) {
    LineSplitter lines(100);
    std::vector<std::string> got;
    for (size_t at = 0; at < stream.size(); at += size) {
      EXPECT_TRUE(lines.feed(std::string_view(stream).substr(at, size), [&](std::string_view line) {
        got.emplace_back(line);
        return true;
      }));
    }
    EXPECT_THAT(got, ElementsAre("one", "", "two two", "three")) << size;
    EXPECT_EQ("rest", lines.rest());
  }
}

TEST(LineSplitterTest, BoundsALineAndStopsWhenTold) {
  const auto take = [](std::string_view) { return true; };
  LineSplitter whole(4);
  EXPECT_TRUE(whole.feed("1234\n", take));
  EXPECT_FALSE(whole.feed("12345\n", take));
  LineSplitter parts(4);
  EXPECT_TRUE(parts.feed("123", take));
  EXPECT_FALSE(parts.feed("45", take)) << "before its end is seen";
  LineSplitter told(100);
  int calls = 0;
  EXPECT_FALSE(told.feed("a\nb\nc\n", [&](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(2, calls);
}

}  // namespace
}  // namespace pulse
