// What `doctor` says of the other nodes and of the members: each comes, and goes. The patient is a satellite whose
// table has another node; no beats heal it, so that what is wrong stays.
#include <gtest/gtest.h>
#include <signal.h>

#include <ctime>

#include "src/base/exit_code.h"
#include "tests/integration/cluster.h"
#include "tests/integration/doctor.h"

namespace pulse::test {
namespace {

Server::Options a_core() {
  Server::Options options;
  options.role = "core";
  options.mysql_users = "{ username=\"app\", password=\"of the core\", default_hostgroup=0 },";
  return options;
}

Server::Options a_satellite(const std::string& more_pulse = "") {
  Server::Options options;
  options.pulse = "satellite={ peer_timeout_ms=2000 }, " + more_pulse;
  return options;
}

void load(Server& server, const std::string& module) { server.query("LOAD " + module + " TO RUNTIME"); }

void set_and_load(Server& server, const std::string& variable, const std::string& value) {
  server.query("SET admin-" + variable + " = '" + value + "'");
  load(server, "ADMIN VARIABLES");
}

int64_t epoch_of_users(Server& server) {
  return std::stoll(server.value("SELECT epoch FROM runtime_checksums_values WHERE name = 'mysql_users'"));
}

class DoctorOfPeers : public ::testing::Test {
 protected:
  void start(Server::Options patient = a_satellite()) {
    patient_.emplace(std::move(patient));
    insert(core_.address(), core_.admin_port());
    load(*patient_, "PROXYSQL SERVERS");
    wait_for_end_of({"critical", "peers", {}}, look());
    wait_for_end_of({"warning", "peers", {}}, look());
  }
  void insert(const std::string& host, uint16_t port) {
    patient_->query("INSERT INTO proxysql_servers (hostname, port) VALUES ('" + host + "', " + std::to_string(port) +
                    ")");
  }
  // The role is asked for, so that one node can be looked at as either.
  Look look(const std::string& role = "satellite") {
    return [this, role] { return diagnose(*patient_, {"PULSE_DAEMON_PORT=0", "PULSE_ROLE=" + role}); };
  }
  std::string core_at() const { return core_.address() + ":" + std::to_string(core_.admin_port()); }

  // A user's row that the other node doesn't have so, at run time.
  void edit_users(Server& server) {
    server.query("UPDATE mysql_users SET max_connections = " + std::to_string(++edits_));
  }
  // In a later second than what both nodes have.
  void load_users_later(Server& server) {
    const int64_t newest = std::max(epoch_of_users(core_), epoch_of_users(*patient_));
    ASSERT_TRUE(eventually([&] { return std::time(nullptr) > newest; }));
    load(server, "MYSQL USERS");
  }
  bool have_the_same_users() {
    const char* const statement = "SELECT checksum FROM runtime_checksums_values WHERE name = 'mysql_users'";
    return patient_->value(statement) == core_.value(statement);
  }

