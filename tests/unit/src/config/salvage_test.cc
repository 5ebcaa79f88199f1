#include "src/config/salvage.h"

#include <gtest/gtest.h>

#include "src/config/load.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

constexpr const char* kGood =
    "# pulse = { no }\n"
    "pulse = { role = \"core\"  drain = { timeout_ms = 9000 } } ;\n"
    "admin_variables : { admin_credentials = \"a:b\" /* } */ mysql_ifaces=\"127.0.0.1:7032\" }\n"
    "mysql_variables = { interfaces = \"127.0.0.1:7033\" }\n";

TEST(SalvageTest, FindsTheGroupsWhateverIsBrokenAroundThem) {
  const test::TempDir dir;
  for (const char* broken :
       {"mysql_users = ( { username = \"x\n", "mysql_users = ( { username = \"x }, { )\n", "}}} garbage ((\n",
        "mysql_servers = ( { address = \"a\" port = } )\n", "x = \"one quote too many\n"}) {
    for (const std::string& text : {std::string(broken) + kGood, kGood + std::string(broken)}) {
      SCOPED_TRACE(text);
      const std::string path = dir.write("proxysql.cnf", text);
      ASSERT_FALSE(load_config(path, {}));
      const auto loaded = load_config_for_drain(path, {});
      ASSERT_TRUE(loaded) << loaded.error().text;
      EXPECT_EQ(Role::core, loaded->config.role);
      EXPECT_EQ(std::chrono::milliseconds(9000), loaded->config.drain.timeout);
      EXPECT_EQ("a", loaded->config.admin.user);
      EXPECT_EQ(7032, loaded->config.admin.port);
      EXPECT_EQ(7033, loaded->config.daemon.mysql_port);
      EXPECT_EQ(0u, loaded->salvage.find(path + ":")) << "the file's own error: " << loaded->salvage;
    }
  }
}

TEST(SalvageTest, AGroupThatIsBrokenItselfIsNotGuessed) {
  const test::TempDir dir;
  for (const char* broken : {"pulse = { role = \"core\"\n", "pulse = { role = = \"core\" }\n",
                             "pulse = { role = \"core\" }\nadmin_variables = { admin_credentials = \"a:b }\n"}) {
    const std::string path = dir.write("proxysql.cnf", broken);
    const auto loaded = load_config_for_drain(path, {});
    ASSERT_FALSE(loaded) << broken;
    EXPECT_EQ(load_config(path, {}).error().text, loaded.error().text);
  }
  EXPECT_EQ("", salvage_groups(""));
  EXPECT_FALSE(load_config_for_drain(dir / "missing", {}));
}

TEST(SalvageTest, AGoodFileIsReadAsEver) {
  const test::TempDir dir;
  const auto loaded = load_config_for_drain(dir.write("proxysql.cnf", kGood), {});
  ASSERT_TRUE(loaded);
  EXPECT_EQ("", loaded->salvage);
  EXPECT_NE(0u, loaded->identity);
}

}  // namespace
}  // namespace pulse
