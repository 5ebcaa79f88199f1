// What two nodes take away from each other: cores whose static lists differ, and a satellite whose drain's own loads
// come after a core's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/base/exit_code.h"
#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// Cores of one subnet, each with a static list of its own.
class StaticCores {
 public:
  std::string member(int host) const { return subnet_.address(host) + ":" + std::to_string(admin_port_); }
  // `list`: the hosts of its list of cores, of which it is `host`.
  Server::Options options(int host, const std::vector<int>& list) const {
    Server::Options options;
    options.role = "core";
    options.beat_interval_ms = 500;
    options.address = subnet_.address(host);
    options.admin_port = admin_port_;
    options.mysql_port = mysql_port_;
    std::string members;
    for (const int each : list) members += (members.empty() ? "\"" : ", \"") + member(each) + "\"";
    options.pulse = "timeout_ms=2000, discovery={ source=\"static\", members=[" + members + "] }, ";
    return options;
  }
  std::set<std::string> table(Server& server) const {
    std::set<std::string> hosts;
    for (const auto& row : server.query("SELECT hostname FROM runtime_proxysql_servers")) hosts.insert(row.at(0));
    return hosts;
  }
  std::set<std::string> addresses(const std::vector<int>& hosts) const {
    std::set<std::string> all;
    for (const int host : hosts) all.insert(subnet_.address(host));
    return all;
  }

 private:
  const Subnet subnet_;
  const uint16_t admin_port_ = free_port();
  const uint16_t mysql_port_ = free_port();
};

int64_t version(Server& server, const std::string& module) {
  return std::stoll(server.value("SELECT version FROM runtime_checksums_values WHERE name = '" + module + "'"));
}

TEST(ClusterDispute, CoresWhoseListsDifferComeToRestAndSayIt) {
  const StaticCores cores;
  Server one(cores.options(1, {1, 2, 3})), two(cores.options(2, {1, 2}));
  auto daemon_one = std::make_unique<Daemon>(one);
  Daemon daemon_two(two);
  const auto disputed = [&] { return two.status()["membership"].value("disputed", false); };
  ASSERT_TRUE(eventually(disputed, seconds(120))) << two.status()["membership"].dump() << two.log();
  const std::set<std::string> all = cores.addresses({1, 2, 3});
  ASSERT_TRUE(eventually([&] { return cores.table(one) == all && cores.table(two) == all; }, seconds(30)))
      << "what any of the lists has";
  print_figure("loads and pulls until rest: " + std::to_string(version(one, "proxysql_servers")) + " and " +
               std::to_string(version(two, "proxysql_servers")));

  const int64_t before = version(one, "proxysql_servers") + version(two, "proxysql_servers");
  const int64_t beats = two.status()["counters"]["started"];
  ASSERT_TRUE(eventually([&] { return two.status()["counters"]["started"] >= beats + 20; }, seconds(60)));
  EXPECT_EQ(before, version(one, "proxysql_servers") + version(two, "proxysql_servers")) << "nobody loads any more";
  EXPECT_EQ(" -" + cores.member(3), two.status()["membership"]["difference"]);
  EXPECT_THAT(two.log(), HasSubstr("loads of proxysql_servers in a row"));
  EXPECT_THAT(two.run({"status"}).output, HasSubstr("DISPUTED for"));
  EXPECT_THAT(daemon_two.get("/metrics").text, HasSubstr("proxysql_pulse_membership_disputed 1"));

  one.rewrite([&](Server::Options& options) { options.pulse = cores.options(1, {1, 2}).pulse; });
  daemon_one.reset();
  daemon_one = std::make_unique<Daemon>(one);
  EXPECT_TRUE(eventually(
      [&] {
        return cores.table(two) == cores.addresses({1, 2});
      },
      seconds(60)))
      << "the lists agree, and the one that has changed begins anew: " << one.log();
}

