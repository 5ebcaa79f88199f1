#include "src/linux/user.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(User, IsFoundByItsNumber) {
  const std::string_view passwd =
      "root:x:0:0:root:/root:/bin/bash\n# a comment\nodd line\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:10:1000:";
  EXPECT_EQ("root", user_name(passwd, 0));
  EXPECT_EQ("alice", user_name(passwd, 1000));
  EXPECT_EQ("bob", user_name(passwd, 10)) << "the last line may lack its end";
  EXPECT_EQ("", user_name(passwd, 100)) << "a part of a number is another one";
  EXPECT_EQ("", user_name("", 0));
}

TEST(User, TextHasTheNameIfThereIsOne) {
  EXPECT_EQ("user 0 (root)", user_text(0));
  EXPECT_EQ("user 4000000000", user_text(4000000000));
}

}  // namespace
}  // namespace pulse
