#include "scheduler/cluster/cluster_query.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

using std::chrono::milliseconds;

AdminResult answer(std::vector<std::vector<std::string>> rows) {
  rows.push_back({"global", "ProxySQL_Uptime", "100", "", ""});
  rows.push_back({"now", "1000000", "", "", ""});
  return {std::move(rows), 0};
}

Result<Seen> parse_everything(const AdminResult& rows) { return parse_seen(rows, Look::everything); }

TEST(ObserveStatement, NeverNamesTheTableThatHangsProxySQL) {
  for (const Look look : {Look::cluster, Look::everything}) {
    EXPECT_EQ(std::string::npos, observe_statement(look, true).find("metrics"));
    EXPECT_EQ(std::string::npos, observe_statement(look, true).find("global_variables"))
        << "rebuilds the runtime's table";
  }
}

TEST(ObserveStatement, NamesPostgresqlsTablesOnlyWhereTheyAre) {
  EXPECT_EQ(std::string::npos, observe_statement(Look::everything, false).find("pgsql"));
  EXPECT_NE(std::string::npos, observe_statement(Look::everything, true).find("FROM stats_pgsql_global"));
  EXPECT_NE(std::string::npos, observe_statement(Look::everything, true).find("FROM runtime_pgsql_servers"));
  EXPECT_EQ(observe_statement(Look::cluster, false), observe_statement(Look::cluster, true));
  EXPECT_TRUE(lacks_pgsql({"SELECT ...: ProxySQL Admin Error: no such table: stats_pgsql_global", 1045}));
  EXPECT_TRUE(lacks_pgsql({"no such table: runtime_pgsql_servers", 1045}));
  EXPECT_FALSE(lacks_pgsql({"no such table: runtime_mysql_servers", 1045}));
}

TEST(ParseSeen, EitherProtocolMayBeOff) {
  const std::vector<std::vector<std::string>> pgsql = {{"pgsql_backends", "ONLINE", "2", "10", ""},
                                                       {"pgsql_backends", "SHUNNED", "1", "11", ""},
                                                       {"pgsql_global", "ProxySQL_Uptime", "77", "", ""},
                                                       {"pgsql_global", "Client_Connections_connected", "5", "", ""},
                                                       {"pgsql_global", "pgsql_listener_paused", "true", "", ""},
                                                       {"global", "admin-version", "3.0.1", "", ""},
                                                       {"now", "1000000", "", "", ""}};
  const auto alone = parse_everything({pgsql, 0});
  ASSERT_TRUE(alone) << alone.error().text;
  EXPECT_EQ(77, alone->uptime_s);
  EXPECT_EQ(5, alone->clients);
  EXPECT_EQ(5, alone->pgsql_clients);
  EXPECT_FALSE(alone->serves_mysql);
  EXPECT_TRUE(alone->serves_pgsql);
  EXPECT_TRUE(alone->listener_paused);
  auto rows = pgsql;
  rows.insert(rows.begin(), {{"backends", "ONLINE", "4", "10", ""},
                             {"global", "Client_Connections_connected", "17", "", ""},
                             {"global", "mysql_listener_paused", "false", "", ""}});
  const auto both = parse_everything({rows, 0});
  ASSERT_TRUE(both);
  EXPECT_EQ(22, both->clients);
  EXPECT_EQ(5, both->pgsql_clients);
  EXPECT_EQ(6u, both->backends.online);
  EXPECT_EQ(2u, both->pgsql_backends.online);
  EXPECT_EQ(4u, both->hostgroups.at(10).online);
  EXPECT_EQ(2u, both->pgsql_hostgroups.at(10).online);
  EXPECT_TRUE(both->listener_paused);
  const auto neither = parse_everything({{pgsql[5], pgsql[6]}, 0});
  ASSERT_FALSE(neither);
  EXPECT_NE(std::string::npos, neither.error().text.find("neither MySQL's nor PostgreSQL's"));
  EXPECT_EQ("3.0.1", version_in({{pgsql[5], pgsql[6]}, 0}));
}

