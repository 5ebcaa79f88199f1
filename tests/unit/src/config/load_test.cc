#include "src/config/load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/client_ports.h"
#include "src/config/drain_steps.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

constexpr const char* kRole = "pulse = { role = \"satellite\"; };\n";

Result<LoadedConfig> parse(const std::string& text, const std::vector<Override>& overrides = {}) {
  return parse_config(text, "/etc/p.cnf", overrides);
}

std::string error_of(const std::string& text, const std::vector<Override>& overrides = {}) {
  const auto loaded = parse(text, overrides);
  return loaded ? "no error" : loaded.error().text;
}

std::string source_of(const LoadedConfig& loaded, const std::string& key) {
  for (const Setting& setting : list_settings(loaded)) {
    if (setting.key == key) return setting.source;
  }
  return "no such key";
}

TEST(Config, DefaultsAreProxySQLs) {
  const auto loaded = parse(kRole);
  ASSERT_TRUE(loaded) << loaded.error().text;
  const Config& config = loaded->config;
  EXPECT_FALSE(config.is_core());
  EXPECT_EQ("/dev/shm/proxysql-pulse", config.state);
  EXPECT_EQ("127.0.0.1", config.admin.host);
  EXPECT_EQ(6032, config.admin.port);
  EXPECT_EQ("admin", config.admin.user);
  EXPECT_EQ("admin", config.admin.password);
  EXPECT_EQ(6033, config.daemon.mysql_port);
  EXPECT_EQ(8080, config.daemon.port);
  EXPECT_EQ(5000, config.beat.interval.count());
  EXPECT_EQ(2000, config.beat.timeout.count());
  EXPECT_EQ("default", source_of(*loaded, "pulse.admin.port"));
}

