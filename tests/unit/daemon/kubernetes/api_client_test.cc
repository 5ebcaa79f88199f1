#include "daemon/kubernetes/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;

TEST(ApiClientTest, ReadsAccountFiles) {
  const test::TempDir dir;
  dir.write("token", "secret\r\n\n");
  dir.write("empty", "\n");
  EXPECT_EQ("secret", *read_account_file(dir.path(), "token"));
  EXPECT_THAT(read_account_file(dir.path(), "empty").error().text, HasSubstr("is empty"));
  EXPECT_EQ("read " + (dir / "none") + ": No such file or directory",
            read_account_file(dir.path(), "none").error().text);
}

}  // namespace
}  // namespace pulse
