#include "src/config/proxysql_groups.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(FirstInterface, ReadsProxySQLsLists) {
  using Pair = std::pair<std::string, int64_t>;
  EXPECT_EQ((Pair{"127.0.0.1", 6032}), *first_interface("0.0.0.0:6032"));
  EXPECT_EQ((Pair{"::1", 6032}), *first_interface("[::]:6032;0.0.0.0:6032"));
  EXPECT_EQ((Pair{"fe80::1", 7}), *first_interface("[fe80::1]:7"));
  EXPECT_EQ((Pair{"10.0.0.1", 6032}), *first_interface("/tmp/a.sock;10.0.0.1:6032"));
  EXPECT_EQ((Pair{"/tmp/a.sock", 0}), *first_interface("/tmp/a.sock;/tmp/b.sock"));
  EXPECT_EQ((Pair{"10.0.0.1", 6032}), *first_interface("10.0.0.1: 6032x")) << "as atoi reads it";
  EXPECT_EQ((Pair{"10.0.0.1", 6032}), *first_interface("10.0.0.1:6032:7"));
  EXPECT_EQ((Pair{"/tmp/a", 0}), *first_interface("/tmp/a:b.sock"));
  EXPECT_EQ((Pair{"127.0.0.1", 6032}), *first_interface("*:6032"));
  // A real server doesn't listen on these, or somewhere in its working directory.
  for (const char* nowhere : {":6032", " 10.0.0.1:6032", "10.0.0.1 :6032", "10.0.0.1", "/tmp/a:1.sock", " /tmp/a.sock",
                              "[::1", "[::1]", ":::6032"}) {
    EXPECT_FALSE(first_interface(nowhere)) << nowhere;
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

TEST(AdminLogins, TheLastPasswordCountsAndAUserOfStatisticsIsNone) {
  const auto shown = [](std::string_view admin, std::string_view stats) {
    std::string all;
    for (const Credentials& pair : admin_logins(admin, stats)) all += "[" + pair.user + "|" + pair.password + "]";
    return all;
  };
  EXPECT_EQ("[a|z][c|d]", shown("a:b;c:d;a:z", ""));
  EXPECT_EQ("[c|d]", shown("a:b;c:d", "x:y;a:z"));
  EXPECT_EQ("[c|d]", shown("stats:b;c:d", "")) << "ProxySQL's default";
  EXPECT_EQ("[stats|b]", shown("stats:b", "a:b"));
  EXPECT_EQ("[c|d]", shown("::;c:d", ""));
  EXPECT_EQ("[admin|admin]", shown("", ""));
}

TEST(Interfaces, AllOfThemInOrder) {
  using List = std::vector<MysqlInterface>;
  EXPECT_EQ((List{{"127.0.0.1", 6033}, {"/tmp/proxysql.sock", 0}, {"::1", 6034}, {"10.0.0.1", 6035}}),
            all_interfaces("0.0.0.0:6033;/tmp/proxysql.sock;[::]:6034;;10.0.0.1:6035;nonsense; 10.0.0.1:6036"));
  EXPECT_EQ(List{}, all_interfaces(""));
}

}  // namespace
}  // namespace pulse
