// The command `doctor`: on a healthy cluster, while the admin interface hangs, and what it says where.
#include "tests/integration/doctor.h"

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

Server::Options with_beats() {
  Server::Options options;
  options.role = "core";
  options.beat_interval_ms = 500;
  options.pulse = "discovery = { source = \"none\" }";
  return options;
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
    EXPECT_EQ(0U, text.output.find("all is well (")) << text.output;
    for (const char* looked_at :
         {"configuration", "admin interface", "scheduler", "beats", "mysql port", "state segment", "peers", "members",
          "mysql_servers", "mysql_users", "daemon", "drain"}) {
      EXPECT_THAT(text.output, HasSubstr(std::string("\nok  ") + looked_at + " "));
    }
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
  core->start();
  wait_for_end_of({"warning", "peers", {core->address()}}, [&] { return diagnose(satellite->server()); });
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
  // A thread for each beat that is skipped comes and goes.
  EXPECT_TRUE(eventually([&] { return server.threads() <= threads; }, seconds(1))) << "a blocked statement more";
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
  EXPECT_THAT(more.ills(), HasSubstr("the file of another revision counts: see core_files in status"));
  EXPECT_THAT(diagnose(server, {"PULSE_DAEMON_PORT=0", "PULSE_ROLE=satellite"}).ills(),
              HasSubstr("a satellite takes this from the cores"));
  EXPECT_THAT(server.run({"doctor", "--diff", "mysql_users", "--json"}).output, Not(HasSubstr("hush")));
  EXPECT_EQ(kExitUsage, server.run({"doctor", "--diff", "nothing"}).exit_code);
}

}  // namespace
}  // namespace pulse::test
