// The command `doctor`: on a healthy cluster, on one thing at a time that is wrong, and while the admin interface
// hangs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "src/base/exit_code.h"
#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr milliseconds kSlack{500};  // machines are shared

struct Diagnosis {
  Ran ran;
  nlohmann::json json;

  // "SEVERITY SUBJECT: WHAT | MEANS | ACTION" of what isn't well.
  std::string ills() const {
    std::string text;
    if (!json.is_object()) return "no JSON: " + ran.output;
    for (const auto& one : json["findings"]) {
      if (one["severity"] == "ok") continue;
      text += one["severity"].get<std::string>() + " " + one["subject"].get<std::string>() + ": " +
              one["what"].get<std::string>() + " | " + one["means"].get<std::string>() + " | " +
              one["action"].get<std::string>() + "\n";
    }
    return text;
  }
};

Diagnosis diagnose(const Server& server, const std::vector<std::string>& environment = {"PULSE_DAEMON_PORT=0"}) {
  Diagnosis out{server.run({"doctor", "--json"}, environment), {}};
  const size_t open = out.ran.output.find('{');
  out.json = nlohmann::json::parse(open == std::string::npos ? "" : out.ran.output.substr(open), nullptr, false);
  return out;
}

Server::Options with_beats() {
  Server::Options options;
  options.role = "core";
  options.beat_interval_ms = 500;
  options.pulse = "discovery = { source = \"none\" }";
  return options;
}

// Waits for beats, and until none of them has anything to do any more.
void wait_for_beats(const Server& server) {
  ASSERT_TRUE(eventually([&] { return server.status()["counters"]["ok"] >= 2; })) << server.log();
}

TEST(ClusterDoctor, OfAHealthyClusterSaysThatAllIsWell) {
  Cluster cluster;
  const Contents contents = cluster.contents();
  cluster.add_core("core-0", contents);
  cluster.add_core("core-1", contents);
  cluster.add_satellite("satellite-0");
  cluster.settle(contents);
  for (Node& node : cluster.nodes()) {
    // The cluster's beats may take longer than their interval, which would be warned of.
    const std::vector<std::string> daemon = {"PULSE_DAEMON_PORT=" + std::to_string(node.daemon().port()),
                                             "PULSE_DAEMON_LISTEN_ADDRESS=" + node.address(), "PULSE_TIMEOUT_MS=400"};
    // What has just been pulled may still be on its way to the disk.
    Diagnosis last;
    EXPECT_TRUE(eventually([&] {
      last = diagnose(node.server(), daemon);
      return last.ran.exit_code == kExitOk && last.ills().empty();
    })) << node.name()
        << "\n"
        << last.ills() << last.ran.output;
    const Ran text = node.server().run({"doctor"}, daemon);
    EXPECT_THAT(text.output, HasSubstr("all is well")) << text.output;
  }
  Node* const satellite = cluster.satellites().front();
  Node* const core = cluster.cores().back();
  core->kill();
  Diagnosis ill;
  EXPECT_TRUE(eventually([&] {
    ill = diagnose(satellite->server());
    return ill.ills().find("hasn't been reached for") != std::string::npos;
  })) << ill.ran.output;
  EXPECT_THAT(ill.ills(), HasSubstr("warning peers: " + core->address()));
  EXPECT_THAT(ill.ills(), HasSubstr("see whether it runs"));
}

TEST(Doctor, WithTheAdminInterfaceHangingKeepsItsDeadlineAndAddsNothing) {
  Server server(with_beats());
  wait_for_beats(server);
  server.wedge(seconds(60));
  ASSERT_TRUE(eventually([&] { return server.status()["state"] == "admin_unresponsive"; }));
  // Attempts are far apart now: none of theirs comes in between.
  ASSERT_TRUE(eventually([&] { return server.status()["heartbeat"]["next_attempt_in_ms"] > 3000; }));
  const int threads = server.threads();
  const Diagnosis ill = diagnose(server);
  EXPECT_EQ(kExitCritical, ill.ran.exit_code);
  EXPECT_LE(ill.ran.took, milliseconds(5000) + kSlack);
  EXPECT_THAT(ill.ills(), HasSubstr("critical admin interface: the admin interface hasn't answered for"));
  EXPECT_THAT(ill.ills(), HasSubstr("Not asked again"));
  EXPECT_THAT(ill.ills(), HasSubstr("threads, "));
  EXPECT_LE(server.threads(), threads) << "a blocked statement more";
}

TEST(Doctor, AHangThatNobodyKnowsOfCostsOneStatementAndNoMoreThanItsTime) {
  Server::Options options;
  Server server(options);
  server.wedge(seconds(60));
  const int threads = server.threads();
  const Ran ran = server.run({"doctor", "--json", "--timeout-ms=2000"}, {"PULSE_DAEMON_PORT=0"});
  EXPECT_EQ(kExitCritical, ran.exit_code) << ran.output;
  EXPECT_LE(ran.took, milliseconds(2000) + kSlack);
  EXPECT_THAT(ran.output, HasSubstr("a statement got no answer in time"));
  EXPECT_LE(server.threads(), threads + 1);
}

TEST(Doctor, WhoIsNotLetInLearnsWhatProxySQLRunsOn) {
  Server server(with_beats());
  wait_for_beats(server);
  const Ran ran = server.run({"doctor", "--json"}, {"PULSE_DAEMON_PORT=0", "PULSE_ADMIN_USER=nobody"});
  EXPECT_EQ(kExitCritical, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("once it has a proxysql.db, ProxySQL runs on the admin_credentials there"));
  EXPECT_THAT(diagnose(server).ills(), Not(HasSubstr("admin interface")));
}