  Server core_{a_core()};
  std::optional<Server> patient_;
  int edits_ = 100;
};

TEST_F(DoctorOfPeers, ThatNobodyNames) {
  start();
  comes_and_goes(
      {"critical", "peers", {"proxysql_servers names no core", "this satellite gets nothing"}}, look(),
      [&] {
        patient_->query("DELETE FROM proxysql_servers");
        load(*patient_, "PROXYSQL SERVERS");
      },
      [&] {
        insert(core_.address(), core_.admin_port());
        load(*patient_, "PROXYSQL SERVERS");
      });
}

TEST_F(DoctorOfPeers, ThatAreNeverCheckedForWantOfAUser) {
  Server::Options options = a_satellite();
  options.cluster_user = false;
  patient_.emplace(options);
  insert(core_.address(), core_.admin_port());
  load(*patient_, "PROXYSQL SERVERS");
  const Ill ill{"critical", "peers", {"admin-cluster_username isn't set", "never checks its peers"}};
  wait_for(ill, look());
  for (const char* name : {"username", "password"}) {
    patient_->query("SET admin-cluster_" + std::string(name) + " = 'radmin'");
  }
  load(*patient_, "ADMIN VARIABLES");
  wait_for_end_of(ill, look());
  wait_for_end_of({"critical", "peers", {}}, look());
}

TEST_F(DoctorOfPeers, ThatAreInMemoryAlone) {
  start();
  comes_and_goes(
      {"warning", "peers", {"127.0.0.9:7032 is in memory alone", "LOAD PROXYSQL SERVERS TO RUNTIME"}}, look(),
      [&] { insert("127.0.0.9", 7032); }, [&] { load(*patient_, "PROXYSQL SERVERS"); });
}

TEST_F(DoctorOfPeers, ThatAreGone) {
  start();
  const Ill alone{"critical", "peers", {"no core is reached", "serves what it has and gets nothing new"}};
  comes_and_goes(
      {"warning", "peers", {core_at() + " hasn't been reached for", "see whether it runs"}}, look(),
      [&] {
        core_.kill();
        wait_for(alone, look());
      },
      [&] { core_.start(); });
  wait_for_end_of(alone, look());
}

TEST_F(DoctorOfPeers, WhoseNameLeadsNowhere) {
  start();
  comes_and_goes(
      {"warning", "peers", {"no-such-host.invalid:6032 was never reached", "look up no-such-host.invalid: "}}, look(),
      [&] {
        insert("no-such-host.invalid", 6032);
        load(*patient_, "PROXYSQL SERVERS");
      },
      [&] {
        patient_->query("DELETE FROM proxysql_servers WHERE hostname LIKE 'no-%'");
        load(*patient_, "PROXYSQL SERVERS");
      });
}

TEST_F(DoctorOfPeers, ThatRefuseTheClustersUser) {
  patient_.emplace(a_satellite());
  set_and_load(*patient_, "cluster_password", "wrong");
  comes_and_goes(
      {"warning",
       "peers",
       {core_at() + " was never reached", "it refuses cluster_username", "into admin_credentials there"}},
      look(),
      [&] {
        insert(core_.address(), core_.admin_port());
        load(*patient_, "PROXYSQL SERVERS");
      },
      [&] { set_and_load(*patient_, "cluster_password", "radmin"); });
}

TEST_F(DoctorOfPeers, ThatDoNotGreet) {
  start();
  comes_and_goes(
      {"warning", "peers", {core_at() + " hasn't been reached for", "hangs before its greeting"}}, look(),
      [&] { core_.process().signal(SIGSTOP); }, [&] { core_.process().signal(SIGCONT); });
}

TEST_F(DoctorOfPeers, WhoseStatementsHang) {
  start();
  comes_and_goes(
      {"warning", "peers", {core_at() + " hasn't been reached for", "cluster_username can log in there"}}, look(),
      [&] { core_.wedge(seconds(15)); }, [&] { core_.unwedge(); });
}

TEST_F(DoctorOfPeers, ThatAreTooManyToLogInToEach) {
  start();
  comes_and_goes(
      {"warning", "peers", {"was never reached |  | see \"Cluster:\" in ProxySQL's log"}}, look(),
      [&] {
        for (uint16_t port = 1; port <= 8; ++port) insert("127.0.0.9", port);
        load(*patient_, "PROXYSQL SERVERS");
      },
      [&] {
        patient_->query("DELETE FROM proxysql_servers WHERE hostname = '127.0.0.9'");
        load(*patient_, "PROXYSQL SERVERS");
      });
}

// A double, also beside a real server: its version is what a test says.
TEST(DoctorOfOtherVersions, APeerOfOneIsNamedByItsOwnDaemon) {
  const Subnet subnet;
  Server::Options options = a_satellite();
  options.address = subnet.address(1);
  Server patient(options);
  const std::string own = patient.value("SELECT version()");
  options = a_core();
  options.address = subnet.address(2);
  options.double_always = true;
  options.version = own.front() == '2' ? "2.6.9" : "3.9.9";
  Server other(options);
  ASSERT_EQ(kExitOk, other.beat().exit_code);
  Daemon daemon(other, {"--listen=" + other.address()});
  ASSERT_TRUE(eventually([&] { return daemon.get("/status").body["proxysql"]["version"].is_string(); }));
  const Look look = [&] {
    return diagnose(patient, {"PULSE_DAEMON_PORT=" + std::to_string(daemon.port()),
                              "PULSE_DAEMON_LISTEN_ADDRESS=" + patient.address()});
  };
  const auto insert = [&] {
    patient.query("INSERT INTO proxysql_servers (hostname, port) VALUES ('" + other.address() + "', " +
                  std::to_string(other.admin_port()) + ")");
    patient.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  };
  comes_and_goes({"warning", "peers", {"it runs ProxySQL " + options.version, "bring all nodes to one version"}}, look,
                 insert, [&] {
                   other.kill();
                   other.rewrite([&](Server::Options& change) { change.version = own; });
                   other.start();
                   patient.query("DELETE FROM proxysql_servers");
                   patient.query("LOAD PROXYSQL SERVERS TO RUNTIME");
                   insert();
                   wait_for_end_of({"warning", "peers", {"reached"}}, look);
                 });
}

// Why two nodes don't have the same. Without beats nobody knows for how long, so that each is a notice.
class DoctorOfDifferences : public DoctorOfPeers {
 protected:
  Ill differs(const std::string& why, const std::string& action = "") const {
    return {"notice", "peers", {"mysql_users isn't what " + core_at() + " has", why, action}};
  }
  // Both have loaded their users, and have the same.
  void start_equal() {
    start();
    load(core_, "MYSQL USERS");
    ASSERT_TRUE(eventually([this] { return have_the_same_users(); }));
  }
  void let_the_core_win() { load_users_later(core_); }
};

TEST_F(DoctorOfDifferences, BothAreAtVersionOne) {
  start();
  const Ill ill = differs("both are at version 1", "LOAD MYSQL USERS TO RUNTIME");
  wait_for(ill, look());
  let_the_core_win();
  wait_for_end_of(ill, look());
  wait_for_end_of(differs(""), look());
}

TEST_F(DoctorOfDifferences, TheOtherIsAtVersionOne) {
  start();
  comes_and_goes(
      differs("that node is at version 1, which nobody pulls"), look(), [&] { load(*patient_, "MYSQL USERS"); },
      [&] { let_the_core_win(); });
}

TEST_F(DoctorOfDifferences, ThisOneIsAtVersionOneAndItsPullFails) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  start();
  comes_and_goes(
      differs("this node is at version 1 and hasn't pulled yet"), look(),
      [&] {
        core_.control("fault query error match=\"FROM runtime_mysql_users ORDER BY\"");
        load(core_, "MYSQL USERS");
      },
      [&] { core_.control("clear"); });
}

TEST_F(DoctorOfDifferences, TheOtherIsNewerAndThePullFails) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  start_equal();
  comes_and_goes(
      differs("that node's is newer and isn't pulled"), look(),
      [&] {
        core_.control("fault query error match=\"FROM runtime_mysql_users ORDER BY\"");
        edit_users(core_);
        load_users_later(core_);
      },
      [&] { core_.control("clear"); });
}

