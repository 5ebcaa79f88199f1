#include "src/config/proxysql_groups.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(FirstInterface, ReadsProxySQLsLists) {
  using Pair = std::pair<std::string, int64_t>;
  EXPECT_EQ((Pair{"127.0.0.1", 6032}), *first_interface("0.0.0.0:6032"));
  EXPECT_EQ((Pair{"::1", 6032}), *first_interface("[::]:6032;0.0.0.0:6032"));
  EXPECT_EQ((Pair{"fe80::1", 7}), *first_interface("[fe80::1]:7"));
  EXPECT_EQ((Pair{"10.0.0.1", 6032}), *first_interface("/tmp/a.sock; 10.0.0.1:6032"));
  EXPECT_EQ((Pair{"/tmp/a.sock", 0}), *first_interface("/tmp/a.sock;/tmp/b.sock"));
  for (const char* everywhere : {"*:6032", ":6032"}) {
    EXPECT_EQ((Pair{"127.0.0.1", 6032}), *first_interface(everywhere)) << everywhere;
  }
  EXPECT_FALSE(first_interface("nonsense"));
  EXPECT_FALSE(first_interface("a:99999"));
}

TEST(SplitCredentials, AsProxySQLDoesIt) {
  const auto shown = [](std::string_view text) {
    std::string all;
    for (const Credentials& pair : split_credentials(text)) all += "[" + pair.user + "|" + pair.password + "]";
    return all;
  };
  EXPECT_EQ("[a|b][c|d]", shown("a:b;c:d"));
  EXPECT_EQ("[a|b][c|d]", shown(";;a:b:x;;c::d;"));
  EXPECT_EQ("[a|][b|][|]", shown("a;:b;::"));
  EXPECT_EQ("", shown(""));
}

TEST(Interfaces, AllOfThemInOrder) {
  using List = std::vector<MysqlInterface>;
  EXPECT_EQ((List{{"127.0.0.1", 6033}, {"/tmp/proxysql.sock", 0}, {"::1", 6034}, {"10.0.0.1", 6035}}),
            all_interfaces("0.0.0.0:6033;/tmp/proxysql.sock; [::]:6034;;10.0.0.1:6035;nonsense"));
  EXPECT_EQ(List{}, all_interfaces(""));
}

}  // namespace
}  // namespace pulse
