// /metrics of the real daemon, beside real beats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "shm/segment/segment.h"
#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// A sample of an answer, by its name and labels as written, without the prefix; -1 if there is none.
double value(const std::string& metrics, const std::string& series) {
  const std::string line = "\nproxysql_pulse_" + series + " ";
  const size_t at = metrics.find(line);
  return at == std::string::npos ? -1 : std::atof(metrics.c_str() + at + line.size());
}

double value(const Daemon& daemon, const std::string& series) { return value(daemon.get("/metrics").text, series); }

// Attempts by outcome, together.
double attempts(const std::string& metrics) {
  double sum = 0;
  for (const char* outcome : {"ok", "failed", "timed_out", "killed_overdue"}) {
    sum += value(metrics, std::string("beats_total{outcome=\"") + outcome + "\"}");
  }
  return sum;
}

// By Prometheus' own tool, where it is installed.
void check_format(const Server& server, const std::string& metrics) {
  const Ran ran = run_to_end(
      {"/bin/sh", "-c",
       "command -v promtool > /dev/null || exit 0; promtool check metrics < " + server.dir().write("metrics", metrics)},
      server.dir(), {"PATH=/usr/bin:/bin"});
  EXPECT_EQ(0, ran.exit_code) << ran.output;
}

TEST(Metrics, AreServedFromBeforeTheFirstBeatOn) {
  Server server({});
  Daemon daemon(server);
  const Daemon::Answer before = daemon.get("/metrics");
  EXPECT_EQ(200, before.status);
  EXPECT_THAT(before.head, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_EQ(1, value(before.text, "state{state=\"starting\"}"));
  EXPECT_EQ(1, value(before.text, "segment{condition=\"absent\"}"));
  EXPECT_EQ(-1, value(before.text, "beats_total{outcome=\"ok\"}"));
  check_format(server, before.text);

  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(eventually([&] { return value(daemon, "state{state=\"beating\"}") == 1; }));
  const std::string after = daemon.get("/metrics").text;
  EXPECT_EQ(2, value(after, "beats_total{outcome=\"ok\"}"));
  EXPECT_EQ(2, value(after, "beat_duration_seconds_count"));
  EXPECT_EQ(2, value(after, "beat_duration_seconds_bucket{le=\"+Inf\"}"));
  EXPECT_GT(value(after, "beat_duration_seconds_sum"), 0);
  EXPECT_GE(value(after, "heartbeat_age_seconds"), 0);
  EXPECT_GE(value(after, "proxysql_uptime_seconds"), 0);
  EXPECT_EQ(1, value(after, "probe_passes{probe=\"ready\"}"));
  EXPECT_EQ(0, value(after, "clients"));
  EXPECT_GT(value(after, "http_requests_total"), 1);
  check_format(server, after);

  EXPECT_EQ(200, daemon.get("/metrics", "HEAD").status);
  EXPECT_EQ("", daemon.get("/metrics", "HEAD").text);
  EXPECT_EQ(405, daemon.get("/metrics", "POST").status);
}

TEST(Metrics, JobsAndTheLeader) {
  Server::Options options;
  options.pulse =
      "jobs=( { name=\"good\" command=[\"/bin/true\"] }, { name=\"bad\" command=[\"/bin/false\"] }, "
      "{ name=\"once\" command=[\"/bin/true\"] leader_only=true } ), leader={ mode=\"lowest\" }, ";
  Server server(options);
  Daemon daemon(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_EQ(-1, value(daemon, "job_running{name=\"good\"}"));
  EXPECT_EQ(0, server.run({"job", "good"}).exit_code);
  EXPECT_EQ(1, server.run({"job", "bad"}).exit_code);
  EXPECT_EQ(1, server.run({"job", "bad"}).exit_code);
  EXPECT_EQ(kExitSkipped, server.run({"job", "once"}).exit_code) << "no member is known, so nobody leads";
  ASSERT_TRUE(eventually([&] { return value(daemon, "leader") == 0; }));
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_EQ(1, value(metrics, "job_runs_total{name=\"good\",outcome=\"ok\"}"));
  EXPECT_EQ(2, value(metrics, "job_runs_total{name=\"bad\",outcome=\"failed\"}"));
  EXPECT_EQ(2, value(metrics, "job_consecutive_failures{name=\"bad\"}"));
  EXPECT_GT(value(metrics, "job_last_duration_seconds{name=\"bad\"}"), 0);
  EXPECT_GE(value(metrics, "job_last_ok_age_seconds{name=\"good\"}"), 0);
  EXPECT_EQ(-1, value(metrics, "job_last_ok_age_seconds{name=\"bad\"}"));
  EXPECT_EQ(1, value(metrics, "job_runs_total{name=\"once\",outcome=\"skipped_not_leader\"}"));
  EXPECT_EQ(0, value(metrics, "leader_known"));
  check_format(server, metrics);
}

TEST(Metrics, BackendsByHostgroup) {
  Server server({});
  Daemon daemon(server);
  server.query("DELETE FROM mysql_servers");
  for (size_t i = 0; i < kHostgroups + 6; ++i) {
    server.query("INSERT INTO mysql_servers (hostgroup_id, hostname, port, status) VALUES (" + std::to_string(10 * i) +
                 ", '127.0.0.1', 3306, '" + (i % 2 == 0 ? "ONLINE" : "OFFLINE_SOFT") + "')");
  }
  server.query("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '127.0.0.1', 3307)");
  server.query("LOAD MYSQL SERVERS TO RUNTIME");
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_TRUE(eventually([&] { return value(daemon, "hostgroups") >= 0; }));
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_EQ(kHostgroups / 2 + 4, value(metrics, "backends{status=\"online\"}")) << "of all hostgroups";
  EXPECT_EQ(kHostgroups / 2 + 3, value(metrics, "backends{status=\"offline\"}"));
  EXPECT_EQ(2, value(metrics, "hostgroup_backends{hostgroup=\"0\",protocol=\"mysql\",status=\"online\"}"));
  EXPECT_EQ(0, value(metrics, "hostgroup_backends{hostgroup=\"10\",protocol=\"mysql\",status=\"online\"}"));
  EXPECT_EQ(1, value(metrics, "hostgroup_backends{hostgroup=\"10\",protocol=\"mysql\",status=\"offline\"}"));
  EXPECT_EQ(1, value(metrics, "hostgroup_backends{hostgroup=\"630\",protocol=\"mysql\",status=\"offline\"}"));
  EXPECT_EQ(-1, value(metrics, "hostgroup_backends{hostgroup=\"640\",protocol=\"mysql\",status=\"online\"}"));
  EXPECT_EQ(kHostgroups + 6, value(metrics, "hostgroups"));
  EXPECT_EQ(kHostgroups / 2 + 3, value(metrics, "hostgroups_without_online"));
  EXPECT_EQ(6, value(metrics, "hostgroups_left_out"));

  // Not every beat looks at the backends: what is known of them stays.
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_EQ(2, value(daemon, "hostgroup_backends{hostgroup=\"0\",protocol=\"mysql\",status=\"online\"}"));
}

TEST(Metrics, AreAnsweredWhileTheAdminInterfaceHangs) {
  Server::Options options;
  options.role = "core";
  options.beat_interval_ms = 500;
  Server server(options);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return value(daemon, "state{state=\"beating\"}") == 1; }));
  server.wedge(seconds(20));
  ASSERT_TRUE(eventually([&] { return value(daemon, "consecutive_timeouts") >= 2; }));
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_EQ(1, value(metrics, "state{state=\"admin_unresponsive\"}"));
  EXPECT_EQ(0, value(metrics, "state{state=\"beating\"}"));
  EXPECT_EQ(1, value(metrics, "probe_passes{probe=\"ready\"}")) << "traffic flows";
  EXPECT_GE(value(metrics, "beats_total{outcome=\"timed_out\"}"), 2);
  EXPECT_GT(value(metrics, "wedged_seconds"), 0);
  EXPECT_EQ(attempts(metrics), value(metrics, "beat_duration_seconds_count"));
  check_format(server, metrics);
  ASSERT_TRUE(eventually([&] { return value(daemon, "beats_total{outcome=\"skipped_backoff\"}") >= 1; }));

  server.unwedge();
  ASSERT_TRUE(eventually([&] { return value(daemon, "state{state=\"beating\"}") == 1; }));
  EXPECT_EQ(0, value(daemon, "wedged_seconds"));
}