TEST_F(DoctorOfDifferences, BothWereLoadedInOneSecond) {
  start_equal();
  comes_and_goes(
      differs("both were loaded in the same second (equal epochs)"), look(),
      [&] {
        ASSERT_TRUE(eventually([&] {
          edit_users(core_);
          edit_users(*patient_);
          const std::time_t begins = std::time(nullptr) + 1;
          if (!eventually([&] { return std::time(nullptr) >= begins; })) return false;
          load(core_, "MYSQL USERS");
          load(*patient_, "MYSQL USERS");
          return epoch_of_users(core_) == epoch_of_users(*patient_) && !have_the_same_users();
        }));
      },
      [&] { let_the_core_win(); });
}

TEST_F(DoctorOfDifferences, ThisOneIsNewer) {
  start_equal();
  const auto make = [&] {
    edit_users(*patient_);
    load_users_later(*patient_);
  };
  comes_and_goes(differs("this node's own load is newer than the core's", "LOAD MYSQL USERS TO RUNTIME on a core"),
                 look(), make, [&] { let_the_core_win(); });
  ASSERT_TRUE(eventually([this] { return have_the_same_users(); }));
  comes_and_goes(differs("this node's is newer and that node doesn't pull it"), look("core"), make,
                 [&] { let_the_core_win(); });
}

