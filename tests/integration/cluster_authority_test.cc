// Whose configuration file counts, on whole clusters: a file counts when it changes, not when something restarts. Each
// scenario begins with three cores of revision 1 whose file was applied, and with changes that somebody has made since
// at the admin interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using Kind = Template::Kind;

// Beats of quiet in which a wrong load would come.
constexpr int kQuiet = 8;

class Stage {
 public:
  explicit Stage(Kind kind, Cluster::Options options = {})
      : first_{kind, "core-a"},
        second_{kind, "core-b"},
        cluster_(std::move(options)),
        files_(cluster_.contents()),
        changed_(files_.before) {
    changed_.users["emergency"] = 1;
    changed_.servers["192.0.2.1:3306"] = 77;
    release(first_, 1);
  }

  Cluster& cluster() { return cluster_; }
  const Contents& before() const { return files_.before; }
  const Contents& after() const { return files_.after; }
  // What the operator has made of `before`.
  const Contents& changed() const { return changed_; }
  const Template& first() const { return first_; }
  const Template& second() const { return second_; }

  void release(const Template& from, int revision) {
    if (from.kind != Kind::none) cluster_.release(from, revision);
  }

  // Three cores of the first revision and a satellite, at rest.
  void begin() {
    for (int i = 0; i < 3; ++i) cluster_.add_core("old-" + std::to_string(i), before(), 600 - i, first_);
    cluster_.add_satellite("satellite-0");
    cluster_.settle(before());
    for (const Node* core : cluster_.cores()) cluster_.wait_until_settled(*core);
  }

  // On all cores, saved to all disks.
  void change_by_hand() {
    Server& server = cluster_.cores().front()->server();
    server.query("UPDATE mysql_servers SET weight = 77 WHERE hostname = '192.0.2.1'");
    server.query("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('emergency', 'app', 1)");
    server.query("LOAD MYSQL SERVERS TO RUNTIME");
    server.query("LOAD MYSQL USERS TO RUNTIME");
    cluster_.wait_until_all_have(changed_, "changes by hand");
    for (Node& node : cluster_.nodes()) {
      for (const char* module : {"SERVERS", "USERS", "QUERY RULES"}) {
        node.server().query(std::string("SAVE MYSQL ") + module + " TO DISK");
      }
    }
  }

  Node& core(const std::string& name) {
    for (Node& node : cluster_.nodes()) {
      if (node.name() == name) return node;
    }
    throw std::runtime_error("no core " + name);
  }

  // The core whose file counts.
  Node& authority() {
    for (Node* node : cluster_.cores()) {
      if (node->status()["authority"]["standing"] == "authority") return *node;
    }
    ADD_FAILURE() << "no core's file counts" << cluster_.describe();
    return *cluster_.cores().back();
  }

  // Nobody loses these contents, and all have them in the end.
  void stays(Watcher& watcher, const Contents& contents, const std::string& what) {
    SCOPED_TRACE(what);
    watcher.look_for(kQuiet);
    EXPECT_EQ("", watcher.relapses()) << cluster_.describe();
    print_figure(what + ": " + show(cluster_.wait_until_all_have(contents, what)));
  }

 private:
  const Template first_, second_;
  Cluster cluster_;
  const Deployments files_;
  Contents changed_;
};

std::string revision_from(const Node& core) {
  const nlohmann::json status = core.status();
  return status.contains("core_files") ? status["core_files"].value("revision_from", "") : "no core_files";
}

// Why the core's modules are in the state in which they are.
std::string reasons(const Node& core) {
  const nlohmann::json status = core.status();
  std::string all = status["authority"].value("reason", "");
  if (!status.contains("core_files")) return all;
  for (const auto& module : status["core_files"]["modules"]) all += " | " + module.value("why", "");
  return all;
}

class ByWorkload : public ::testing::TestWithParam<Kind> {};

