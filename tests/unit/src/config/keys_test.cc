#include "src/config/keys.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(Keys, EachHasAFieldOfItsOwn) {
  for (const Key& key : kKeys) {
    const bool is_flag = std::holds_alternative<FlagField>(key.field);
    const Texts many = {std::string(key.choices.empty() ? "text" : key.choices.front())};
    for (const Value& value : {Value("text"), Value(key.most), Value(true), Value(many)}) {
      Config config;
      if (!assign(key, value, config)) continue;
      EXPECT_EQ(value, value_of(key, config)) << key.name;
      Config other;
      for (const Key& another : kKeys) {
        if (&another == &key) continue;
        EXPECT_EQ(value_of(another, other), value_of(another, config)) << key.name << " changes " << another.name;
      }
    }
    Config config;
    EXPECT_EQ(is_flag, assign(key, true, config)) << key.name;
  }
}

TEST(Keys, EachWordIsReadAndShown) {
  size_t fields = 0;
  for (const Key& key : kKeys) {
    const auto* word = std::get_if<WordField>(&key.field);
    if (word == nullptr) continue;
    ++fields;
    for (const char* each : word->words) {
      Config config;
      EXPECT_TRUE(assign(key, std::string(each), config)) << key.name << " " << each;
      EXPECT_EQ(Value(std::string(each)), value_of(key, config)) << key.name;
    }
    Config config;
    EXPECT_FALSE(assign(key, std::string("other"), config)) << key.name;
    EXPECT_FALSE(assign(key, std::string(), config)) << key.name;
  }
  EXPECT_EQ(10u, fields);
}

TEST(Keys, AWordThatIsNotSetIsNone) {
  Config config;
  EXPECT_EQ(Value(std::string()), value_of(*find_key("role"), config));
  EXPECT_STREQ("role unknown", config.role_name());
  EXPECT_TRUE(assign(*find_key("role"), std::string("core"), config));
  EXPECT_TRUE(config.is_core());
  EXPECT_STREQ("core", config.role_name());
}

TEST(Keys, ARefusedValueChangesNothing) {
  Config config;
  EXPECT_FALSE(assign(*find_key("timeout_ms"), int64_t{49}, config));
  EXPECT_FALSE(assign(*find_key("timeout_ms"), int64_t{60'001}, config));
  EXPECT_FALSE(assign(*find_key("timeout_ms"), std::string("100"), config));
  EXPECT_EQ(0, config.beat.timeout.count());
  EXPECT_FALSE(assign(*find_key("core.modules"), Texts{"mysql_users", "other"}, config));
  EXPECT_EQ(CoreSettings{}.modules, config.core.modules);
}

TEST(Keys, TheDefaultsAreAllowed) {
  Config config;
  for (const Key& key : kKeys) {
    if (!std::holds_alternative<SpanField>(key.field) && !std::holds_alternative<NumberField>(key.field)) continue;
    const bool follows = key.name == "timeout_ms" || key.name == "satellite.peer_timeout_ms";  // another value
    EXPECT_EQ(!follows, assign(key, value_of(key, config), config)) << key.name;
  }
}

}  // namespace
}  // namespace pulse