TEST_F(DoctorOfDifferences, TheSyncIsOffHere) {
  start_equal();
  comes_and_goes(
      differs("its sync is off on this node (admin-cluster_mysql_users_diffs_before_sync = 0)"), look(),
      [&] {
        set_and_load(*patient_, "cluster_mysql_users_diffs_before_sync", "0");
        edit_users(core_);
        load_users_later(core_);
      },
      [&] { set_and_load(*patient_, "cluster_mysql_users_diffs_before_sync", "3"); });
}

TEST_F(DoctorOfDifferences, WhatLastsIsAWarning) {
  Server::Options options = a_satellite();
  options.beat_interval_ms = 500;
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=" + std::to_string(core_.admin_port()) + " },";
  patient_.emplace(options);
  load(core_, "MYSQL USERS");
  wait_for_beats(*patient_);
  ASSERT_TRUE(eventually([this] { return have_the_same_users(); }));
  comes_and_goes(
      {"warning",
       "peers",
       {"mysql_users isn't what " + core_at() + " has, for 1", "set that to 3 and LOAD ADMIN VARIABLES"}},
      look(),
      [&] {
        set_and_load(*patient_, "cluster_mysql_users_diffs_before_sync", "0");
        edit_users(core_);
        load_users_later(core_);
      },
      [&] { set_and_load(*patient_, "cluster_mysql_users_diffs_before_sync", "3"); });
}

// A core alone, whose daemon has a list.
class DoctorOfMembers : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(kExitOk, core_.beat().exit_code);  // makes the segment
    discover(own_list());
  }
  std::string own_port() const { return std::to_string(core_.admin_port()); }
  std::string own_list() const { return "source=\"static\", members=[\"127.0.0.1:" + own_port() + "\"]"; }
  void discover(const std::string& discovery) {
    core_.rewrite([&](Server::Options& options) { options.pulse = "discovery={ " + discovery + " }, "; });
    daemon_.reset();
    daemon_.emplace(core_);
  }
  void comes_with(const std::string& discovery, const Ill& ill) {
    comes_and_goes(
        ill, [this] { return diagnose(core_); }, [&] { discover(discovery); }, [this] { discover(own_list()); });
  }

  Server core_{a_core()};
  std::optional<Daemon> daemon_;
};

TEST_F(DoctorOfMembers, OfWhichThisCoreIsNone) {
  comes_with("source=\"static\", members=[\"127.0.0.9:7032\", \"127.0.0.8:7032\"]",
             {"critical",
              "members",
              {"this core is not among the 2 cores that static names", "set pulse.address to this node's address"}});
}

TEST_F(DoctorOfMembers, ThatOneNameHidesBehindOneAddress) {
  comes_with("source=\"dns\", names=[\"0x7f000009\"], port=7032, interval_ms=200",
             {"critical",
              "members",
              {"this core is not among the 1 core that dns names", "as a ClusterIP service's does",
               "make the service headless"}});
}

TEST_F(DoctorOfMembers, ThatCannotBeLookedUp) {
  comes_with("source=\"kubernetes\", kubernetes={ api=\"https://127.0.0.1:1\", service_account=\"/nonexistent\" }",
             {"warning", "members", {"kubernetes has failed for", "/nonexistent/", "no core comes or goes"}});
}

TEST_F(DoctorOfMembers, OfWhichOneIsNotInTheTable) {
  const Look look = [this] { return diagnose(core_); };
  comes_and_goes(
      {"warning", "members", {"127.0.0.9:" + own_port() + " not in proxysql_servers at runtime"}}, look,
      [&] {
        core_.query("INSERT INTO proxysql_servers (hostname, port) VALUES ('127.0.0.1', " + own_port() + ")");
        load(core_, "PROXYSQL SERVERS");
        discover("source=\"static\", members=[\"127.0.0.1:" + own_port() + "\", \"127.0.0.9:" + own_port() + "\"]");
      },
      [&] {
        core_.query("INSERT INTO proxysql_servers (hostname, port) VALUES ('127.0.0.9', " + own_port() + ")");
        load(core_, "PROXYSQL SERVERS");
      });
}

}  // namespace
}  // namespace pulse::test
