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

TEST(Identity, OfWhatTheFileIncludesToo) {
  const test::TempDir dir;
  dir.write("part.cnf", "a=1;");
  const std::string file = dir.write("c.cnf", "@include \"part.cnf\"\n");
  const auto now = [&] {
    const auto cnf = read_cnf(file);
    EXPECT_TRUE(cnf) << cnf.error().text;
    return identity_with_includes(cnf->identity(), cnf->includes());
  };
  const uint64_t before = now();
  EXPECT_NE(config_identity(file), before);
  EXPECT_EQ(before, now());
  dir.write("part.cnf", "a=1; b=2;");
  EXPECT_NE(before, now());
  EXPECT_EQ(7U, identity_with_includes(7, {}));
}

}  // namespace
}  // namespace pulse