// (a) Restart of the authority's ProxySQL, its container, its daemon.
TEST_P(ByWorkload, ARestartOfTheAuthorityChangesNothing) {
  Stage stage(GetParam());
  stage.begin();
  stage.change_by_hand();
  Watcher watcher(stage.cluster(), stage.changed());
  watcher.look_for(2);
  Node& core = stage.authority();
  EXPECT_EQ("workload", revision_from(core)) << stage.cluster().describe();
  EXPECT_EQ(1, core.status()["core_files"]["revision"]);

  core.kill();
  watcher.spare(core);
  core.start();
  stage.stays(watcher, stage.changed(), "ProxySQL started from its disk");

  core.kill();
  watcher.spare(core);
  core.server().wipe();
  core.start();
  stage.stays(watcher, stage.changed(), "its container started, without a disk");

  core.restart_daemon();
  stage.stays(watcher, stage.changed(), "its daemon started anew");

  // All of it at once, on all cores but one.
  for (const char* name : {"old-0", "old-1"}) {
    stage.core(name).kill();
    watcher.spare(stage.core(name));
    stage.core(name).server().wipe();
    stage.core(name).start();
    stage.core(name).restart_daemon();
  }
  stage.stays(watcher, stage.changed(), "two of three started anew");
}

// (d) A rollout with another file, and (e) its rollback.
TEST_P(ByWorkload, ARolloutBringsItsFileAndARollbackTheOldOne) {
  Stage stage(GetParam());
  stage.begin();
  stage.change_by_hand();
  Traffic traffic(stage.cluster().satellites());

  stage.release(stage.second(), 2);
  Watcher watcher(stage.cluster(), stage.after());
  stage.cluster().add_core("new-0", stage.after(), 0, stage.second());
  print_figure("the new file everywhere: " +
               show(stage.cluster().wait_until_all_have(stage.after(), "the first new core")));
  for (int i = 0; i < 3; ++i) {
    stage.cluster().remove(stage.core("old-" + std::to_string(i)));
    if (i > 0) stage.cluster().add_core("new-" + std::to_string(i), stage.after(), 0, stage.second());
    watcher.look_for(2);
  }
  stage.stays(watcher, stage.after(), "the rollout is over");
  stage.cluster().settle(stage.after());

  // The old template gets the next number, and its pods come anew.
  stage.release(stage.first(), 3);
  Watcher back(stage.cluster(), stage.before());
  stage.cluster().add_core("back-0", stage.before(), 0, stage.first());
  print_figure("the old file everywhere: " + show(stage.cluster().wait_until_all_have(stage.before(), "the rollback")));
  for (int i = 0; i < 3; ++i) {
    stage.cluster().remove(stage.core("new-" + std::to_string(i)));
    if (i > 0) stage.cluster().add_core("back-" + std::to_string(i), stage.before(), 0, stage.first());
    back.look_for(2);
  }
  stage.stays(back, stage.before(), "the rollback is over");
  EXPECT_EQ(3, stage.core("back-0").status()["core_files"]["revision"]);
  traffic.stop();
  EXPECT_EQ(0, traffic.failures()) << traffic.error();
}

// (f) The rollout is paused, an old pod is evicted and made again: the newest pod, of the old revision.
TEST_P(ByWorkload, AnOldRevisionThatIsMadeAgainDoesntWin) {
  Stage stage(GetParam());
  stage.begin();
  stage.release(stage.second(), 2);
  stage.cluster().add_core("new-0", stage.after(), 60, stage.second());
  stage.cluster().wait_until_all_have(stage.after(), "the first new core");
  Watcher watcher(stage.cluster(), stage.after());
  watcher.look_for(2);

  stage.cluster().remove(stage.core("old-1"));
  Node& again = stage.cluster().add_core("old-3", stage.before(), 0, stage.first());
  stage.stays(watcher, stage.after(), "an old pod was evicted and made again");
  EXPECT_EQ("aside", again.status()["authority"]["standing"]) << stage.cluster().describe();

  // Also when the new revision's only pod is gone for a while.
  stage.cluster().remove(stage.core("new-0"));
  Node& third = stage.cluster().add_core("old-4", stage.before(), 0, stage.first());
  stage.stays(watcher, stage.after(), "the new pod is gone, another old one has come");
  EXPECT_EQ(stage.after().rows(), third.rows()) << stage.cluster().describe();
}

