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

}  // namespace
}  // namespace pulse
