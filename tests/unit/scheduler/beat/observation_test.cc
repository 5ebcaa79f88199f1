#include "scheduler/beat/observation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/base/clock.h"

namespace pulse {
namespace {

using std::chrono::milliseconds;

// A satellite's beats and what its ProxySQL says of one core, look by look.
class WatchedPeer : public ::testing::Test {
 protected:
  // A beat `after` the last one, to which ProxySQL's clock says `now_s` and the core was last reached at `updated_at`.
  void look(milliseconds after, int64_t now_s, int64_t updated_at) {
    now_ns_ += nanoseconds(after).count();
    seen_.now_s = now_s;
    seen_.has_globals = true;
    seen_.uptime_s = (now_ns_ - started_ns_) / 1'000'000'000;
    seen_.servers = {{"a", 1, true, true, updated_at}};
    watch_peers(seen_, last_, now_ns_, watch_);
    last_ = to_observation(seen_, last_, now_ns_, watch_.peer_timeout, false);
  }
  bool live() const { return is_live(seen_.servers.at(0), watch_.peer_timeout); }
  bool dead() const { return is_dead(seen_.servers.at(0), watch_.peer_timeout); }

  Seen seen_;
  Observation last_{};
  PeerWatch watch_{milliseconds(2000), milliseconds(5000)};
  int64_t started_ns_ = 1'000'000'000;
  int64_t now_ns_ = 100'000'000'000;
};

TEST_F(WatchedPeer, IsDeadOnceItHasntMovedForLongerThanTheTimeout) {
  look(milliseconds(0), 1000, 1000);
  EXPECT_TRUE(live()) << "reached this very second, by ProxySQL's own clock";
  look(milliseconds(2000), 1002, 1002);
  EXPECT_TRUE(live());
  look(milliseconds(2000), 1004, 1002);
  look(milliseconds(2000), 1006, 1002);
  EXPECT_TRUE(live()) << "silent for 4 s";
  look(milliseconds(2000), 1008, 1002);
  EXPECT_TRUE(dead());
  look(milliseconds(2000), 1010, 1010);
  EXPECT_TRUE(live());
}

TEST_F(WatchedPeer, AStepOfTheWallClockKillsNobody) {
  look(milliseconds(0), 1000, 1000);
  look(milliseconds(2000), 4602, 1001);
  EXPECT_TRUE(live()) << "an hour ahead, and the last check was before the step";
  look(milliseconds(2000), 4604, 4604);
  look(milliseconds(2000), 1006, 4605);
  EXPECT_TRUE(live()) << "back";
  look(milliseconds(2000), 1008, 1008);
  EXPECT_TRUE(live());
}

TEST_F(WatchedPeer, AStepOfTheWallClockKeepsNobodyAlive) {
  look(milliseconds(0), 1000, 1000);
  for (int i = 1; i <= 3; ++i) look(milliseconds(2000), 1000 - 3600 + i, 1000);
  EXPECT_TRUE(dead()) << "its last check is an hour ahead of the clock";
}

TEST_F(WatchedPeer, AtFirstSightAnOldCheckSaysNothing) {
  look(milliseconds(0), 1000, 900);
  EXPECT_FALSE(live() || dead()) << "the clock may have stepped";
  look(milliseconds(2000), 1002, 1001);
  EXPECT_TRUE(live());
  last_ = Observation{};
  for (int i = 0; i < 4; ++i) look(milliseconds(2000), 1002, 900);
  EXPECT_TRUE(dead());
}

TEST_F(WatchedPeer, TheBeatsOwnAbsenceIsNotThePeersSilence) {
  look(milliseconds(0), 1000, 1000);
  look(milliseconds(3'600'000), 4600, 1000);
  EXPECT_TRUE(live()) << "ProxySQL may have slept as well: nobody has watched";
  look(milliseconds(2000), 4602, 1000);
  EXPECT_TRUE(live());
  look(milliseconds(2000), 4604, 1000);
  EXPECT_TRUE(dead());
}

TEST_F(WatchedPeer, AnIntervalThatIsLongerThanTheTimeoutTakesThreeLooks) {
  watch_.interval = milliseconds(30'000);
  look(milliseconds(0), 1000, 1000);
  look(milliseconds(30'000), 1030, 1000);
  EXPECT_TRUE(live());
  look(milliseconds(30'000), 1060, 1000);
  EXPECT_TRUE(live());
  look(milliseconds(30'000), 1090, 1000);
  EXPECT_TRUE(dead());
}

TEST_F(WatchedPeer, NeverReachedCountsFromTheFirstLook) {
  for (int i = 0; i < 3; ++i) look(milliseconds(2000), 1000, 0);
  EXPECT_FALSE(live() || dead());
  look(milliseconds(2000), 1000, 0);
  EXPECT_TRUE(dead());
}

TEST_F(WatchedPeer, AnotherStartOfProxySQLBeginsAnew) {
  for (int i = 0; i < 4; ++i) look(milliseconds(2000), 1000, 0);
  ASSERT_TRUE(dead());
  started_ns_ = now_ns_;
  look(milliseconds(2000), 1000, 0);
  EXPECT_FALSE(live() || dead());
}

TEST_F(WatchedPeer, WithoutALookAtTheUptimeItIsTheSameStart) {
  look(milliseconds(0), 1000, 0);
  Seen seen;
  seen.servers = {{"a", 1, true, true}, {"b", 1, true, true}, {"c", 1, true, false}};
  watch_peers(seen, last_, now_ns_ + 1'000'000'000, watch_);
  EXPECT_EQ(1'000'000'000, seen.servers[0].silent.count());
  EXPECT_EQ(0, seen.servers[1].silent.count()) << "new";
  EXPECT_EQ(0, seen.servers[2].silent.count()) << "not at runtime";
  watch_peers(seen, last_, now_ns_ - 1'000'000'000, watch_);
  EXPECT_EQ(0, seen.servers[0].silent.count()) << "never less than nothing";
  last_.peers_count = 4'000'000'000;  // bounded, whatever stands there
  last_.peers[0].silent_ns = -1;
  watch_peers(seen, last_, now_ns_ + 1'000'000'000, watch_);
  EXPECT_EQ(1'000'000'000, seen.servers[0].silent.count());
}

// proxysql_servers of a cluster of `count` cores that are all gone: how many are known to be dead after a while?
size_t dead_of(size_t count, size_t only_in_memory) {
  const PeerWatch watch{milliseconds(2000), milliseconds(5000)};
  Seen seen;
  Observation last{};
  for (size_t i = 0; i < only_in_memory; ++i) seen.servers.push_back({"m" + std::to_string(i), 1, true, false});
  for (size_t i = 0; i < count; ++i) seen.servers.push_back({"r" + std::to_string(i), 1, true, true});
  for (int i = 1; i <= 5; ++i) {
    watch_peers(seen, last, i * 2'000'000'000LL, watch);
    last = to_observation(seen, last, i * 2'000'000'000LL, watch.peer_timeout, true);
  }
  return static_cast<size_t>(std::count_if(seen.servers.begin(), seen.servers.end(),
                                           [&](const ServerRow& row) { return is_dead(row, watch.peer_timeout); }));
}

TEST(WatchPeers, GivesUpSixtyFourAndOfMoreTheRestNever) {
  EXPECT_EQ(17u, dead_of(17, 0));
  EXPECT_EQ(64u, dead_of(64, 0));
  EXPECT_EQ(64u, dead_of(64, 10)) << "rows that are in memory alone take nobody's place";
  EXPECT_EQ(64u, dead_of(70, 0)) << "the others count as not watched for long enough";
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
  last_.backends.online = 4;
  last_.proxysql_started_ns = 3;
  set_text(last_.version, "2.7.1");
  seen_.has_globals = false;
  const Observation out = now();
  EXPECT_EQ(1'000'000'000'000, out.at_ns);
  EXPECT_EQ(5, out.globals_ns);
  EXPECT_EQ(17, out.clients);
  EXPECT_EQ(4u, out.backends.total());
  EXPECT_EQ(3, out.proxysql_started_ns);
  EXPECT_EQ("2.7.1", text(out.version));
}

TEST_F(ToObservation, SaysWhichModulesDifferAndSinceWhen) {
  seen_.now_s = 1000;
  seen_.modules = {{"mysql_users", 2, 900, "0xA"}, {"mysql_servers", 2, 900, "0xA"}};
  seen_.servers = {{"a", 1, true, true, 1000, 7, {{"mysql_users", 2, 900, "0xB"}, {"mysql_servers", 2, 900, "0xA"}}},
                   {"b", 1, true, true, 1000, 7, {{"mysql_users", 3, 901, "0xC"}, {"mysql_servers", 0, 0, ""}}},
                   {"dead", 1, true, true, 10, 7, {{"mysql_users", 3, 901, "0xC"}}, std::chrono::seconds(6)}};
  last_ = now();
  EXPECT_EQ(2u, last_.modules[0].differing_peers);
  EXPECT_EQ(1u, last_.modules[0].equal_epochs);
  EXPECT_EQ(0u, last_.modules[0].older_peers);
  EXPECT_EQ(1'000'000'000'000, last_.modules[0].differs_since_ns);
  EXPECT_EQ(0u, last_.modules[1].differing_peers);
  EXPECT_EQ(0, last_.modules[1].differs_since_ns);
  last_.modules[0].differs_since_ns = 77;
  EXPECT_EQ(77, now().modules[0].differs_since_ns);
  seen_.servers[0].modules[0].epoch = 899;
  EXPECT_EQ(1u, now().modules[0].older_peers) << "ProxySQL never pulls from that one";
  EXPECT_EQ(0u, now().modules[0].unloaded_peers);
  seen_.servers[0].modules[0].version = 1;
  EXPECT_EQ(1u, now().modules[0].unloaded_peers) << "nobody pulls from that one";
  // Each module has a time of its own.
  seen_.servers[0].modules[1].checksum = "0xD";
  EXPECT_EQ(1'000'000'000'000, now().modules[1].differs_since_ns);
}

TEST_F(ToObservation, ThatNobodyIsHeardOfForAMomentEndsNoDifference) {
  seen_.now_s = 1000;
  seen_.modules = {{"mysql_users", 2, 900, "0xA"}};
  seen_.servers = {{"a", 1, true, true, 1000, 7, {{"mysql_users", 2, 901, "0xB"}}}};
  last_ = now();
  last_.modules[0].differs_since_ns = 77;
  seen_.servers[0].silent = std::chrono::seconds(60);
  last_ = now();
  EXPECT_EQ(0u, last_.modules[0].differing_peers);
  EXPECT_EQ(77, last_.modules[0].differs_since_ns);
  seen_.servers[0].silent = {};
  last_ = now();
  EXPECT_EQ(1u, last_.modules[0].differing_peers);
  EXPECT_EQ(77, last_.modules[0].differs_since_ns);
  seen_.servers[0].modules[0].checksum = "0xA";
  EXPECT_EQ(0, now().modules[0].differs_since_ns);
}

TEST_F(ToObservation, SaysWhetherProxySQLChecksAnybody) {
  EXPECT_EQ(0, now().no_cluster_user);
  seen_.no_cluster_user = true;
  EXPECT_EQ(1, now().no_cluster_user);
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
  seen_.backends.shunned = 1;
  EXPECT_EQ(1, now().configured);
  seen_.backends.shunned = 0;
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
  EXPECT_EQ(2, now().modules_left_out) << "and says how many it doesn't hold";
  EXPECT_EQ(std::to_string(kModules - 1), text(now().modules[kModules - 1].name));
}

TEST_F(ToObservation, APostgresqlUserAloneIsAConfiguration) {
  seen_.modules = {{"pgsql_users", 2, 1, "0x1"}};
  EXPECT_EQ(1, now().configured);
  seen_.modules = {{"pgsql_query_rules", 2, 1, "0x1"}};
  EXPECT_EQ(0, now().configured);
}

TEST_F(ToObservation, HoldsSoManyPeersAndCountsAll) {
  for (size_t i = 0; i < kPeers + 5; ++i) seen_.servers.push_back({std::to_string(i), 1, true, true, 0, 0});
  EXPECT_EQ(kPeers + 5, now().peers_count);
  EXPECT_EQ(std::to_string(kPeers - 1), text(now().peers[kPeers - 1].hostname));
}

TEST(ToHostgroups, InOrderWithWhatHasNoServer) {
  Seen seen;
  seen.hostgroups[10] = {10, 0, 4, 1, 3};
  seen.hostgroups[2] = {2, 0, 0, 1, 2};
  const Hostgroups hostgroups = to_hostgroups(seen, 7);
  EXPECT_EQ(7, hostgroups.at_ns);
  ASSERT_EQ(2u, hostgroups.count);
  EXPECT_EQ(1u, hostgroups.without_online);
  EXPECT_EQ(2u, hostgroups.hostgroups[0].id);
  EXPECT_EQ(2u, hostgroups.hostgroups[0].offline);
  EXPECT_EQ(10u, hostgroups.hostgroups[1].id);
  EXPECT_EQ(4u, hostgroups.hostgroups[1].online);
}

TEST(ToHostgroups, OfBothProtocolsWhoseNumbersAreTheirOwn) {
  Seen seen;
  seen.hostgroups[1] = {1, 0, 2, 0, 0};
  seen.pgsql_hostgroups[1] = {1, 1, 0, 3, 0};
  const Hostgroups hostgroups = to_hostgroups(seen, 7);
  ASSERT_EQ(2u, hostgroups.count);
  EXPECT_EQ(1u, hostgroups.without_online);
  EXPECT_EQ(0u, hostgroups.hostgroups[0].pgsql);
  EXPECT_EQ(1u, hostgroups.hostgroups[1].pgsql);
  EXPECT_EQ(3u, hostgroups.hostgroups[1].shunned);
}

TEST(ToHostgroups, HoldsSoManyAndCountsAll) {
  Seen seen;
  for (uint32_t i = 0; i < kHostgroups + 5; ++i) seen.hostgroups[i] = {i, 0, 0, 1, 0};
  const Hostgroups hostgroups = to_hostgroups(seen, 1);
  EXPECT_EQ(kHostgroups + 5, hostgroups.count);
  EXPECT_EQ(kHostgroups + 5, hostgroups.without_online);
  EXPECT_EQ(kHostgroups - 1, hostgroups.hostgroups[kHostgroups - 1].id);
}

// A satellite with two cores, look by look.
class WatchedModule : public ::testing::Test {
 protected:
  WatchedModule() {
    seen_.has_globals = true;
    seen_.now_s = 1000;
    seen_.modules = {{"mysql_users", 2, 900, "0xCores"}};
    seen_.servers = {core("a"), core("b")};
    look();
  }
  static ServerRow core(const std::string& name) {
    return {name, 6032, true, true, 1000, 0, {{"mysql_users", 2, 900, "0xCores"}}};
  }
  const Module& look(int64_t after_ms = 2000, bool is_core = false) {
    now_ns_ += after_ms * 1'000'000;
    seen_.now_s += after_ms / 1000;
    seen_.uptime_s = (now_ns_ - started_ns_) / 1'000'000'000;
    for (ServerRow& row : seen_.servers) row.updated_at = seen_.now_s;
    watch_peers(seen_, last_, now_ns_, {milliseconds(2000), milliseconds(5000)});
    last_ = to_observation(seen_, last_, now_ns_, milliseconds(5000), is_core);
    return last_.modules[0];
  }
  ModuleOrigin origin() const { return static_cast<ModuleOrigin>(last_.modules[0].origin); }
  void load(const std::string& checksum) {
    ++seen_.modules[0].version;
    seen_.modules[0].epoch = seen_.now_s;
    seen_.modules[0].checksum = checksum;
  }

  Seen seen_;
  Observation last_{};
  int64_t started_ns_ = 1'000'000'000;
  int64_t now_ns_ = 100'000'000'000;
};

TEST_F(WatchedModule, WhatACoreHasWasPulled) {
  EXPECT_EQ(ModuleOrigin::core, origin());
  EXPECT_EQ("", text(last_.modules[0].peers_checksum));
  EXPECT_EQ(0, last_.modules[0].stuck_since_ns);
}

TEST_F(WatchedModule, ALoadHereIsTheNewestAndStuck) {
  load("0xOwn");
  look();
  EXPECT_EQ(ModuleOrigin::here, origin());
  EXPECT_EQ("0xCores", text(last_.modules[0].peers_checksum));
  const int64_t since_ns = now_ns_;
  EXPECT_EQ(since_ns, last_.modules[0].stuck_since_ns);
  for (int i = 0; i < 40; ++i) look();
  EXPECT_EQ(since_ns, last_.modules[0].stuck_since_ns);
  EXPECT_EQ(ModuleOrigin::here, origin());
  load("0xOwn");
  look();
  EXPECT_EQ(now_ns_, last_.modules[0].stuck_since_ns) << "a person is at work";
  // A core loads: it is about to be pulled, and is.
  for (ServerRow& row : seen_.servers) row.modules[0].epoch = seen_.now_s + 1;
  look();
  EXPECT_EQ(0, last_.modules[0].stuck_since_ns);
  seen_.modules[0] = seen_.servers[0].modules[0];
  seen_.modules[0].version = 9;
  look();
  EXPECT_EQ(ModuleOrigin::core, origin());
}

TEST_F(WatchedModule, ACoreThatDiesTakesTheOriginWithIt) {
  // Pulled from one core, which is gone before the other has pulled it.
  seen_.servers[0].modules[0] = {"mysql_users", 3, 1001, "0xNewer"};
  seen_.modules[0] = {"mysql_users", 3, 1001, "0xNewer"};
  look();
  ASSERT_EQ(ModuleOrigin::core, origin());
  seen_.servers.erase(seen_.servers.begin());
  look();
  EXPECT_EQ(ModuleOrigin::core, origin());
  EXPECT_NE(0, last_.modules[0].stuck_since_ns);
}

TEST_F(WatchedModule, WhatNobodyHasWatchedIsNotKnown) {
  // The core goes between two looks.
  seen_.modules[0] = {"mysql_users", 3, 1001, "0xNewer"};
  seen_.servers.erase(seen_.servers.begin());
  look();
  EXPECT_EQ(ModuleOrigin::unknown, origin());
  // Beats were away.
  load("0xOwn");
  look(61'000);
  EXPECT_EQ(ModuleOrigin::unknown, origin());
  // Nobody has looked before.
  load("0xOwn");
  last_ = Observation{};
  look();
  EXPECT_EQ(ModuleOrigin::unknown, origin());
  // A core has something newer by now: it may have had this before.
  load("0xOwn");
  seen_.servers[0].modules[0].epoch = seen_.now_s + 1;
  look();
  EXPECT_EQ(ModuleOrigin::unknown, origin());
}

TEST_F(WatchedModule, EqualEpochsAreStuckToo) {
  seen_.modules[0] = {"mysql_users", 3, 900, "0xFirstOfTwo"};
  look();
  EXPECT_NE(0, last_.modules[0].stuck_since_ns);
  EXPECT_EQ(ModuleOrigin::unknown, origin());
}

TEST_F(WatchedModule, CoresThatDifferOrAreAtVersionOneSayNothing) {
  load("0xOwn");
  seen_.servers[1].modules[0].checksum = "0xOther";
  look();
  EXPECT_EQ("", text(last_.modules[0].peers_checksum));
  EXPECT_EQ(0, last_.modules[0].stuck_since_ns);
  for (ServerRow& row : seen_.servers) row.modules[0] = {"mysql_users", 1, 950, "0xCores"};
  look();
  EXPECT_EQ(0, last_.modules[0].stuck_since_ns) << "nobody pulls from them: they have to be unlocked";
}

TEST_F(WatchedModule, OfCoresAndOfVariablesNothingIsSaid) {
  seen_.modules[0].name = "mysql_variables";
  for (ServerRow& row : seen_.servers) row.modules[0].name = "mysql_variables";
  load("0xOwn");
  EXPECT_EQ(0, look().stuck_since_ns);
  seen_.modules[0].name = "mysql_users";
  for (ServerRow& row : seen_.servers) row.modules[0].name = "mysql_users";
  load("0xOwn2");
  EXPECT_EQ(0, look(2000, true).stuck_since_ns);
}

}  // namespace
}  // namespace pulse
