#include "src/config/cnf_text.h"

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

TEST(FirstRows, OfEachListAtTheTop) {
  EXPECT_EQ("a=( { x=1 }); b : ( 1)\n", with_first_rows("a=( { x=1 }, { x=2 } ); b : ( 1, 2, 3)\n"));
  EXPECT_EQ("a=( { x=( 1, 2 ) })", with_first_rows("a=( { x=( 1, 2 ) }, { x=( 1, 2 ) }, )"));
}

TEST(FirstRows, LinesStay) {
  EXPECT_EQ("a=\n( 1\n\n) b=2", with_first_rows("a=\n( 1,\n 2,\n) b=2"));
  EXPECT_EQ("a=( \"x\"\n)", with_first_rows("a=( \"x\", # ) , (\n 2 )"));
  EXPECT_EQ("a=( 1)", with_first_rows("a=( 1, \"\\\")\", /*)*/ 2)"));
}

TEST(FirstRows, AllOfWhatIsNeeded) {
  for (const char* text :
       {"scheduler=( 1, 2 )", "proxysql_servers : ( { a=1 }, { a=2 } )", "scheduler\n=\n# (a\n( 1, 2 )",
        "pulse={ jobs=( 1, 2 ) }", "a=[ 1, 2 ]", "a=( 1 )", "a=()", "a=1, b=2", ""}) {
    EXPECT_EQ(text, with_first_rows(text));
  }
}

TEST(FirstRows, NothingIsTakenFromWhatIsNotUnderstood) {
  for (const char* text : {"a=( 1, 2", "a=( 1, 2 } b=( 3, 4 )", "a=( 1, 2 ) )", "a=( 1, \"2 )", "a=( 1, 2 ) /* b",
                           "a=( 1,\n@include \"more\"\n)", "( 1, 2 )"}) {
    EXPECT_EQ(text, with_first_rows(text));
  }
}

}  // namespace
}  // namespace pulse
