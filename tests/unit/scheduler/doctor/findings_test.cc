// Each finding comes, and goes.
#include "scheduler/doctor/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "scheduler/admin/admin_errors.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kNow = 10'000 * kSecond;
constexpr int64_t kNowS = 1'700'000'000;

// All that is not well, as "SEVERITY SUBJECT: WHAT | MEANS | ACTION".
std::vector<std::string> ills(const Findings& findings) {
  std::vector<std::string> list;
  for (const Finding& one : findings) {
    if (one.severity == Severity::ok) continue;
    list.push_back(std::string(name(one.severity)) + " " + one.subject + ": " + one.what + " | " + one.means + " | " +
                   one.action);
  }
  return list;
}

ModuleRow row(const std::string& name, int64_t version, int64_t epoch, const std::string& checksum) {
  return {name, version, epoch, checksum};
}

ScheduledRow beat_row(const char* place) { return {place, "1", true, 2000, "/usr/bin/proxysql-pulse", {"beat"}}; }

// A satellite with one core, of which nothing bad can be said.
class FindingsTest : public ::testing::Test {
 protected:
  FindingsTest() {
    all_.node.config.role = Role::satellite;
    all_.node.config.beat.interval = milliseconds(2000);
    all_.node.config.satellite.peer_timeout = milliseconds(5000);
    all_.node.config.file = "/etc/proxysql.cnf";
    all_.node.now_ns = kNow;
    all_.node.port.answers = true;
    all_.node.clients = 3;
    all_.node.verdict.state = State::beating;
    all_.node.verdict.message = "all backends online";
    all_.admin.login = AdminSeen::Login::works;
    all_.admin.answers = AdminSeen::Answers::yes;
    all_.admin.variables = {{"admin-cluster_username", "c"}, {"mysql-threads", "4"}};
    all_.admin.cluster.emplace();
    Seen& seen = *all_.admin.cluster;
    seen.now_s = kNowS;
    seen.version = "2.7.1";
    seen.modules = {row("mysql_users", 3, 100, "0xA"), row("mysql_servers_v2", 3, 100, "0xB")};
    seen.servers = {{"10.0.0.1", 6032, true, true, kNowS - 1, 0, seen.modules}};
    for (const char* place : {"memory", "runtime", "disk"}) all_.admin.scheduler.push_back(beat_row(place));
    all_.peers = {{"10.0.0.1", 6032}};
    all_.daemon = {true, true, "127.0.0.1:8080", "", PULSE_VERSION, all_.node.config.state};
  }

  Seen& seen() { return *all_.admin.cluster; }
  ServerRow& core() { return seen().servers.front(); }
  std::vector<std::string> found() const { return ills(findings_of(all_)); }

  Examined all_;
};

TEST_F(FindingsTest, OfAHealthyNodeNothingIsSaid) {
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_EQ(Severity::ok, worst_of(findings_of(all_)));
  EXPECT_FALSE(findings_of(all_).empty()) << "what was looked at";
}

TEST_F(FindingsTest, AFileThatCannotBeReadIsAllThatCanBeSaid) {
  all_.file_error = "/etc/proxysql.cnf:3: syntax error";
  all_.admin = {};
  all_.peers.clear();
  all_.daemon = {};
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("critical configuration: "), HasSubstr(":3:"))));
}

TEST_F(FindingsTest, WhatCheckConfigSaysIsAWarningAndATooShortGraceIsWorse) {
  all_.advice = {"/etc/proxysql.cnf:7: cluster_username isn't set"};
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning configuration: /etc/proxysql.cnf:7")));
  all_.advice.clear();
  all_.grace_problem = "too short";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical grace: too short")));
}

TEST_F(FindingsTest, ARefusedLoginNamesBothPlacesAndTheStatements) {
  all_.admin = {};
  all_.admin.login = AdminSeen::Login::refused;
  all_.admin.why = "connect: Access denied (1045)";
  all_.admin.hint = contradiction_with_file(Error{all_.admin.why, 1045});
  all_.peers.clear();
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("critical admin interface: connect: Access denied"),
                                         HasSubstr("proxysql.db"), HasSubstr("SAVE ADMIN VARIABLES TO DISK"))));
}