TEST(Doctor, WhereNobodyListensItSaysSo) {
  Server server(with_beats());
  wait_for_beats(server);
  server.kill();
  const Diagnosis ill = diagnose(server);
  EXPECT_EQ(kExitCritical, ill.ran.exit_code);
  EXPECT_THAT(ill.ills(), HasSubstr("it isn't running, or it runs on the mysql_ifaces of its proxysql.db"));
  EXPECT_THAT(ill.ills(), HasSubstr("critical mysql port"));
}

TEST(Doctor, TheSchedulersRowComesBackByTheStatementsThatItNames) {
  Server server(with_beats());
  wait_for_beats(server);
  EXPECT_THAT(diagnose(server).ills(), Not(HasSubstr("scheduler")));
  server.query("DELETE FROM scheduler");
  server.query("LOAD SCHEDULER TO RUNTIME");
  server.query("SAVE SCHEDULER TO DISK");
  const Diagnosis ill = diagnose(server);
  EXPECT_THAT(ill.ills(), HasSubstr("critical scheduler: no active row runs \"proxysql-pulse beat\", but the file"));
  for (const char* statement : {"LOAD SCHEDULER FROM CONFIG", "LOAD SCHEDULER TO RUNTIME", "SAVE SCHEDULER TO DISK"}) {
    EXPECT_THAT(ill.ills(), HasSubstr(statement));
    server.query(statement);
  }
  EXPECT_THAT(diagnose(server).ills(), Not(HasSubstr("scheduler:")));
  server.query("UPDATE scheduler SET active = 0");
  server.query("LOAD SCHEDULER TO RUNTIME");
  EXPECT_THAT(diagnose(server).ills(), HasSubstr("the row is inactive"));
}

TEST(Doctor, ModulesAreComparedInTheirFourPlaces) {
  Server server(with_beats());
  wait_for_beats(server);
  EXPECT_THAT(diagnose(server).ills(), Not(HasSubstr("differ")));
  server.query("UPDATE mysql_servers SET weight = 7");
  const Diagnosis edited = diagnose(server);
  EXPECT_THAT(edited.ills(), HasSubstr("warning mysql_servers: memory and runtime differ in 1 row"));
  EXPECT_THAT(edited.ills(), HasSubstr("weight: 7 in memory, 1 at runtime"));
  server.query("LOAD MYSQL SERVERS TO RUNTIME");
  const Diagnosis loaded = diagnose(server);
  EXPECT_THAT(loaded.ills(), Not(HasSubstr("memory and runtime")));
  EXPECT_THAT(loaded.ills(), HasSubstr("notice mysql_servers: memory and disk differ in 1 row"));
  const Ran diff = server.run({"doctor", "--diff", "mysql_servers"});
  EXPECT_EQ(kExitOk, diff.exit_code);
  EXPECT_THAT(diff.output, HasSubstr("mysql_servers: 1 row in the file, 1 in memory, 1 at runtime, 1 on disk"));
  EXPECT_THAT(diff.output, HasSubstr("weight: 7 in memory and at runtime, 1 on disk"));
  server.query("SAVE MYSQL SERVERS TO DISK");
  EXPECT_THAT(diagnose(server).ills(), Not(HasSubstr("memory and disk")));
  server.query("INSERT INTO mysql_users (username, password) VALUES ('more', 'hush')");
  server.query("LOAD MYSQL USERS TO RUNTIME");
  server.query("SAVE MYSQL USERS TO DISK");
  const Diagnosis more = diagnose(server);
  EXPECT_THAT(more.ills(),
              HasSubstr("mysql_users: file and memory differ in 1 row (more: in memory, not in the file)"));
  EXPECT_THAT(server.run({"doctor", "--diff", "mysql_users", "--json"}).output, Not(HasSubstr("hush")));
  EXPECT_EQ(kExitUsage, server.run({"doctor", "--diff", "nothing"}).exit_code);
}

TEST(Doctor, TheDaemonIsThereOrNot) {
  Server server(with_beats());
  wait_for_beats(server);
  const std::string port = "PULSE_DAEMON_PORT=";
  {
    const Daemon daemon(server);
    EXPECT_THAT(diagnose(server, {port + std::to_string(daemon.port())}).ills(), Not(HasSubstr("daemon")));
    const Daemon other(server, {"--state=" + (server.dir() / "elsewhere")});
    EXPECT_THAT(diagnose(server, {port + std::to_string(other.port())}).ills(),
                HasSubstr("critical daemon: reads the state segment"));
  }
  EXPECT_THAT(diagnose(server, {port + std::to_string(free_port())}).ills(), HasSubstr("warning daemon: none answers"));
}

TEST(Doctor, AFileThatCannotBeReadIsTheFirstThing) {
  Server server(with_beats());
  wait_for_beats(server);
  server.rewrite([](Server::Options& options) { options.pulse = "discovery = { source = \"sauce\" }"; });
  const Diagnosis ill = diagnose(server);
  EXPECT_EQ(kExitCritical, ill.ran.exit_code);
  EXPECT_THAT(ill.ills(), HasSubstr("critical configuration: "));
}

}  // namespace
}  // namespace pulse::test
