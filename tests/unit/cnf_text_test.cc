#include "src/cnf_text.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(TrailingCommas, GoBeforeEachClosingBracket) {
  EXPECT_EQ("a=( 1, 2  );", without_trailing_commas("a=( 1, 2, );"));
  EXPECT_EQ("a=[ 1 ];", without_trailing_commas("a=[ 1,];"));
  EXPECT_EQ("( { x=1  }  )", without_trailing_commas("( { x=1, }, )"));
}

TEST(TrailingCommas, MayHaveCommentsBehindThem) {
  EXPECT_EQ("( 1  # why, oh )\n )", without_trailing_commas("( 1, # why, oh )\n )"));
  EXPECT_EQ("( 1  /* , ) */ )", without_trailing_commas("( 1, /* , ) */ )"));
  EXPECT_EQ("( 1  // , )\n)", without_trailing_commas("( 1, // , )\n)"));
}

TEST(TrailingCommas, StayWhereTheySeparate) {
  for (const char* text :
       {"( 1, 2 )", "a=\"x,)\";", "a=\"\\\",)\";", "{ a=1, b=2 }", "( 1, \"s\" )", ", x )", "( 1, /* open", ","}) {
    EXPECT_EQ(text, without_trailing_commas(text));
  }
}

TEST(TrailingCommas, LengthAndLinesStay) {
  const std::string text = "a=(\n 1,\n 2,\n);\nb=\"\n,)\";";
  const std::string out = without_trailing_commas(text);
  EXPECT_EQ(text.size(), out.size());
  EXPECT_EQ("a=(\n 1,\n 2 \n);\nb=\"\n,)\";", out);
}

}  // namespace
}  // namespace pulse