TEST_F(FindingsTest, WhereNobodyListensTheDatabasesPortMayBeAnother) {
  all_.admin = {};
  all_.admin.login = AdminSeen::Login::unreachable;
  all_.admin.why = "connect: refused";
  all_.admin.hint = contradiction_with_file(Error{all_.admin.why, 2003});
  all_.peers.clear();
  EXPECT_THAT(found(),
              ElementsAre(AllOf(HasSubstr("mysql_ifaces of its proxysql.db"), HasSubstr("LOAD ADMIN VARIABLES FROM"))));
}

TEST_F(FindingsTest, AHangIsToldFromTheSegmentAndTheProcessWithoutAsking) {
  EXPECT_EQ("", why_not_to_ask(all_.node));
  all_.node.verdict.state = State::admin_unresponsive;
  all_.node.verdict.message = "the admin interface hasn't answered for 3 min";
  EXPECT_EQ("the admin interface hasn't answered for 3 min", why_not_to_ask(all_.node));
  all_.admin = {};
  all_.admin.why = why_not_to_ask(all_.node);
  all_.process = {true, 12, 14, 1, false};
  all_.connections = {{"127.0.0.1:4711", "mysql (pid 7)"}, {"10.0.0.3:99", ""}};
  all_.node.view.record.history_count = 1;
  all_.node.view.record.history[0].phase = static_cast<uint8_t>(Phase::observe);
  all_.peers.clear();
  EXPECT_THAT(found(),
              ElementsAre(AllOf(HasSubstr("critical admin interface: the admin interface hasn't answered for 3 min"),
                                HasSubstr("phase \"observe\""), HasSubstr("pid 12) has 14 threads, 1 of them busy"),
                                HasSubstr("mysql (pid 7) from 127.0.0.1:4711, 10.0.0.3:99"), HasSubstr("Not asked"),
                                HasSubstr("a long statement computes"))));
  all_.process.busy_threads = 0;
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("none of them busy"), HasSubstr("waits for a peer"))));
}

TEST_F(FindingsTest, ABeatThatWaitsIsAHangToo) {
  all_.node.view.attempt_open = true;
  all_.node.view.attempt.began_ns = kNow - 2 * kSecond;
  EXPECT_THAT(why_not_to_ask(all_.node), HasSubstr("a beat has waited for an answer for 2.0 s"));
  all_.node.view.problem = "another ProxySQL's";
  EXPECT_EQ("", why_not_to_ask(all_.node)) << "says nothing about this one";
}

TEST_F(FindingsTest, ADrainIsNotDisturbed) {
  all_.node.verdict.state = State::draining;
  all_.node.verdict.message = "draining: settle";
  all_.node.view.draining_since_ns = kNow - kSecond;
  EXPECT_THAT(why_not_to_ask(all_.node), HasSubstr("a drain is under way"));
  all_.admin = {};
  all_.admin.why = why_not_to_ask(all_.node);
  all_.peers.clear();
  EXPECT_THAT(found(),
              ElementsAre(HasSubstr("notice admin interface: not asked"), HasSubstr("notice beats: draining")));
}

TEST_F(FindingsTest, AStatementWithoutAnAnswerIsAHang) {
  all_.admin = {};
  all_.admin.login = AdminSeen::Login::works;
  all_.admin.answers = AdminSeen::Answers::never;
  all_.peers.clear();
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical admin interface: the login works")));
  all_.admin.login = AdminSeen::Login::silent;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("doesn't greet")));
}

TEST_F(FindingsTest, APausedListenerIsSaid) {
  seen().listener_paused = true;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical mysql port: PROXYSQL PAUSE")));
}