TEST(Config, TakesOverWhatProxySQLsGroupsSay) {
  const auto loaded = parse(R"(datadir="/var/lib/proxysql"
admin_variables=
{
  admin_credentials="boss:s3cret;radmin:radmin"
  mysql_ifaces="0.0.0.0:7032;/tmp/admin.sock"
  cluster_check_interval_ms=3000
}
mysql_variables={ interfaces="0.0.0.0:7033;/tmp/mysql.sock" }
proxysql_servers=(
  { hostname="core.example", port=6032, weight=2, comment="boot", },
  { address="10.0.0.1", port=6042, },
  { hostname="no-port" },
)
scheduler=(
  { id=1; active=1; interval_ms=60000; filename="/usr/bin/other"; },
  { id=2; active=1; interval_ms=500; filename="/usr/bin/proxysql-pulse"; arg1="beat"; },
)
pulse={ role="satellite" }
)");
  ASSERT_TRUE(loaded) << loaded.error().text;
  const Config& config = loaded->config;
  EXPECT_EQ("boss", config.admin.user);
  EXPECT_EQ("s3cret", config.admin.password);
  EXPECT_EQ("127.0.0.1", config.admin.host);
  EXPECT_EQ(7032, config.admin.port);
  EXPECT_EQ(7033, config.daemon.mysql_port);
  EXPECT_EQ(500, config.beat.interval.count());
  EXPECT_EQ(400, config.beat.timeout.count());
  EXPECT_EQ(15'000, config.satellite.peer_timeout.count());
  ASSERT_EQ(2u, config.bootstrap.size()) << "ProxySQL skips a row without a port";
  EXPECT_EQ("core.example", config.bootstrap[0].hostname);
  EXPECT_EQ(2, config.bootstrap[0].weight);
  EXPECT_EQ("boot", config.bootstrap[0].comment);
  EXPECT_EQ("10.0.0.1", config.bootstrap[1].hostname);
  EXPECT_EQ("/etc/p.cnf:5", source_of(*loaded, "pulse.admin.port"));
  EXPECT_EQ("/etc/p.cnf:16", source_of(*loaded, "pulse.interval_ms"));
}

TEST(Config, ThePostgresqlPortIsTheFilesOrNone) {
  const auto port_of = [](const std::string& groups) {
    const auto loaded = parse(groups + kRole);
    return loaded ? loaded->config.daemon.pgsql_host + ":" + std::to_string(loaded->config.daemon.pgsql_port)
                  : loaded.error().text;
  };
  EXPECT_EQ("127.0.0.1:0", port_of(""));
  EXPECT_EQ("127.0.0.1:0", port_of("pgsql_users=()\n"));
  EXPECT_EQ("127.0.0.1:6133", port_of("pgsql_users=( { username=\"u\" } )\n"));
  EXPECT_EQ("127.0.0.1:6133", port_of("pgsql_servers=( { address=\"a\" } )\n"));
  EXPECT_EQ("127.0.0.1:6133", port_of("pgsql_variables={ threads=2 }\n"));
  EXPECT_EQ("10.0.0.9:7133", port_of("pgsql_variables={ interfaces=\"10.0.0.9:7133;0.0.0.0:8\" }\n"));
  EXPECT_EQ("127.0.0.1:7133", port_of("pgsql_variables={ interfaces=\"some-name:7133\" }\n"));
  const auto said = parse("pgsql_variables={ threads=2 }\npulse={ role=\"core\" daemon={ pgsql_port=0 } }");
  ASSERT_TRUE(said);
  EXPECT_EQ(0, said->config.daemon.pgsql_port);
  EXPECT_EQ("/etc/p.cnf:1: pulse.daemon.pgsql_host = \"db\": allowed is an IPv4 or IPv6 address",
            error_of("pulse={ role=\"core\" daemon={ pgsql_host=\"db\" } }"));
}

TEST(Config, TheFilesGroupsOfConfigurationAreThoseWithRows) {
  const auto loaded = parse("mysql_servers=( { address=\"a\" } )\nmysql_users=()\nmysql_variables={ threads=2 }\n" +
                            std::string(kRole));
  ASSERT_TRUE(loaded);
  EXPECT_EQ((std::vector<std::string>{"mysql_servers", "mysql_variables"}), loaded->config.file_groups);
}

TEST(Config, TheFirstRowsOfProxySQLsTablesAreEnough) {
  const std::string text =
      "mysql_servers=( { address=\"a\" },\n { address=\"b\" } )\nmysql_users=()\n"
      "proxysql_servers=( { hostname=\"10.0.0.1\" port=1 }, { hostname=\"10.0.0.2\" port=2 } )\n"
      "scheduler=( { id=1 arg1=\"x\" }, { id=2 filename=\"/p\" arg1=\"beat\" interval_ms=700 } )\n" +
      std::string(kRole);
  for (const Rows rows : {Rows::all, Rows::first}) {
    const auto loaded = parse_config(text, "/etc/p.cnf", {}, rows);
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_EQ(std::vector<std::string>{"mysql_servers"}, loaded->config.file_groups);
    EXPECT_EQ(2u, loaded->config.bootstrap.size());
    EXPECT_EQ(700, loaded->config.beat.interval.count());
    EXPECT_EQ("/etc/p.cnf:6", source_of(*loaded, "pulse.role"));
  }
  const std::string mistaken = "mysql_users=( { a=1 },\n { nonsense } )\n" + std::string(kRole);
  for (const Rows rows : {Rows::all, Rows::first}) {
    EXPECT_EQ("/etc/p.cnf:2: syntax error", parse_config(mistaken, "/etc/p.cnf", {}, rows).error().text);
  }
}

// What a drain does after settling has to fit into its time; the error says what was set, and where.
TEST(Config, ADrainHasTimeToSettle) {
  const auto of = [](const std::string& drain) {
    return error_of("pulse = { role=\"core\",\n drain={ " + drain + " } }");
  };
  const auto loaded = parse(kRole);
  ASSERT_TRUE(loaded);
  const milliseconds after = kDrainQuiet + kDrainStopReserve;
  const auto at_most = [](milliseconds most) {
    return ": allowed is at most " + std::to_string(most.count()) +
           ", which is pulse.drain.timeout_ms less what comes after settling";
  };
  const std::string ten = std::to_string((milliseconds(10'000) - after).count());
  EXPECT_EQ("no error", of("timeout_ms=10000, settle_ms=" + ten));
  EXPECT_EQ("/etc/p.cnf:2: pulse.drain.settle_ms = 9999" + at_most(milliseconds(10'000) - after),
            of("timeout_ms=10000, settle_ms=9999"));
  EXPECT_EQ("/etc/p.cnf:2: pulse.drain.settle_ms = 5000, the default" + at_most(milliseconds(5'000) - after),
            of("timeout_ms=5000"));
  EXPECT_EQ("/etc/p.cnf:2: pulse.drain.settle_ms = 25000" + at_most(loaded->config.drain.timeout - after),
            of("settle_ms=25000"));
}

TEST(Config, DiscoveryFollowsFromTheBootstrapEntries) {
  const std::string entries =
      "proxysql_servers=( { hostname=\"core.example\" port=7032 }, { hostname=\"10.0.0.1\" port=6032 } )\n";
  const auto named = parse(entries + kRole);
  ASSERT_TRUE(named) << named.error().text;
  EXPECT_EQ(Source::dns, named->config.discovery.source);
  EXPECT_EQ(std::vector<std::string>{"core.example"}, named->config.discovery.names);
  EXPECT_EQ(7032, named->config.discovery.port);
  EXPECT_EQ(Authority::never, named->config.core.authority);
  EXPECT_FALSE(named->config.discovery.members_of_file);
  const auto pods = parse("pulse={ role=\"core\" discovery={ source=\"kubernetes\" } }");
  ASSERT_TRUE(pods);
  EXPECT_EQ(Authority::revision, pods->config.core.authority);
}

TEST(Config, AddressesInACoresFileAreItsList) {
  const std::string entries =
      "proxysql_servers=( { hostname=\"10.0.0.1\" port=6032 }, { hostname=\"fd00::2\" port=7032 } )\n";
  const auto core = parse(entries + "pulse={ role=\"core\" }");
  ASSERT_TRUE(core) << core.error().text;
  EXPECT_EQ(Source::fixed, core->config.discovery.source);
  EXPECT_EQ((std::vector<std::string>{"10.0.0.1:6032", "[fd00::2]:7032"}), core->config.discovery.members);
  EXPECT_TRUE(core->config.discovery.members_of_file);
  const auto satellite = parse(entries + "pulse={ role=\"satellite\" }");
  ASSERT_TRUE(satellite);
  EXPECT_EQ(Source::none, satellite->config.discovery.source);
  const auto none = parse(entries + "pulse={ role=\"core\" discovery={ source=\"none\" } }");
  ASSERT_TRUE(none);
  EXPECT_EQ(Source::none, none->config.discovery.source) << "as it was asked for";
  EXPECT_FALSE(none->config.discovery.members_of_file);
  const auto said = parse(entries + "pulse={ role=\"core\" discovery={ members=[\"10.0.0.9\"] } }");
  ASSERT_TRUE(said);
  EXPECT_EQ(std::vector<std::string>{"10.0.0.9"}, said->config.discovery.members);
  EXPECT_FALSE(said->config.discovery.members_of_file);
}

TEST(Config, AllInterfacesForClientsAreKnown) {
  using List = std::vector<MysqlInterface>;
  const auto of = [](const std::string& text) {
    const auto loaded = parse(text + kRole);
    EXPECT_TRUE(loaded);
    return loaded ? loaded->config.daemon.mysql_interfaces : List{};
  };
  EXPECT_EQ((List{{"127.0.0.1", 6033}}), of(""));
  EXPECT_EQ((List{{"127.0.0.1", 6034}, {"10.0.0.1", 6033}, {"/tmp/p.sock", 0}}),
            of("mysql_variables={ interfaces=\"/tmp/p.sock;0.0.0.0:6034;10.0.0.1:6033\" }\n"))
      << "a port first";
  EXPECT_EQ((List{{"/tmp/p.sock", 0}}), of("mysql_variables={ interfaces=\"/tmp/p.sock\" }\n"));
  EXPECT_EQ((List{{"127.0.0.1", 6033}}), of("mysql_variables={ interfaces=\"nonsense\" }\n"));
  const auto said = parse(
      "mysql_variables={ interfaces=\"0.0.0.0:6034;/tmp/p.sock\" }\n"
      "pulse={ role=\"core\" daemon={ mysql_port=6099 } }");
  ASSERT_TRUE(said);
  EXPECT_EQ((List{{"127.0.0.1", 6099}}), said->config.daemon.mysql_interfaces) << "that one alone";
}

TEST(Config, AllInterfacesForPostgresqlAreKnown) {
  using List = std::vector<MysqlInterface>;
  const auto of = [](const std::string& text) {
    const auto loaded = parse(text);
    EXPECT_TRUE(loaded);
    return loaded ? loaded->config.daemon : DaemonSettings{};
  };
  EXPECT_EQ(List{}, of(kRole).pgsql_interfaces);
  EXPECT_EQ((List{{"127.0.0.1", 6133}}), pgsql_ports(of(kRole))) << "where ProxySQL 3 has it unasked";
  EXPECT_EQ(
      (List{{"127.0.0.1", 7133}, {"10.0.0.1", 6133}, {"/tmp/.s.PGSQL.6133", 0}}),
      of("pgsql_variables={ interfaces=\"/tmp/.s.PGSQL.6133;0.0.0.0:7133;10.0.0.1:6133\" }\n" + std::string(kRole))
          .pgsql_interfaces);
  const DaemonSettings none = of("pgsql_variables={ threads=2 }\npulse={ role=\"core\" daemon={ pgsql_port=0 } }");
  EXPECT_TRUE(none.pgsql_port_set && pgsql_ports(none).empty());
  const DaemonSettings said = of("pulse={ role=\"core\" daemon={ pgsql_port=7133 } }");
  EXPECT_EQ((List{{"127.0.0.1", 7133}}), said.pgsql_interfaces);
  EXPECT_EQ((List{{"127.0.0.1", 6033}, {"127.0.0.1", 7133}}), client_ports(said));
}

TEST(Config, AStandaloneNodeHasNoListOfMembers) {
  const auto alone = parse("pulse={ role=\"standalone\" }");
  ASSERT_TRUE(alone) << alone.error().text;
  EXPECT_EQ(Role::standalone, alone->config.role);
  EXPECT_FALSE(alone->config.is_core() || alone->config.is_satellite());
  EXPECT_EQ(Source::none, alone->config.discovery.source);
  EXPECT_TRUE(alone->warnings.empty()) << alone->warnings.front();
  const auto member = parse("proxysql_servers=( { hostname=\"core\" port=6032 } )\npulse={ role=\"standalone\" }");
  ASSERT_TRUE(member);
  EXPECT_EQ(Source::none, member->config.discovery.source);
  ASSERT_EQ(1U, member->warnings.size());
  EXPECT_NE(std::string::npos, member->warnings[0].find("ProxySQL syncs with them all the same"));
}

TEST(Config, ListsAreTakenFromFileAndEnvironment) {
  const auto loaded = parse(
      "pulse={ role=\"core\" discovery={ members=[\"10.0.0.1\", \"[fd00::1]:7032\"] } core={ modules=(\"mysql_users\") "
      "} }",
      {{"core.modules", "mysql_servers,mysql_users", "PULSE_CORE_MODULES"}});
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(Source::fixed, loaded->config.discovery.source);
  EXPECT_EQ((std::vector<std::string>{"10.0.0.1", "[fd00::1]:7032"}), loaded->config.discovery.members);
  EXPECT_EQ((std::vector<std::string>{"mysql_servers", "mysql_users"}), loaded->config.core.modules);
}

TEST(Config, EachKindOfBadDiscoveryIsNamed) {
  const auto of = [](const std::string& keys) { return error_of("pulse={ role=\"core\" " + keys + " }"); };
  for (const auto& [keys, expected] : std::vector<std::pair<std::string, std::string>>{
           {"discovery={ source=\"dns\" }", "\"dns\" without a name: set pulse.discovery.names"},
           {"discovery={ source=\"static\" }", "\"static\" without a member: set pulse.discovery.members"},
           {"discovery={ source=\"etcd\" }", "allowed is \"none\" or \"kubernetes\" or \"dns\" or \"static\""},
           {"discovery={ members=[\"core.example\"] }", "allowed is ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT"},
           {"discovery={ members=[1] }", "pulse.discovery.members: allowed is a list of texts"},
           {"discovery={ members=\"10.0.0.1\" }", "allowed is a list of texts"},
           {"discovery={ kubernetes={ api=\"http://a\" } }", "allowed is https://HOST"},
           {"core={ modules=[\"mysql_server\"] }", "allowed is a list of \"mysql_servers\" or"},
           {"core={ authority=\"me\" }", "allowed is \"revision\" or \"always\" or \"never\""},
           {"address=\"core-0\"", "pulse.address = \"core-0\": allowed is an IPv4 or IPv6 address"}}) {
    EXPECT_NE(std::string::npos, of(keys).find(expected)) << of(keys);
    EXPECT_EQ(0u, of(keys).find("/etc/p.cnf:1: ")) << of(keys);
  }
}

TEST(Config, MembersAreAddresses) {
  const auto of = [](const std::string& member) {
    return error_of("pulse={ role=\"core\" discovery={ members=[\"" + member + "\"] } }");
  };
  for (const char* good : {"10.0.0.1", "10.0.0.1:7", "fd00::1", "[fd00::1]", "[fd00::1]:7"}) {
    EXPECT_EQ("no error", of(good)) << good;
  }
  for (const char* bad : {"name", "name:7", "10.0.0.1:0", "10.0.0.1:x", "[fd00::1", "10.0.0.1 "}) {
    EXPECT_NE(std::string::npos, of(bad).find("\"" + std::string(bad) + "\": allowed is ADDRESS")) << of(bad);
  }
}

TEST(Config, WhatIsSetIsNotDerived) {
  const auto loaded = parse(
      "scheduler=( { id=1; filename=\"/p\"; interval_ms=500; arg1=\"beat\" } )\n"
      "pulse={ role=\"core\"; interval_ms=3000; timeout_ms=77; "
      "satellite={ peer_timeout_ms=1234 }; };");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(3000, loaded->config.beat.interval.count());
  EXPECT_EQ(77, loaded->config.beat.timeout.count());
  EXPECT_EQ(1234, loaded->config.satellite.peer_timeout.count());
}

TEST(Config, ARowThatProxySQLRefusesIsNoInterval) {
  const auto loaded = parse(
      "scheduler=( { id=1; filename=\"/p\"; interval_ms=99; arg1=\"beat\" }, "
      "{ id=2; filename=\"/p\"; interval_ms=700; arg1=\"beat\" } )\n" +
      std::string(kRole));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(700, loaded->config.beat.interval.count());
}

TEST(Config, PulseWinsOverProxySQLAndFlagsOverAll) {
  const std::string text =
      "admin_variables={ mysql_ifaces=\"0.0.0.0:7032\" }\npulse={ role=\"core\"; admin={ port=8032; host=\"::1\"; }; "
      "};\n";
  const char* const environment[] = {"PULSE_ADMIN_PORT=9032", "PULSE_SERVICE_HOST=10.1.1.1", "PATH=/bin", nullptr};
  auto overrides = overrides_from_environment(environment);
  auto loaded = parse(text);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(8032, loaded->config.admin.port);
  EXPECT_EQ("::1", loaded->config.admin.host);
  loaded = parse(text, overrides);
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(9032, loaded->config.admin.port);
  EXPECT_EQ("PULSE_ADMIN_PORT", source_of(*loaded, "pulse.admin.port"));
  overrides.push_back({"admin.port", "9999", "--port"});
  loaded = parse(text, overrides);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(9999, loaded->config.admin.port);
}

TEST(Config, SecretsAreNeverShown) {
  const auto loaded = parse("admin_variables={ admin_credentials=\"u:hush-hush\" }\n" + std::string(kRole));
  ASSERT_TRUE(loaded);
  EXPECT_EQ("hush-hush", loaded->config.admin.password);
  for (const Setting& setting : list_settings(*loaded)) EXPECT_EQ(std::string::npos, setting.value.find("hush"));
  const std::string error = error_of("pulse={ role=\"core\"; admin={ password=12345; }; };");
  EXPECT_EQ(std::string::npos, error.find("12345")) << error;
}

TEST(Config, APasswordFileWinsAndLosesItsNewline) {
  const test::TempDir dir;
  for (const char* text : {"from-file\n", "from-file", "from-file\r\n", "from-file\nnext\n"}) {
    const std::string file = dir.write("password", text);
    const auto loaded = parse("pulse={ role=\"core\"; admin={ password_file=\"" + file + "\"; }; };");
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_EQ("from-file", loaded->config.admin.password);
    EXPECT_EQ(file, source_of(*loaded, "pulse.admin.password"));
  }
}

struct BadCase {
  const char* name;
  const char* text;
  const char* error;  // from its beginning
};

class BadConfig : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadConfig, NamesFileLineKeyAndWhatIsAllowed) {
  const std::string error = error_of(GetParam().text);
  EXPECT_EQ(GetParam().error, error.substr(0, std::string(GetParam().error).size())) << error;
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadConfig,
    ::testing::Values(
        BadCase{"Syntax", "a=1\nb=(", "/etc/p.cnf:2: syntax error"},
        BadCase{"NoRole", "pulse={ timeout_ms=100; };",
                "/etc/p.cnf: pulse.role is missing: allowed is \"core\" or \"satellite\""},
        BadCase{"NoGroup", "a=1;", "/etc/p.cnf: pulse.role is missing"},
        BadCase{"BadRole", "pulse={\n role=\"boss\"; };",
                "/etc/p.cnf:2: pulse.role = \"boss\": allowed is \"core\" or \"satellite\""},
        BadCase{"WrongType", "pulse={ role=\"core\";\n timeout_ms=\"1s\"; };",
                "/etc/p.cnf:2: pulse.timeout_ms = \"1s\": allowed is a whole number from 50 to 60000"},
        BadCase{"OutOfRange", "pulse={ role=\"core\";\n\n timeout_ms=7; };",
                "/etc/p.cnf:3: pulse.timeout_ms = 7: allowed is a whole number from 50 to 60000"},
        BadCase{"Bool", "pulse={ role=\"core\"; admin={\n tls=1; }; };",
                "/etc/p.cnf:2: pulse.admin.tls = 1: allowed is true or false"},
        BadCase{"Unknown", "pulse={ role=\"core\";\n timeout=7; };",
                "/etc/p.cnf:2: unknown key pulse.timeout; allowed here: role, state, group, interval_ms, timeout_ms"},
        BadCase{
            "UnknownBelow", "pulse={ role=\"core\"; admin={\n prot=7; }; };",
            "/etc/p.cnf:2: unknown key pulse.admin.prot; allowed here: host, port, user, password, password_file, tls"},
        BadCase{"GroupIsNone", "pulse={ role=\"core\";\n admin=7; };", "/etc/p.cnf:2: pulse.admin: expected a group"},
        BadCase{"PulseIsNone", "\npulse=7;", "/etc/p.cnf:2: pulse: expected a group"},
        BadCase{"ListForText", "pulse={ role=(1); };",
                "/etc/p.cnf:1: pulse.role: allowed is \"core\" or \"satellite\""},
        BadCase{"MostOutOfRange", "pulse={ role=\"core\"; timeout_ms=60001; };",
                "/etc/p.cnf:1: pulse.timeout_ms = 60001: allowed is a whole number from 50 to 60000"},
        BadCase{"EmptyState", "pulse={ role=\"core\"; state=\"\"; };",
                "/etc/p.cnf:1: pulse.state = \"\": allowed is an absolute path"},
        BadCase{"EmptyTextInAList", "pulse={ role=\"core\"; discovery={ names=[\"a.example\", \"\"] } };",
                "/etc/p.cnf:1: pulse.discovery.names = [\"a.example\", \"\"]: allowed is "},
        BadCase{"RelativeState", "pulse={ role=\"core\";\n state=\"x\"; };",
                "/etc/p.cnf:2: pulse.state = \"x\": allowed is an absolute path"},
        BadCase{"NoSuchUnixGroup", "pulse={ role=\"core\"; group=\"no-such-group\"; };",
                "/etc/p.cnf:1: pulse.group = \"no-such-group\": allowed is a number or a name in /etc/group"},
        BadCase{"PasswordFile", "pulse={ role=\"core\"; admin={ password_file=\"/no/such\"; }; };",
                "/etc/p.cnf:1: pulse.admin.password_file: can't read /no/such: No such file or directory"},
        BadCase{"MysqlHost", "pulse={ role=\"core\"; daemon={ mysql_host=\"db\"; }; };",
                "/etc/p.cnf:1: pulse.daemon.mysql_host = \"db\": allowed is an IPv4 or IPv6 address"},
        BadCase{"Duplicate", "pulse={ role=\"core\"; role=\"core\"; };", "/etc/p.cnf:1: duplicate setting name"}),
    [](const auto& each) { return each.param.name; });

// The limits that are themselves allowed.
TEST(Config, FromTheLeastToTheMost) {
  for (const char* timeout : {"50", "60000"}) {
    const auto loaded = parse("pulse={ role=\"core\"; timeout_ms=" + std::string(timeout) + "; };");
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_EQ(timeout, std::to_string(loaded->config.beat.timeout.count()));
  }
}

TEST(Config, ATimeoutFollowsTheIntervalWithinLimits) {
  const auto timeout_of = [](int interval_ms) {
    return parse("pulse={ role=\"core\"; interval_ms=" + std::to_string(interval_ms) + "; };")
        ->config.beat.timeout.count();
  };
  EXPECT_EQ(200, timeout_of(200));
  EXPECT_EQ(400, timeout_of(500));
  EXPECT_EQ(2000, timeout_of(2500));
  EXPECT_EQ(2000, timeout_of(10'000));
}

TEST(Config, ATimeoutThatIsNotBelowTheIntervalIsWarnedOf) {
  const auto warned = [](const char* timeout) {
    const auto loaded = parse("pulse={ role=\"core\"; interval_ms=1000; timeout_ms=" + std::string(timeout) + "; };");
    EXPECT_TRUE(loaded);
    return loaded && !loaded->warnings.empty() &&
           loaded->warnings.front().find("timeout_ms is not below") != std::string::npos;
  };
  EXPECT_FALSE(warned("999"));
  EXPECT_TRUE(warned("1000"));
}

TEST(Config, AFileWithoutAGroupPulseIsSaid) {
  const auto loaded = parse("a=1", {{"role", "core", "PULSE_ROLE"}});
  ASSERT_TRUE(loaded) << loaded.error().text;
  ASSERT_EQ(1u, loaded->warnings.size());
  EXPECT_EQ("/etc/p.cnf has no group pulse: all defaults", loaded->warnings.front());
}

// ProxySQL's own limits of the interval in which cores are checked.
TEST(Config, APeerIsGivenFiveChecks) {
  const auto of = [](const char* check_interval_ms) {
    const auto loaded =
        parse("admin_variables={ cluster_check_interval_ms=" + std::string(check_interval_ms) + " }\n" + kRole);
    return loaded ? loaded->config.satellite.peer_timeout.count() : 0;
  };
  EXPECT_EQ(5000, of("0"));
  EXPECT_EQ(7500, of("1500"));
  EXPECT_EQ(1'500'000, of("300000"));
  EXPECT_EQ(5000, of("900000")) << "ProxySQL keeps what it has";
  EXPECT_EQ(40'000, of("\"8000\"")) << "as SAVE CONFIG TO FILE writes it";
  EXPECT_EQ(40'000, of("\" +8000ms\"")) << "as atoi reads it";
  EXPECT_EQ(5000, of("8000L")) << "ProxySQL takes none of this type";
  EXPECT_EQ(5000, of("true"));
}

TEST(Config, ASocketIsNoPort) {
  const auto loaded = parse("admin_variables={ mysql_ifaces=\"/tmp/admin.sock\" }\n" + std::string(kRole));
  ASSERT_TRUE(loaded);
  EXPECT_EQ("/tmp/admin.sock", loaded->config.admin.host);
  EXPECT_EQ(6032, loaded->config.admin.port);
  EXPECT_EQ("default", source_of(*loaded, "pulse.admin.port"));
}

TEST(Config, LocalhostIsNoNameToLookUp) {
  const auto loaded = parse("proxysql_servers=( { hostname=\"localhost\" port=1 } )\n" + std::string(kRole));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(Source::none, loaded->config.discovery.source);
}

TEST(Config, TextsOfTheEnvironmentAreReadAsTheirKeysAre) {
  for (const auto& [text, value] :
       {std::pair("1", true), std::pair("true", true), std::pair("0", false), std::pair("false", false)}) {
    const auto loaded = parse(kRole, {{"admin.tls", text, "PULSE_ADMIN_TLS"}});
    ASSERT_TRUE(loaded) << loaded.error().text;
    EXPECT_EQ(value, loaded->config.admin.tls) << text;
  }
  EXPECT_EQ("PULSE_ADMIN_TLS: pulse.admin.tls = \"yes\": allowed is true or false",
            error_of(kRole, {{"admin.tls", "yes", "PULSE_ADMIN_TLS"}}));
  EXPECT_EQ("PULSE_TIMEOUT_MS: pulse.timeout_ms = \"100ms\": allowed is a whole number from 50 to 60000",
            error_of(kRole, {{"timeout_ms", "100ms", "PULSE_TIMEOUT_MS"}}));
}

TEST(Config, OverridesAreCheckedTheSameWay) {
  EXPECT_EQ("--timeout-ms: pulse.timeout_ms = \"abc\": allowed is a whole number from 50 to 60000",
            error_of(kRole, {{"timeout_ms", "abc", "--timeout-ms"}}));
  EXPECT_EQ("PULSE_DAEMON_PORT: pulse.daemon.port = \"tcp://10.0.0.1:80\": allowed is a whole number from 0 to 65535",
            error_of(kRole, {{"daemon.port", "tcp://10.0.0.1:80", "PULSE_DAEMON_PORT"}}));
}

TEST(Config, FilesThatAreNone) {
  const test::TempDir dir;
  EXPECT_EQ(dir / "none" + ": No such file or directory", load_config(dir / "none", {}).error().text);
  EXPECT_EQ(dir.path() + ": not a regular file", load_config(dir.path(), {}).error().text);
  const std::string binary = dir.write("binary", std::string("a=1;\0b=2;", 9));
  EXPECT_EQ(binary + ":1: syntax error", load_config(binary, {}).error().text);
  ASSERT_EQ(0, ::mkfifo((dir / "pipe").c_str(), 0600));
  EXPECT_EQ(dir / "pipe" + ": not a regular file", load_config(dir / "pipe", {}).error().text)
      << "nothing is waited for";
}

TEST(Config, CredentialsAreSplitAsProxySqlDoesIt) {
  const auto of = [](const std::string& credentials) {
    const auto loaded = parse("admin_variables={ admin_credentials=" + credentials + " }\n" + kRole);
    return loaded ? loaded->config.admin.user + " " + loaded->config.admin.password : loaded.error().text;
  };
  EXPECT_EQ("u1 p", of("\"u1:p:q\""));
  EXPECT_EQ("u1 p", of("\";;u1::p;u2:p2\""));
  EXPECT_EQ("u1 q", of("\"u1:p;u2:p2;u1:q\"")) << "a user's last password";
  EXPECT_EQ("u2 p2", of("\":;u2:p2\""));
  EXPECT_EQ("u2 p2", of("\"u1:p;u2:p2\" stats_credentials=\"u1:p\"")) << "who only sees statistics";
  EXPECT_EQ("solo ", of("\"solo\""));
  EXPECT_EQ("zz ", of("\":zz\""));
  EXPECT_EQ("5 ", of("5"));
  EXPECT_EQ("admin admin", of("\"\"")) << "an empty value changes nothing";
  EXPECT_EQ("admin admin", of("\":;:\""));
  EXPECT_EQ("admin admin", of("5L"));
}

TEST(Config, RowsThatProxySqlPassesOverAreNoErrorOfTheFile) {
  const auto loaded = parse(
      "proxysql_servers=( { hostname=\"a\" port=\"6032\" }, { hostname=\"b\" port=6032L }, { hostname=\"c\" port=0 },\n"
      "{ hostname=\"d\" port=70000 }, { address=5 hostname=\"e\" port=1 weight=-1 }, 7, { port=1 },\n"
      "{ address=5 hostname=\"f\" port=1 weight=\"3\" }, { hostname=\"g\" port=2 comment=\"x\" },\n"
      "{ hostname=\"g\" port=2 comment=\"y\" } )\n" +
      std::string(kRole));
  ASSERT_TRUE(loaded) << loaded.error().text;
  ASSERT_EQ(2u, loaded->config.bootstrap.size());
  EXPECT_EQ("f", loaded->config.bootstrap[0].hostname);
  EXPECT_EQ(0, loaded->config.bootstrap[0].weight) << "a number in quotes is none in a row";
  EXPECT_EQ("y", loaded->config.bootstrap[1].comment) << "the last one replaces the other";
  ASSERT_EQ(2u, loaded->warnings.size());
  EXPECT_EQ("/etc/p.cnf:1: proxysql_servers: \"c\", port 0: no ProxySQL is there: the row counts for nothing",
            loaded->warnings[0]);
}

TEST(Config, AScheduledBeatIsARowThatProxySqlRuns) {
  const auto interval = [](const char* rows) {
    const auto loaded = parse("scheduler=( " + std::string(rows) + " )\n" + kRole);
    return loaded ? loaded->config.beat.interval.count() : 0;
  };
  EXPECT_EQ(700, interval("{ id=1 filename=\"/p\" arg1=\"beat\" interval_ms=700 }"));
  EXPECT_EQ(5000, interval("{ filename=\"/p\" arg1=\"beat\" interval_ms=700 }")) << "no id";
  EXPECT_EQ(5000, interval("{ id=1 arg1=\"beat\" interval_ms=700 }")) << "no program";
  EXPECT_EQ(5000, interval("{ id=1 filename=\"/p\" arg1=\"beat\" interval_ms=\"700\" }"));
  EXPECT_EQ(800, interval("{ id=1 filename=\"/p\" arg1=\"beat\" interval_ms=700 active=0 }, "
                          "{ id=2 filename=\"/p\" arg1=\"beat\" interval_ms=800 }"));
  EXPECT_EQ(700, interval("{ id=1 filename=\"/p\" arg1=\"beat\" interval_ms=700 active=0 }"));
}

TEST(Config, ANameWithItsPrefixIsNoVariable) {
  const auto loaded = parse(
      "admin_variables={ admin-admin_credentials=\"u:p\" }\nmysql_variables={\n"
      "mysql-interfaces=\"0.0.0.0:7033\" }\n" +
      std::string(kRole));
  ASSERT_TRUE(loaded);
  EXPECT_EQ("admin", loaded->config.admin.user);
  EXPECT_EQ(6033, loaded->config.daemon.mysql_port);
  ASSERT_EQ(3u, loaded->warnings.size());
  EXPECT_EQ(
      "/etc/p.cnf:1: admin_variables: admin-admin_credentials: ProxySQL puts the prefix before it once more and "
      "knows no such variable: write admin_credentials",
      loaded->warnings[0]);
  EXPECT_EQ(0u, loaded->warnings[1].find("/etc/p.cnf:3: mysql_variables: mysql-interfaces: "));
}

TEST(Config, AnIncludedListMayEndInAComma) {
  const test::TempDir dir;
  dir.write(
      "peers.cnf",
      "proxysql_servers = ( { hostname = \"10.0.0.1\" port = 6032 }, { hostname = \"10.0.0.2\" port = 6032 }, )\n");
  const auto loaded = load_config(dir.write("main.cnf", "@include \"peers.cnf\"\n" + std::string(kRole)), {});
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(2u, loaded->config.bootstrap.size());
}

TEST(Config, AnIncludedFileIsNamedAsWhatItIs) {
  const test::TempDir dir;
  const std::string part = dir.write("part.cnf", "\nmysql_ifaces=\"127.0.0.1:7032\" # no newline");
  const std::string file = dir.write("main.cnf", "admin_variables={\n@include \"" + part + "\"\n}\n" + kRole);
  const auto loaded = load_config(file, {});
  ASSERT_TRUE(loaded) << loaded.error().text;
  EXPECT_EQ(7032, loaded->config.admin.port);
  EXPECT_EQ(part + ":2", source_of(*loaded, "pulse.admin.port"));
  EXPECT_NE(loaded->identity, loaded->config.file_identity);
  for (const std::string& warning : loaded->warnings) EXPECT_EQ(std::string::npos, warning.find("included")) << warning;
  const auto beside = load_config(dir.write("other.cnf", "@include \"part.cnf\"\n" + std::string(kRole)), {});
  ASSERT_TRUE(beside) << beside.error().text;
  EXPECT_EQ(part +
                ": ProxySQL looks for this included file in its working directory, not beside the file that includes "
                "it: write @include with an absolute path",
            beside->warnings.front());
}

}  // namespace
}  // namespace pulse
