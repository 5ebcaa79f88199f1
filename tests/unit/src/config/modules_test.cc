#include "src/config/modules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shm/segment/layout_proxysql.h"
#include "src/config/settings.h"

namespace pulse {
namespace {

TEST(Modules, ByDefaultAllAreLoadedButTheAdminVariables) {
  std::vector<std::string> wanted(kModuleNames.begin(), kModuleNames.end());
  std::erase(wanted, "admin_variables");
  EXPECT_EQ(wanted, CoreSettings{}.modules) << "which has its own list, for people to read";
}

TEST(Modules, AreFoundByNameAndByChecksum) {
  for (const FileModule& module : file_modules()) {
    EXPECT_EQ(&module, find_file_module(module.name));
    EXPECT_EQ(&module, find_file_module(module.checksum));
  }
  EXPECT_EQ(nullptr, find_file_module("mysql_ldap_mapping"));
  EXPECT_EQ(nullptr, find_file_module(""));
}

TEST(Modules, ServersAndUsersAreWhatClientsNeed) {
  std::vector<std::string> serving;
  for (const FileModule& module : file_modules()) {
    if (module.serves) serving.emplace_back(module.name);
  }
  EXPECT_EQ((std::vector<std::string>{"mysql_servers", "mysql_users", "pgsql_servers", "pgsql_users"}), serving);
}

TEST(Modules, PostgresqlsAreToldByTheirNames) {
  for (const FileModule& module : file_modules()) {
    EXPECT_EQ(module.pgsql, std::string_view(module.name).starts_with("pgsql_")) << module.name;
  }
}

TEST(Modules, EachHasRoomInTheSegment) {
  EXPECT_LE(file_modules().size(), kCoreModules);
  EXPECT_LE(file_modules().size(), 8 * sizeof CoreRecord{}.taken_apart) << "one bit each";
  EXPECT_GE(kModules, 17u) << "of runtime_checksums_values in ProxySQL 4";
  for (const FileModule& module : file_modules()) {
    EXPECT_LT(std::string_view(module.name).size(), sizeof CoreModule{}.name);
  }
}

TEST(Modules, EachGroupOfTheFileIsOneModules) {
  std::vector<std::string> groups;
  each_file_group([&](const char* group) { groups.emplace_back(group); });
  EXPECT_EQ(
      (std::vector<std::string>{"mysql_servers", "mysql_replication_hostgroups", "mysql_group_replication_hostgroups",
                                "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups", "mysql_servers_ssl_params",
                                "mysql_hostgroup_attributes", "mysql_users", "mysql_query_rules",
                                "mysql_query_rules_fast_routing", "mysql_variables", "admin_variables", "pgsql_servers",
                                "pgsql_replication_hostgroups", "pgsql_hostgroup_attributes", "pgsql_users",
                                "pgsql_query_rules", "pgsql_query_rules_fast_routing", "pgsql_variables"}),
      groups);
}

}  // namespace
}  // namespace pulse