TEST_F(FindingsTest, TheSchedulersRowIsFoundWhereverItIs) {
  auto& rows = all_.admin.scheduler;
  const auto all_rows = rows;
  rows = {beat_row("memory")};
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("it is in memory alone"), HasSubstr("LOAD SCHEDULER TO RUNTIME"))));
  rows.front().active = false;
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("inactive"), HasSubstr("UPDATE scheduler SET active = 1"))));
  rows.clear();
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("critical scheduler"), HasSubstr("add a row"))));
  all_.file_has_beat_row = true;
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("but the file has one"), HasSubstr("proxysql.db, which wins"),
                                         HasSubstr("LOAD SCHEDULER FROM CONFIG"))));
  all_.node.config.daemon.beats = BeatsMode::when_silent;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("notice scheduler")));
  all_.node.config.daemon.beats = BeatsMode::always;
  EXPECT_THAT(found(), IsEmpty());
  all_.node.config.daemon.beats = BeatsMode::never;
  rows = all_rows;
  EXPECT_THAT(found(), IsEmpty());
  std::erase_if(rows, [](const ScheduledRow& one) { return one.place == "disk"; });
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("isn't on disk"), HasSubstr("SAVE SCHEDULER TO DISK"))));
  rows = all_rows;
  rows[1].interval_ms = 9000;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("interval is 9000 ms, the file's 2000")));
  rows = all_rows;
  rows.push_back(beat_row("runtime"));
  EXPECT_THAT(found(), ElementsAre(HasSubstr("2 active rows run the beat")));
}

TEST_F(FindingsTest, HealthIsSaidInItsOwnWords) {
  all_.node.verdict.state = State::failing;
  all_.node.verdict.message = "beats have failed for 1 h: x";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical beats: failing: beats have failed for 1 h: x")));
  all_.node.verdict.state = State::scheduler_silent;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical beats")));
  all_.node.verdict.state = State::maintenance;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("notice beats")));
  all_.node.verdict.state = State::starting;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("notice beats")));
  all_.node.verdict.state = State::beating;
  all_.node.port.answers = false;
  all_.node.port.reason = "nothing listens there";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical mysql port: 127.0.0.1:6033 doesn't answer: nothing listens")));
  all_.node.port.answers = true;
  all_.node.view.observation.backends.shunned = 2;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical backends: none of 2 backends")));
  all_.node.view.observation.backends = {1, 1, 0};
  EXPECT_THAT(found(), ElementsAre(HasSubstr("notice backends: 1 of 2")));
  all_.node.view.observation.backends = {2, 0, 0};
  all_.node.view.observation.memory.page_table_kb = 9 << 10;
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("warning scheduler: each run stalls"), HasSubstr("daemon.beats"))));
  all_.node.config.daemon.beats = BeatsMode::always;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FindingsTest, TheSegmentIsAnothersOrNotThereOrItsLockIsOdd) {
  StateView& view = all_.node.view;
  view.problem = "the state segment is of ProxySQL at 127.0.0.1:7032";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical state segment: the state segment is of ProxySQL")));
  view.problem.clear();
  view.absent = "no segment yet";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning state segment: no segment yet")));
  view.absent.clear();
  view.lock_problem = "the lock file is another user's";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning lock: the lock file")));
}

TEST_F(FindingsTest, TheDaemonIsGoneOldOrAnothers) {
  DaemonSeen& daemon = all_.daemon;
  daemon.answers = false;
  daemon.why = "refused";
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("notice daemon: none answers"), HasSubstr("refused"))));
  all_.node.view.discovery.looked_ns = kNow - 1;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning daemon: none answers"))) << "there was one";
  daemon.answers = true;
  daemon.version = "0.0.1";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("is version 0.0.1, this program")));
  daemon.version = PULSE_VERSION;
  daemon.state_path = "/elsewhere";
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical daemon: reads the state segment /elsewhere")));
}

TEST_F(FindingsTest, WithIdleThreadsADrainNeedsTimeForEachClient) {
  all_.node.clients = 40'000;
  EXPECT_THAT(found(), IsEmpty()) << "without --idle-threads all go at once";
  all_.process.idle_threads = true;
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("warning drain: would need some 3 min of its 25.0 s"),
                                         HasSubstr("drain.timeout_ms to "), HasSubstr("128 idle clients"))));
  all_.node.config.drain.timeout = std::chrono::minutes(4);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FindingsTest, WithoutAClusterUserNoPeerIsEverChecked) {
  all_.admin.variables["admin-cluster_username"] = "";
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("critical peers: admin-cluster_username isn't set"),
                                         HasSubstr("SET admin-cluster_username"))));
}

