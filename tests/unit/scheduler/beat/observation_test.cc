#include "scheduler/beat/observation.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

using std::chrono::milliseconds;

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
  last_.connection_id = 7;
  seen_.connection_id = 6;
  EXPECT_EQ(0, now().configured) << "so was that, a second before";
  last_.connection_id = 0;
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

TEST(ToHostgroups, InOrderWithWhatHasNoServer) {
  Seen seen;
  seen.hostgroups[10] = {10, 4, 1, 3};
  seen.hostgroups[2] = {2, 0, 1, 2};
  const Hostgroups hostgroups = to_hostgroups(seen, 7);
  EXPECT_EQ(7, hostgroups.at_ns);
  ASSERT_EQ(2u, hostgroups.count);
  EXPECT_EQ(1u, hostgroups.without_online);
  EXPECT_EQ(2u, hostgroups.hostgroups[0].id);
  EXPECT_EQ(2u, hostgroups.hostgroups[0].offline);
  EXPECT_EQ(10u, hostgroups.hostgroups[1].id);
  EXPECT_EQ(4u, hostgroups.hostgroups[1].online);
}

TEST(ToHostgroups, HoldsSoManyAndCountsAll) {
  Seen seen;
  for (uint32_t i = 0; i < kHostgroups + 5; ++i) seen.hostgroups[i] = {i, 0, 1, 0};
  const Hostgroups hostgroups = to_hostgroups(seen, 1);
  EXPECT_EQ(kHostgroups + 5, hostgroups.count);
  EXPECT_EQ(kHostgroups + 5, hostgroups.without_online);
  EXPECT_EQ(kHostgroups - 1, hostgroups.hostgroups[kHostgroups - 1].id);
}

}  // namespace
}  // namespace pulse