// A satellite that follows one core, both without beats.
TEST(ClusterDispute, UndrainDoesNotOvertakeWhatACoreHasLoaded) {
  const StaticCores cores;
  Server::Options with = cores.options(1, {1});
  with.beat_interval_ms = 0;
  Server core(with);
  with = cores.options(2, {1});
  with.role = "satellite";
  with.beat_interval_ms = 0;
  with.pulse = "drain={ settle_ms=0, timeout_ms=8000 }, ";
  with.bootstrap = "{ hostname=\"" + core.address() + "\", port=" + std::to_string(core.admin_port()) + " },";
  Server satellite(with);
  const auto runtime = [&](const std::string& name) {
    return satellite.value("SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-" + name +
                           "'");
  };
  const auto load_on_core = [&](const std::string& value) {
    core.query("UPDATE global_variables SET variable_value='" + value +
               "' WHERE variable_name='mysql-shun_on_failures'");
    core.query("LOAD MYSQL VARIABLES TO RUNTIME");
  };
  const auto core_as_the_satellite_sees_it = [&] {
    return satellite.value("SELECT checksum FROM stats_proxysql_servers_checksums WHERE name = 'mysql_variables'");
  };
  load_on_core("16");
  ASSERT_TRUE(eventually([&] { return runtime("shun_on_failures") == "16"; }, seconds(20))) << satellite.log();
  const std::string wait_timeout = runtime("wait_timeout");
  ASSERT_EQ(kExitOk, satellite.beat().exit_code);

  const Ran drained = satellite.run({"drain", "--no-shutdown"});
  ASSERT_EQ(kExitOk, drained.exit_code) << drained.output;
  ASSERT_EQ("10", runtime("poll_timeout"));
  std::this_thread::sleep_for(milliseconds(1100));  // another second, so that the core's load is newer
  const std::string before = core_as_the_satellite_sees_it();
  load_on_core("17");
  ASSERT_TRUE(eventually([&] { return core_as_the_satellite_sees_it() != before; }, seconds(10)));
  const Ran undrained = satellite.run({"undrain"});
  EXPECT_EQ(kExitOk, undrained.exit_code) << undrained.output;
  EXPECT_TRUE(eventually([&] { return runtime("shun_on_failures") == "17"; }, seconds(10)))
      << undrained.output << satellite.log();
  EXPECT_EQ(wait_timeout, runtime("wait_timeout"));
  EXPECT_NE("10", runtime("poll_timeout"));
  EXPECT_EQ("undone", satellite.status()["drain"]["outcome"]);
}

// Where it was overtaken all the same, within one check of ProxySQL, there is no way back but a load on a core.
TEST(ClusterDispute, WhatWasOvertakenAllTheSameIsSaid) {
  const StaticCores cores;
  Server::Options with = cores.options(1, {1});
  with.beat_interval_ms = 0;
  Server core(with);
  with = cores.options(2, {1});
  with.role = "satellite";
  with.beat_interval_ms = 0;
  with.pulse = "";
  with.bootstrap = "{ hostname=\"" + core.address() + "\", port=" + std::to_string(core.admin_port()) + " },";
  Server satellite(with);
  const auto load = [](Server& server, const std::string& value) {
    server.query("UPDATE global_variables SET variable_value='" + value +
                 "' WHERE variable_name='mysql-shun_on_failures'");
    server.query("LOAD MYSQL VARIABLES TO RUNTIME");
  };
  const auto runtime = [&] {
    return satellite.value(
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-shun_on_failures'");
  };
  load(core, "16");
  ASSERT_TRUE(eventually([&] { return runtime() == "16"; }, seconds(20))) << satellite.log();
  std::this_thread::sleep_for(milliseconds(1100));
  load(satellite, "18");  // as a drain's load that overtakes a core's leaves it: newer, and other content
  const auto said = [&] {
    return satellite.beat().exit_code == kExitOk &&
           satellite.run({"status"}).output.find("it pulls again once a core runs LOAD MYSQL VARIABLES TO RUNTIME") !=
               std::string::npos;
  };
  EXPECT_TRUE(eventually(said, seconds(20))) << satellite.run({"status"}).output;
  std::this_thread::sleep_for(milliseconds(1100));
  load(core, "16");
  EXPECT_TRUE(eventually([&] { return runtime() == "16"; }, seconds(20))) << "that is the way back";
  EXPECT_TRUE(eventually([&] { return !said(); }, seconds(20)));
}

}  // namespace
}  // namespace pulse::test