INSTANTIATE_TEST_SUITE_P(ClusterAuthority, ByWorkload, ::testing::Values(Kind::replica_set, Kind::controller_revision),
                         [](const auto& tested) {
                           return tested.param == Kind::replica_set ? "Deployment" : "StatefulSet";
                         });

// (b) The host was rebooted, the segment is gone, the others are alive.
TEST(ClusterAuthority, ARebootOfAHostChangesNothing) {
  Stage stage(Kind::replica_set);
  stage.begin();
  stage.change_by_hand();
  Watcher watcher(stage.cluster(), stage.changed());
  watcher.look_for(2);
  for (const bool wiped : {false, true}) {
    Node& core = stage.authority();
    if (wiped) core.server().wipe();
    core.reboot();
    watcher.spare(core);
    stage.stays(watcher, stage.changed(), wiped ? "rebooted, without its disk" : "rebooted");
  }
}

// (c) A node is lost: its pod comes again elsewhere, of the same revision and with the same file.
TEST(ClusterAuthority, AReplacedPodTakesWhatTheOthersHave) {
  Stage stage(Kind::replica_set);
  stage.begin();
  stage.change_by_hand();
  Watcher watcher(stage.cluster(), stage.changed());
  watcher.look_for(2);
  const std::string lost = stage.authority().name();
  stage.cluster().remove(stage.core(lost));
  Node& replacement = stage.cluster().add_core("replacement", stage.before(), 0, stage.first());
  stage.stays(watcher, stage.changed(), "a pod was replaced");
  EXPECT_EQ(1, replacement.status()["core_files"]["revision"]);
  EXPECT_TRUE(replacement.status()["authority"]["loaded"].empty()) << stage.cluster().describe();
}

// (g) All cores are replaced at once, as a `Recreate` does it.
TEST(ClusterAuthority, AllCoresReplacedAtOnceBringTheirFile) {
  Stage stage(Kind::replica_set);
  stage.begin();
  stage.change_by_hand();
  stage.release(stage.second(), 2);
  for (Node* core : stage.cluster().cores()) stage.cluster().remove(*core);
  std::vector<Node*> cores;
  for (int i = 0; i < 3; ++i) {
    cores.push_back(&stage.cluster().start_core("new-" + std::to_string(i), stage.after()));
  }
  for (const Node* core : cores) stage.cluster().publish(*core, 0, stage.second());
  print_figure("all were replaced: " + show(stage.cluster().wait_until_all_have(stage.after(), "all were replaced")));
  Watcher watcher(stage.cluster(), stage.after());
  stage.stays(watcher, stage.after(), "and it stays");
}

// (h) `kubectl rollout restart`: another revision with the same file.
TEST(ClusterAuthority, ARolloutRestartWithTheSameFileChangesNothing) {
  Stage stage(Kind::replica_set);
  stage.begin();
  stage.change_by_hand();
  Watcher watcher(stage.cluster(), stage.changed());
  watcher.look_for(2);
  stage.release(stage.second(), 2);
  for (int i = 0; i < 3; ++i) {
    const std::string number = std::to_string(i);
    stage.cluster().add_core("new-" + number, stage.before(), 0, stage.second());
    stage.stays(watcher, stage.changed(), "new pod " + number);
    stage.cluster().remove(stage.core("old-" + number));
  }
  stage.stays(watcher, stage.changed(), "the restart is over");
  for (const Node* core : stage.cluster().cores()) {
    EXPECT_EQ(2, core->status()["core_files"]["revision"]);
    EXPECT_TRUE(core->status()["authority"]["loaded"].empty()) << stage.cluster().describe();
  }
}

// (i) For those who want it: the file after each start of the newest core's ProxySQL.
TEST(ClusterAuthority, WithOnBootTheFileComesWithEachStart) {
  Cluster::Options options;
  options.pulse = "core={ apply=\"on_boot\" },";
  Stage stage(Kind::replica_set, options);
  stage.begin();
  stage.change_by_hand();
  Node& core = stage.authority();
  core.kill();
  core.start();
  stage.cluster().wait_until_all_have(stage.before(), "the authority was started");
  stage.cluster().settle(stage.before());
}