TEST_F(FindingsTest, ASatelliteWithoutACoreGetsNothing) {
  all_.peers.clear();
  EXPECT_THAT(found(), ElementsAre(HasSubstr("critical peers: proxysql_servers names no core")));
  all_.node.config.role = Role::core;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(FindingsTest, APeerThatIsNotReachedSaysWhy) {
  core().updated_at = 0;
  const auto why = [this] {
    auto list = found();
    EXPECT_THAT(list.front(), HasSubstr("critical peers: no core is reached"));
    list.erase(list.begin());
    return list;
  };
  PeerSeen& peer = all_.peers.front();
  peer.login = AdminSeen::Login::refused;
  peer.why = "Access denied";
  EXPECT_THAT(why(), ElementsAre(AllOf(HasSubstr("10.0.0.1:6032 was never reached"),
                                       HasSubstr("refuses cluster_username: Access denied"))));
  peer.login = AdminSeen::Login::unreachable;
  peer.why = "no such host";
  EXPECT_THAT(why(), ElementsAre(HasSubstr("| no such host |")));
  peer.login = AdminSeen::Login::works;
  EXPECT_THAT(why(), ElementsAre(HasSubstr("its statements hang, or it is another version")));
  peer.proxysql_version = "3.0.1";
  EXPECT_THAT(why(), ElementsAre(HasSubstr("it runs ProxySQL 3.0.1, this node 2.7.1")));
  peer = {"10.0.0.1", 6032, AdminSeen::Login::silent, "timed out"};
  core().updated_at = kNowS - 60;
  EXPECT_THAT(why(), ElementsAre(AllOf(HasSubstr("hasn't been reached for 60.0 s"), HasSubstr("before its greeting"))));
  core().in_runtime = false;
  EXPECT_THAT(why(), ElementsAre(HasSubstr("is in memory alone")));
}

TEST_F(FindingsTest, WhatDiffersHasACause) {
  Module& users = all_.node.view.observation.modules[0];
  all_.node.view.observation.modules_count = 1;
  set_text(users.name, "mysql_users");
  users.differs_since_ns = kNow - 60 * kSecond;
  ModuleRow& own = seen().modules.front();
  const auto why = [this](int64_t own_version, int64_t own_epoch, int64_t version, int64_t epoch) {
    seen().modules.front().version = own_version;
    seen().modules.front().epoch = own_epoch;
    core().modules = {row("mysql_users", version, epoch, "0xOTHER")};
    const auto list = found();
    EXPECT_THAT(list, ElementsAre(HasSubstr("warning peers: mysql_users isn't what 10.0.0.1:6032 has, for 60.0 s")));
    return list.empty() ? "" : list.front();
  };
  EXPECT_THAT(why(1, 5, 1, 9), AllOf(HasSubstr("both are at version 1"), HasSubstr("LOAD MYSQL USERS TO RUNTIME")));
  EXPECT_THAT(why(2, 5, 1, 9), HasSubstr("that node is at version 1"));
  EXPECT_THAT(why(1, 9, 2, 5), HasSubstr("this node is at version 1 and hasn't pulled yet"));
  EXPECT_THAT(why(2, 9, 2, 9), HasSubstr("equal epochs"));
  EXPECT_THAT(why(2, 5, 2, 9), HasSubstr("that node's is newer and isn't pulled"));
  EXPECT_THAT(why(2, 9, 2, 5), HasSubstr("this node's own load is newer than the core's"));
  all_.admin.variables["admin-cluster_mysql_users_diffs_before_sync"] = "0";
  EXPECT_THAT(why(2, 5, 2, 9), HasSubstr("its sync is off on this node"));
  all_.admin.variables.erase("admin-cluster_mysql_users_diffs_before_sync");
  all_.node.config.role = Role::core;
  EXPECT_THAT(why(2, 9, 2, 5), HasSubstr("that node doesn't pull it"));
  users.differs_since_ns = kNow - kSecond;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("notice peers"))) << "a pull takes some seconds";
  core().modules = {row("mysql_users", 2, 5, own.checksum)};
  EXPECT_THAT(found(), IsEmpty());
}

