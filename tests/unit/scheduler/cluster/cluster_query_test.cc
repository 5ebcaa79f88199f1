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
    EXPECT_EQ(std::string::npos, observe_statement(look).find("metrics"));
    EXPECT_EQ(std::string::npos, observe_statement(look).find("global_variables")) << "rebuilds the runtime's table";
  }
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
                                             {"global", "mysql_listener_paused", "true", "", ""},
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
  EXPECT_EQ(4u, seen->backends_online);
  EXPECT_EQ(2u, seen->backends_shunned);
  EXPECT_EQ(5u, seen->backends_offline);
  const Hostgroups hostgroups = to_hostgroups(*seen, 7);
  EXPECT_EQ(7, hostgroups.at_ns);
  ASSERT_EQ(2u, hostgroups.count);
  EXPECT_EQ(1u, hostgroups.without_online);
  const auto shown = [&](size_t i) {
    const Hostgroup& each = hostgroups.hostgroups[i];
    return std::array{each.id, each.online, each.shunned, each.offline};
  };
  EXPECT_EQ((std::array{2u, 0u, 1u, 2u}), shown(0));
  EXPECT_EQ((std::array{10u, 4u, 1u, 3u}), shown(1));
  EXPECT_EQ(17, seen->clients);
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
  constexpr int64_t kNow = 1000;
  constexpr int64_t kNowNs = 500'000'000'000;
  const auto row = [](bool runtime, int64_t updated_at, int64_t first_seen_ns) {
    return ServerRow{"a", 1, true, runtime, updated_at, first_seen_ns};
  };
  for (const Case& c :
       {Case{"checked just now", row(true, 1000, kNowNs), true, false},
        Case{"at the limit", row(true, 995, kNowNs), true, false}, Case{"over it", row(true, 994, kNowNs), false, true},
        Case{"clock went back", row(true, 1100, kNowNs), true, false},
        Case{"never checked, new", row(true, 0, kNowNs), false, false},
        Case{"never checked, at the limit", row(true, 0, kNowNs - 5'000'000'000), false, false},
        Case{"never checked, old", row(true, 0, kNowNs - 6'000'000'000), false, true},
        Case{"in memory alone", row(false, 0, 0), false, false},
        Case{"left runtime, checked", row(false, 1000, 0), false, false}}) {
    EXPECT_EQ(c.live, is_live(c.row, kNow, milliseconds(5000))) << c.name;
    EXPECT_EQ(c.dead, is_dead(c.row, kNow, kNowNs, milliseconds(5000))) << c.name;
  }
}

TEST(CarryFirstSeen, KeepsTheOldStamp) {
  Seen seen;
  seen.servers = {{"a", 1, true, true}, {"b", 1, true, true}, {"c", 1, true, false}};
  Observation last{};
  last.peers_count = 1;
  set_text(last.peers[0].hostname, "a");
  last.peers[0].port = 1;
  last.peers[0].first_seen_ns = 7;
  carry_first_seen(seen, last, 100);
  EXPECT_EQ(7, seen.servers[0].first_seen_ns);
  EXPECT_EQ(100, seen.servers[1].first_seen_ns);
  EXPECT_EQ(0, seen.servers[2].first_seen_ns);
  last.peers[0].first_seen_ns = 101;
  carry_first_seen(seen, last, 100);
  EXPECT_EQ(100, seen.servers[0].first_seen_ns) << "never later than now";
  last.peers[0].first_seen_ns = 7;
  last.proxysql_started_ns = -9'000'000'000;
  carry_first_seen(seen, last, 100);
  EXPECT_EQ(7, seen.servers[0].first_seen_ns) << "without a look at the uptime it is the same boot";
  last.proxysql_started_ns = 0;
  last.peers_count = 4'000'000'000;  // bounded, whatever stands there
  carry_first_seen(seen, last, 100);
  seen.has_globals = true;
  last.proxysql_started_ns = -9'000'000'000;
  carry_first_seen(seen, last, 100);
  EXPECT_EQ(100, seen.servers[0].first_seen_ns) << "another boot of ProxySQL";
}

TEST(WhatToLookAt, EverythingNowAndThenAndAfterARestart) {
  Observation last{};
  EXPECT_EQ(Look::everything, what_to_look_at(last, 7, 1)) << "nothing is known yet";
  last.globals_ns = 1;
  last.connection_id = 6;
  EXPECT_EQ(Look::cluster, what_to_look_at(last, 7, 2));
  EXPECT_EQ(Look::everything, what_to_look_at(last, 7, 10'000'000'001)) << "due";
  EXPECT_EQ(Look::everything, what_to_look_at(last, 6, 2)) << "ProxySQL counts connections from its start";
}

TEST(HasLoaded, WhenAVersionHasChanged) {
  Observation last{};
  last.modules_count = 1;
  set_text(last.modules[0].name, "mysql_users");
  last.modules[0].version = 3;
  Seen seen;
  seen.modules = {{"mysql_users", 3, 0, ""}};
  EXPECT_FALSE(has_loaded(seen, last));
  for (const int64_t version : {1, 4}) {
    seen.modules[0].version = version;
    EXPECT_TRUE(has_loaded(seen, last)) << version;
  }
  last.modules_count = 4'000'000'000;  // bounded, whatever stands there
  EXPECT_TRUE(has_loaded(seen, last));
}

class ToObservation : public ::testing::Test {
 protected:
  Observation now() const { return to_observation(seen_, last_, 1'000'000'000'000, milliseconds(5000), false); }
  ToObservation() { seen_.has_globals = true; }
  Seen seen_;
  Observation last_{};
};

TEST_F(ToObservation, CarriesOverWhatWasNotLookedAt) {
  last_.globals_ns = 5;
  last_.clients = 17;
  last_.backends_total = 4;
  last_.proxysql_started_ns = 3;
  set_text(last_.version, "2.7.1");
  seen_.has_globals = false;
  const Observation out = now();
  EXPECT_EQ(1'000'000'000'000, out.at_ns);
  EXPECT_EQ(5, out.globals_ns);
  EXPECT_EQ(17, out.clients);
  EXPECT_EQ(4u, out.backends_total);
  EXPECT_EQ(3, out.proxysql_started_ns);
  EXPECT_EQ("2.7.1", text(out.version));
}

TEST_F(ToObservation, SaysWhichModulesDifferAndSinceWhen) {
  seen_.now_s = 1000;
  seen_.modules = {{"mysql_users", 2, 900, "0xA"}, {"mysql_servers", 2, 900, "0xA"}};
  seen_.servers = {{"a", 1, true, true, 1000, 0, {{"mysql_users", 2, 900, "0xB"}, {"mysql_servers", 2, 900, "0xA"}}},
                   {"b", 1, true, true, 1000, 0, {{"mysql_users", 3, 901, "0xC"}, {"mysql_servers", 0, 0, ""}}},
                   {"dead", 1, true, true, 10, 0, {{"mysql_users", 3, 901, "0xC"}}}};
  last_ = now();
  EXPECT_EQ(2u, last_.modules[0].differing_peers);
  EXPECT_EQ(1u, last_.modules[0].equal_epochs);
  EXPECT_EQ(1'000'000'000'000, last_.modules[0].differs_since_ns);
  EXPECT_EQ(0u, last_.modules[1].differing_peers);
  EXPECT_EQ(0, last_.modules[1].differs_since_ns);
  last_.modules[0].differs_since_ns = 77;
  EXPECT_EQ(77, now().modules[0].differs_since_ns);
  // Each module has a time of its own.
  seen_.servers[0].modules[1].checksum = "0xD";
  EXPECT_EQ(1'000'000'000'000, now().modules[1].differs_since_ns);
}

TEST_F(ToObservation, ConfiguredByAPullByBackendsOrFromBefore) {
  EXPECT_EQ(0, now().configured);
  seen_.modules = {{"mysql_servers", 1, 0, ""}, {"proxysql_servers", 9, 0, ""}};
  EXPECT_EQ(0, now().configured) << "version 1 is the file's own; proxysql_servers carries no traffic";
  seen_.modules = {{"mysql_users", 2, 0, ""}};
  EXPECT_EQ(1, now().configured);
  seen_.modules = {{"mysql_servers_v2", 2, 0, ""}};
  EXPECT_EQ(1, now().configured);
  seen_.modules.clear();
  seen_.backends_shunned = 1;
  EXPECT_EQ(1, now().configured);
  seen_.backends_shunned = 0;
  seen_.uptime_s = 100;
  last_.configured = 1;
  last_.at_ns = 1;
  last_.proxysql_started_ns = 1'000'000'000'000 - 100'900'000'000;
  EXPECT_EQ(1, now().configured) << "once in a boot is enough";
  last_.proxysql_started_ns -= 5'000'000'000;
  EXPECT_EQ(0, now().configured) << "that was another boot";
  last_.proxysql_started_ns += 5'000'000'000;
  last_.at_ns = 0;
  EXPECT_EQ(0, now().configured) << "nothing was looked at before";
}

TEST_F(ToObservation, HoldsSoManyModules) {
  for (size_t i = 0; i < kModules + 2; ++i) seen_.modules.push_back({std::to_string(i), 1, 0, ""});
  EXPECT_EQ(kModules, now().modules_count);
  EXPECT_EQ(std::to_string(kModules - 1), text(now().modules[kModules - 1].name));
}

TEST_F(ToObservation, HoldsSoManyPeersAndCountsAll) {
  for (size_t i = 0; i < kPeers + 5; ++i) seen_.servers.push_back({std::to_string(i), 1, true, true, 0, 0});
  EXPECT_EQ(kPeers + 5, now().peers_count);
  EXPECT_EQ(std::to_string(kPeers - 1), text(now().peers[kPeers - 1].hostname));
}

TEST(ToHostgroups, HoldsSoManyAndCountsAll) {
  std::vector<std::vector<std::string>> rows;
  for (size_t i = kHostgroups + 5; i-- > 0;) rows.push_back({"backends", "SHUNNED", "1", std::to_string(i), ""});
  const auto seen = parse_everything(answer(rows));
  ASSERT_TRUE(seen) << seen.error().text;
  EXPECT_EQ(kHostgroups + 5, seen->backends_shunned);
  const Hostgroups hostgroups = to_hostgroups(*seen, 1);
  EXPECT_EQ(kHostgroups + 5, hostgroups.count);
  EXPECT_EQ(kHostgroups + 5, hostgroups.without_online);
  EXPECT_EQ(kHostgroups - 1, hostgroups.hostgroups[kHostgroups - 1].id);
}

}  // namespace
}  // namespace pulse