TEST(ParseSeen, TakesAllParts) {
  const auto seen = parse_everything(answer({{"memory", "a", "6032", "", ""},
                                             {"runtime", "a", "6032", "", ""},
                                             {"runtime", "b", "6032", "", ""},
                                             {"peer", "a", "6032", "999999", "mysql_users 2 1700000001 0xCD"},
                                             {"peer", "gone", "6032", "999999", "mysql_users 2 1700000001 0xCD"},
                                             {"module", "mysql_servers", "3", "1700000000", "0xAB"},
                                             {"backends", "ONLINE", "4", "10", ""},
                                             {"backends", "SHUNNED", "1", "10", ""},
                                             {"backends", "SHUNNED_REPLICATION_LAG", "1", "2", ""},
                                             {"backends", "OFFLINE_SOFT", "2", "2", ""},
                                             {"backends", "OFFLINE_HARD", "3", "10", ""},
                                             {"global", "Client_Connections_connected", "17", "", ""},
                                             {"global", "Client_Connections_non_idle", "5", "", ""},
                                             {"global", "MySQL_Thread_Workers", "4", "", ""},
                                             {"global", "mysql_listener_paused", "true", "", ""},
                                             {"global", "admin-cluster_username", "", "", ""},
                                             {"global", "admin-version", "2.7.1-x", "", ""}}));
  ASSERT_TRUE(seen) << seen.error().text;
  ASSERT_EQ(2u, seen->servers.size()) << "a server that has left both tables is none";
  EXPECT_TRUE(seen->servers[0].in_memory && seen->servers[0].in_runtime);
  EXPECT_EQ(999999, seen->servers[0].updated_at);
  ASSERT_EQ(1u, seen->servers[0].modules.size());
  EXPECT_EQ("mysql_users", seen->servers[0].modules[0].name);
  EXPECT_EQ(2, seen->servers[0].modules[0].version);
  EXPECT_EQ(1'700'000'001, seen->servers[0].modules[0].epoch);
  EXPECT_EQ("0xCD", seen->servers[0].modules[0].checksum);
  EXPECT_FALSE(seen->servers[1].in_memory);
  EXPECT_EQ(4u, seen->backends.online);
  EXPECT_EQ(2u, seen->backends.shunned);
  EXPECT_EQ(5u, seen->backends.offline);
  ASSERT_EQ(2u, seen->hostgroups.size());
  const auto shown = [&](uint32_t id) {
    const Hostgroup& each = seen->hostgroups.at(id);
    return std::array{each.id, each.online, each.shunned, each.offline};
  };
  EXPECT_EQ((std::array{2u, 0u, 1u, 2u}), shown(2));
  EXPECT_EQ((std::array{10u, 4u, 1u, 3u}), shown(10));
  EXPECT_EQ(17, seen->clients);
  EXPECT_TRUE(seen->no_cluster_user);
  EXPECT_TRUE(seen->listener_paused);
  EXPECT_EQ("2.7.1-x", seen->version);
  ASSERT_EQ(1u, seen->modules.size());
  EXPECT_EQ(3, seen->modules[0].version);
}

TEST(ParseSeen, KeepsServersOfOneHostApartByTheirPorts) {
  const auto seen = parse_everything(answer({{"memory", "a", "6032", "", ""}, {"runtime", "a", "7032", "", ""}}));
  ASSERT_TRUE(seen);
  ASSERT_EQ(2u, seen->servers.size());
  EXPECT_FALSE(seen->servers[0].in_runtime);
  EXPECT_FALSE(seen->servers[1].in_memory);
  EXPECT_EQ(7032, seen->servers[1].port);
}

// One row for each module of a peer, and some may be older.
TEST(ParseSeen, APeerWasHeardWhenItsLatestRowSays) {
  for (const char* later : {"first", "last"}) {
    const bool first = later[0] == 'f';
    const auto seen = parse_everything(answer({{"memory", "a", "1", "", ""},
                                               {"peer", "a", "1", first ? "900" : "800", "mysql_users 2 1 0xA"},
                                               {"peer", "a", "1", first ? "800" : "900", "mysql_servers 2 1 0xB"}}));
    ASSERT_TRUE(seen);
    EXPECT_EQ(900, seen->servers[0].updated_at) << later;
    EXPECT_EQ(2u, seen->servers[0].modules.size());
  }
}

TEST(ParseSeen, AListenerIsPausedIfItSaysSo) {
  for (const auto& [text, paused] :
       {std::pair("1", true), std::pair("true", true), std::pair("0", false), std::pair("false", false)}) {
    const auto seen = parse_everything(answer({{"global", "mysql_listener_paused", text, "", ""}}));
    ASSERT_TRUE(seen);
    EXPECT_EQ(paused, seen->listener_paused) << text;
  }
}

TEST(ParseSeen, RefusesWhatItDidNotAskFor) {
  EXPECT_EQ("ProxySQL's answer is incomplete: no time",
            parse_everything({{{"global", "ProxySQL_Uptime", "100", "", ""}}, 0}).error().text);
  EXPECT_FALSE(parse_everything({}));
  EXPECT_FALSE(parse_everything({{{"now", "1000000", "", "", ""}}, 0})) << "no uptime";
  EXPECT_FALSE(parse_everything(answer({{"memory", "a", "6032"}})));
  EXPECT_FALSE(parse_everything(answer({{"memory", "a", "port", "", ""}})));
  EXPECT_FALSE(parse_everything(answer({{"memory", "a", "70000", "", ""}})));
  EXPECT_FALSE(parse_everything(answer({{"surprise", "", "", "", ""}})));
  EXPECT_FALSE(parse_everything(answer({{"backends", "ONLINE", "many", "0", ""}})));
  EXPECT_FALSE(parse_everything(answer({{"backends", "ONLINE", "1", "", ""}})));
  EXPECT_FALSE(parse_everything(answer({{"backends", "ONLINE", "1", "-1", ""}})));
  EXPECT_FALSE(parse_everything(answer({{"peer", "a", "1", "yesterday", "mysql_users 2 1 0xA"}})));
  for (const char* packed : {"", "mysql_users", "mysql_users 2", "mysql_users 2 1", "mysql_users two 1 0xA"}) {
    EXPECT_FALSE(parse_everything(answer({{"peer", "a", "1", "1", packed}}))) << packed;
  }
}

TEST(Liveness, Table) {
  struct Case {
    const char* name;
    ServerRow row;
    bool live, dead;
  };
  const auto row = [](bool runtime, int64_t updated_at, int64_t moved_ns, int64_t silent_ms) {
    return ServerRow{"a", 1, true, runtime, updated_at, moved_ns, {}, milliseconds(silent_ms)};
  };
  for (const Case& c :
       {Case{"reached just now", row(true, 1000, 7, 0), true, false},
        Case{"at the limit", row(true, 1000, 7, 5000), true, false},
        Case{"over it", row(true, 1000, 7, 5001), false, true},
        Case{"reached at some time, not watched for long enough", row(true, 1000, 0, 5000), false, false},
        Case{"reached at some time and not while it was watched", row(true, 1000, 0, 5001), false, true},
        Case{"never reached, new", row(true, 0, 0, 0), false, false},
        Case{"never reached, at the limit", row(true, 0, 0, 5000), false, false},
        Case{"never reached, old", row(true, 0, 0, 5001), false, true},
        Case{"in memory alone", row(false, 0, 0, 0), false, false},
        Case{"left runtime, checked", row(false, 1000, 7, 6000), false, false}}) {
    EXPECT_EQ(c.live, is_live(c.row, milliseconds(5000))) << c.name;
    EXPECT_EQ(c.dead, is_dead(c.row, milliseconds(5000))) << c.name;
  }
}

}  // namespace
}  // namespace pulse