// Killed, stopped by its timer, gone through: the histogram counts each attempt, whoever accounts for it.
TEST(Metrics, EachAttemptIsMeasuredOnce) {
  Server::Options options;
  options.pulse = "interval_ms=1000, timeout_ms=300, backoff_max_ms=1000, ";
  Server server(options);
  Daemon daemon(server);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  server.wedge(seconds(10));
  ASSERT_EQ(kExitTimeout, server.beat().exit_code);
  ASSERT_TRUE(eventually([&] { return value(daemon, "backoff_remaining_seconds") == 0; }));
  Process killed(server.pulse({"beat", "--timeout-ms=5000"}), server.dir(), {{}, "killed", {}});
  ASSERT_TRUE(eventually([&] { return server.status()["heartbeat"]["running"] == true; }));
  killed.signal(SIGKILL);
  ASSERT_TRUE(killed.wait());
  server.unwedge();
  ASSERT_TRUE(eventually([&] { return server.beat().exit_code == kExitOk; }));
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_GE(value(metrics, "beats_total{outcome=\"ok\"}"), 2);
  EXPECT_GE(value(metrics, "beats_total{outcome=\"timed_out\"}"), 1);
  EXPECT_EQ(1, value(metrics, "beats_total{outcome=\"failed\"}"));
  EXPECT_EQ(attempts(metrics), value(metrics, "beat_duration_seconds_count"));
}

TEST(Metrics, CountersGoOnWhenTheMachineWasBooted) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  {
    install_bus_guard();
    SegmentOptions options;
    options.path = server.state();
    options.create = false;
    auto segment = Segment::open(options);
    ASSERT_TRUE(segment) << segment.error().text;
    segment->layout().boot_id.store(4711);
  }
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_EQ(3, value(metrics, "beats_total{outcome=\"ok\"}"));
  EXPECT_EQ(3, value(metrics, "beat_duration_seconds_count"));
}

TEST(Metrics, OfAThousandMembers) {
  Server::Options options;
  options.role = "core";
  options.pulse = "discovery={ source=\"static\", members=[";
  for (int i = 0; i < 1030; ++i) {
    options.pulse +=
        (i == 0 ? "\"127.1." : ", \"127.1.") + std::to_string(i / 256) + "." + std::to_string(i % 256) + "\"";
  }
  options.pulse += "] }, ";
  Server server(options);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return value(daemon, "members{role=\"core\"}") == kMembers; }));
  const std::string metrics = daemon.get("/metrics").text;
  EXPECT_EQ(6, value(metrics, "members_left_out"));
  EXPECT_EQ(1, value(metrics, "discovery_info{source=\"static\"}"));
  check_format(server, metrics);
}

}  // namespace
}  // namespace pulse::test