class MembersTest : public FindingsTest {
 protected:
  MembersTest() {
    all_.node.config.role = Role::core;
    all_.node.view.discovery.source = static_cast<uint8_t>(Source::dns);
    list_->count = list_->cores = 1;
    set_text(list_->members[0].address, "10.0.0.1");
    list_->members[0].port = 6032;
    list_->members[0].is_core = 1;
    list_->members[0].is_self = 1;
    all_.node.view.members = list_;
  }

  std::shared_ptr<Members> list_ = std::make_shared<Members>();
};

TEST_F(MembersTest, ACoreIsAmongThem) {
  EXPECT_THAT(found(), IsEmpty());
  list_->members[0].is_self = 0;
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("critical members: this core is not among the 1 core that dns"),
                                         HasSubstr("ClusterIP"), HasSubstr("headless"))));
  list_->count = list_->cores = 2;
  list_->members[1] = list_->members[0];
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("not among the 2 cores"), HasSubstr("set pulse.address"))));
  all_.node.config.role = Role::satellite;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(MembersTest, EachCoreIsInProxysqlServers) {
  list_->count = list_->cores = 2;
  list_->members[1] = list_->members[0];
  set_text(list_->members[1].address, "10.0.0.2");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning members: 10.0.0.2:6032 not in proxysql_servers at runtime")));
  core().hostname = "core-0.core";  // a name stands for who knows which address
  all_.peers.front().host = "core-0.core";
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(MembersTest, ALookThatFailsIsSaid) {
  all_.node.view.discovery.failing_since_ns = kNow - 60 * kSecond;
  set_text(all_.node.view.discovery.error, "no such name");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("warning members: dns has failed for 60.0 s: no such name")));
}

// A module in three places, one row each.
class ModulesTest : public FindingsTest {
 protected:
  ModulesTest() {
    TablePlaces table{"mysql_users"};
    for (PlaceRows& place : table.places) place = {true, 1, {{"app", {{"username", "app"}, {"active", "1"}}}}};
    all_.admin.modules = {{find_file_module("mysql_users"), {table}}};
  }

  std::string& cell(Place place) { return all_.admin.modules[0].tables[0].at(place).rows["app"]["active"]; }
};

TEST_F(ModulesTest, PlacesThatDifferAreSaidWithTheStatements) {
  EXPECT_THAT(found(), IsEmpty());
  cell(Place::runtime) = "0";
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("warning mysql_users: memory and runtime differ in 1 row (app: "),
                                         HasSubstr("LOAD MYSQL USERS TO RUNTIME"), HasSubstr("--diff mysql_users"))));
  cell(Place::runtime) = "1";
  cell(Place::file) = "0";
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("notice mysql_users: file and memory differ"),
                                         HasSubstr("a satellite takes this from the cores"))));
  all_.node.config.role = Role::core;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("LOAD MYSQL USERS FROM CONFIG")));
  cell(Place::file) = "1";
  cell(Place::disk) = "0";
  EXPECT_THAT(found(), IsEmpty()) << "the file has it, so a core loads it again";
  all_.admin.modules[0].tables[0].at(Place::file) = {};
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("notice mysql_users: memory and disk differ"),
                                         HasSubstr("SAVE MYSQL USERS TO DISK"))));
  all_.admin.modules[0].tables[0].compared = false;
  EXPECT_THAT(found(), ElementsAre(HasSubstr("notice mysql_users: mysql_users is large, only counted")));
}

TEST_F(ModulesTest, WhoGetsInIsMoreThanANotice) {
  TablePlaces table{"admin_variables"};
  const auto place = [](const char* value) {
    return PlaceRows{true, 1, {{"admin-mysql_ifaces", {{"variable_value", value}}}}};
  };
  table.places = {place("0.0.0.0:6032"), place("0.0.0.0:7032"), place("0.0.0.0:7032"), place("0.0.0.0:7032")};
  all_.admin.modules = {{find_file_module("admin_variables"), {table}}};
  EXPECT_THAT(found(),
              ElementsAre(AllOf(HasSubstr("warning admin_variables"), HasSubstr("0.0.0.0:6032 in the file"),
                                HasSubstr("runs on its proxysql.db"), HasSubstr("LOAD ADMIN VARIABLES FROM CONFIG"))));
}

}  // namespace
}  // namespace pulse
