#include "src/config/identity.h"

#include <gtest/gtest.h>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

TEST(Identity, FollowsTheFile) {
  const test::TempDir dir;
  const std::string file = dir.write("c.cnf", "a=1;\n");
  const uint64_t first = config_identity(file);
  EXPECT_NE(0u, first);
  EXPECT_EQ(first, config_identity(file));
  dir.write("c.cnf", "a=1;\n# more\n");
  EXPECT_NE(first, config_identity(file));
  EXPECT_EQ(0u, config_identity(dir / "none"));
  EXPECT_EQ(config_path_hash(file), config_path_hash(file)) << "of the name alone";
  EXPECT_NE(config_path_hash(file), config_path_hash(dir / "none"));
}

}  // namespace
}  // namespace pulse