// (j) What can't be known: today's rule, and status says why.
TEST(ClusterAuthority, WithoutReplicaSetsTheNewestPodsFileCounts) {
  Stage stage(Kind::replica_set);
  stage.cluster().api().fault("403 for=apps");
  stage.begin();
  for (const Node* core : stage.cluster().cores()) {
    EXPECT_EQ("pod creation time: this service account's Role may not get replicasets", revision_from(*core));
  }
  stage.change_by_hand();
  stage.release(stage.second(), 2);
  stage.cluster().add_core("new-0", stage.after(), 0, stage.second());
  stage.cluster().wait_until_all_have(stage.after(), "the newest pod's file");
  Watcher watcher(stage.cluster(), stage.after());
  stage.stays(watcher, stage.after(), "and it stays");
}

TEST(ClusterAuthority, WithoutAnswersOfTheOthersTheNewestCoresFileCounts) {
  Cluster::Options options;
  options.peers_answer = false;
  Stage stage(Kind::replica_set, options);
  stage.begin();
  EXPECT_EQ("workload", revision_from(*stage.cluster().cores().front()));
  stage.release(stage.second(), 2);
  Node& fresh = stage.cluster().add_core("new-0", stage.after(), 0, stage.second());
  EXPECT_TRUE(eventually([&] { return reasons(fresh).find("Connection refused") != std::string::npos; }))
      << stage.cluster().describe();
  stage.cluster().wait_until_all_have(stage.after(), "the newest revision's file");
  Watcher watcher(stage.cluster(), stage.after());
  stage.stays(watcher, stage.after(), "and it stays");
  const nlohmann::json reports = fresh.status()["peer_reports"];
  EXPECT_EQ(3, reports["cores"]) << reports;
  EXPECT_EQ(0, reports["answered"]) << reports;
  EXPECT_TRUE(reports["failing_for_ms"].is_number()) << reports;
  EXPECT_THAT(reports["error"].get<std::string>(), HasSubstr("Connection refused"));
}

// Stands where a core's daemon would, and answers as one of a Pulse without reports.
class OlderPulse {
 public:
  OlderPulse(const std::string& address, uint16_t port) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in own = loopback_address(port, address.c_str());
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    EXPECT_EQ(0, ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own));
    EXPECT_EQ(0, ::listen(listener_.get(), 16));
    thread_ = std::thread([this] {
      for (;;) {
        const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        char request[4096];
        static_cast<void>(::recv(client.get(), request, sizeof request, 0));
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"state\":\"beating\"}";
        static_cast<void>(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
      }
    });
  }
  ~OlderPulse() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

 private:
  UniqueFd listener_;
  std::thread thread_;
};

TEST(ClusterAuthority, WithPeersOfAnOlderPulseTheNewestCoresFileCounts) {
  Cluster::Options options;
  options.peers_answer = false;
  Stage stage(Kind::replica_set, options);
  // Their daemons listen elsewhere, and the new one's would ask port 0 of them.
  stage.cluster().add_core("old-0", stage.before(), 600, stage.first());
  stage.cluster().add_satellite("satellite-0");
  stage.cluster().settle(stage.before());
  Node& old = stage.core("old-0");
  const OlderPulse older(old.address(), stage.cluster().daemon_port());
  stage.release(stage.second(), 2);
  Node& fresh = stage.cluster().add_answering_core("new-0", stage.after(), stage.second());
  stage.cluster().wait_until_all_have(stage.after(), "the newest revision's file");
  const nlohmann::json reports = fresh.status()["peer_reports"];
  EXPECT_EQ(1, reports["older"]) << reports;
  EXPECT_THAT(reports["error"].get<std::string>(), HasSubstr("its Pulse is older"));
  EXPECT_TRUE(eventually([&] {
    return fresh.daemon().process().output().find("its Pulse is older") != std::string::npos;
  })) << fresh.daemon().process().output();
}

}  // namespace
}  // namespace pulse::test
