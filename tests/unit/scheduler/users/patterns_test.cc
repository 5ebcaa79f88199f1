#include "scheduler/users/patterns.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(Patterns, StarIsAnyTextAndQuestionMarkOneCharacter) {
  struct Case {
    const char* pattern;
    const char* name;
    bool fits;
  };
  for (const Case& one : {
           Case{"app", "app", true},
           {"app", "apps", false},
           {"app", "App", false},
           {"", "", true},
           {"", "a", false},
           {"*", "", true},
           {"*", "any'thing", true},
           {"app_*", "app_", true},
           {"app_*", "app_x", true},
           {"app_*", "appx", false},
           {"*_ro", "a_ro_ro", true},
           {"*_ro", "a_ro_rw", false},
           {"a*b*c", "aXbYbZc", true},
           {"a*b*c", "aXbYbZ", false},
           {"a?c", "abc", true},
           {"a?c", "ac", false},
           {"a?c",
            "a\xc3\xa4"
            "c",
            true},  // one character of two bytes
           {"?", "\xf0\x9f\x90\x98", true},
           {"??", "\xf0\x9f\x90\x98", false},
           {"*?", "\xf0\x9f\x90\x98", true},
           {"[a]", "a", false},  // nothing but * and ? is special
           {"[a]", "[a]", true},
           {"a.c", "abc", false},
       }) {
    EXPECT_EQ(one.fits, matches(one.pattern, one.name)) << one.pattern << " " << one.name;
  }
}

TEST(Patterns, ManyStarsTakeNoTimeThatGrowsWithoutBound) {
  std::string pattern;
  for (int i = 0; i < 30; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", std::string(5000, 'a')));
}

TEST(Patterns, OnlyANameWithoutAPatternNamesExactly) {
  EXPECT_TRUE(names_exactly({"b*", "admin"}, "admin"));
  EXPECT_FALSE(names_exactly({"admi*"}, "admin"));
  EXPECT_FALSE(names_exactly({"a*"}, "a*"));
  EXPECT_FALSE(names_exactly({}, "admin"));
}

TEST(Patterns, TheFirstHostgroupRuleThatFitsCounts) {
  const auto rules = parse_hostgroup_rules({"report_*=20", "=odd=3", "*=10"});
  ASSERT_TRUE(rules) << rules.error().text;
  EXPECT_EQ(20, hostgroup_of(*rules, "report_x"));
  EXPECT_EQ(3, hostgroup_of(*rules, "=odd"));
  EXPECT_EQ(10, hostgroup_of(*rules, "app"));
  EXPECT_EQ(0, hostgroup_of({}, "app"));
}

TEST(Patterns, AHostgroupRuleHasANumber) {
  for (const char* text : {"app", "app=", "app=x", "app=-1", "=1", "app=99999999999"}) {
    EXPECT_FALSE(parse_hostgroup_rules({text})) << text;
  }
}

}  // namespace
}  // namespace pulse
