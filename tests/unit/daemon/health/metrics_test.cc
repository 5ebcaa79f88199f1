#include "daemon/health/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <utility>

#include "tests/temp_dir.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 10'000 * kSecond;

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(PULSE_SOURCE_DIR "/") + path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

bool has_promtool() { return std::system("command -v promtool > /dev/null") == 0; }

// `promtool ARGUMENTS` with `input` as file and standard input; what it says unless it is content.
std::string promtool(const std::string& arguments, const std::string& input) {
  const test::TempDir dir;
  const std::string file = dir.write("input", input);
  const std::string said = dir / "said";
  const std::string command = "promtool " + arguments + " < " + file + " > " + said + " 2>&1";
  if (std::system(std::regex_replace(command, std::regex("FILE"), file).c_str()) == 0) return "";
  std::ifstream out(said);
  return "promtool isn't content: " + std::string(std::istreambuf_iterator<char>(out), {});
}

// A core that beats, of a cluster in which all is well.
class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    config_.role = Role::core;
    verdict_.state = State::beating;
    verdict_.started.passes = verdict_.ready.passes = verdict_.live.passes = true;
    port_.known = port_.answers = true;
    port_.looked_at_ns = kNow - kSecond / 4;
    view_.last_beat_ns = kNow - kSecond / 2;
    view_.skipped_busy = 6;
    view_.skipped_backoff = 7;
    BeatRecord& record = view_.record;
    record.attempt = 106;
    record.ok = 100;
    record.failed = 1;
    record.timed_out = 5;
    record.killed_overdue = 2;
    record.last_ok_ns = kNow - kSecond / 2;
    record.durations = {90, 10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5};
    record.duration_ns = 61 * kSecond + kSecond / 4;
    Observation& seen = view_.observation;
    seen.at_ns = kNow - kSecond / 2;
    seen.globals_ns = kNow - 4 * kSecond;
    seen.proxysql_started_ns = seen.globals_ns - 3'600 * kSecond;
    seen.is_core = seen.configured = 1;
    seen.backends.online = 3;
    seen.backends.shunned = 1;
    seen.live_peers = 1;
    set_text(seen.version, "2.7.1");
    add_module("mysql_users", 0, 0);
    add_module("mysql_servers_v2", 2, kNow - 90 * kSecond);
    seen.peers_count = 2;
    for (size_t i = 0; i < 2; ++i) {
      set_text(seen.peers[i].hostname, "10.0.0." + std::to_string(i + 1));
      seen.peers[i].port = 6032;
    }
    seen.peers[1].live = 1;
    view_.hostgroups = {seen.globals_ns, 2, 1, {{{0, 0, 3, 0, 0}, {10, 0, 0, 1, 0}}}};
    view_.drain.number = 1;
    view_.drain.outcome = static_cast<uint8_t>(DrainOutcome::undone);
    view_.drain.phase = static_cast<uint8_t>(DrainPhase::ended);
    view_.drain.clients = 3;
    view_.core.standing = static_cast<uint8_t>(Standing::authority);
    view_.discovery.source = static_cast<uint8_t>(Source::kubernetes);
    view_.discovery.ok_ns = kNow - kSecond;
    view_.discovery.failures = 4;
    for (int i = 1; i <= 3; ++i) add_member("10.0.0." + std::to_string(i), true, i != 2);
    for (int i = 1; i <= 2; ++i) add_member("10.0.1." + std::to_string(i), false, i != 2);
    view_.members = members_;
    const auto satellites = std::make_shared<SatelliteReports>();
    const auto mends = std::make_shared<MendRecord>();
    satellites->count = mends->count = 1;
    satellites->answered = 5;
    satellites->left_out = 2;
    set_text(satellites->modules[0].address, "10.0.1.1");
    set_text(satellites->modules[0].module, "mysql_users");
    satellites->modules[0].port = mends->mends[0].port = 6032;
    mends->mends[0].address = satellites->modules[0].address;
    mends->mends[0].module = satellites->modules[0].module;
    mends->mends[0].loads = 3;
    view_.satellites = satellites;
    view_.mends = mends;
    view_.observation.memory = {kNow, 0, 0, 2048, 1024, 0};
    view_.leader.mode = static_cast<uint8_t>(LeaderMode::lease);
    view_.leader.boot_id = 1;
    view_.leader.valid_until_ns = kNow + kSecond;
    add_job("checker", {0, 8, 1, 0, 2, 0, 0, 0, 0});
    add_job("digests", {0, 0, 0, 1, 0, 0, 0, 0, 0});
    JobView& checker = view_.jobs.front();
    checker.state.last_ok_ns = kNow - 90 * kSecond;
    checker.state.consecutive_failures = 2;
    checker.state.duration_ns = 5 * kSecond / 2;
    checker.skipped_busy = 4;
    checker.skipped_not_leader = 5;
    view_.jobs.back().running = true;
    view_.jobs.back().state.leader_only = 1;
  }

  void add_job(const std::string& name, const std::array<uint64_t, kJobOutcomes>& outcomes) {
    JobState& state = view_.jobs.emplace_back().state;
    set_text(state.name, name);
    state.outcomes = outcomes;
    for (const uint64_t runs : outcomes) state.ended_run += runs;
    state.run = state.ended_run;
  }

  void add_module(const std::string& module, uint32_t differing, int64_t since_ns) {
    Module& to = view_.observation.modules[view_.observation.modules_count++];
    set_text(to.name, module);
    to.differing_peers = differing;
    to.differs_since_ns = since_ns;
  }

  void add_member(const std::string& address, bool is_core, bool ready) {
    Member& to = members_->members[members_->count++];
    set_text(to.address, address);
    to.port = 6032;
    to.is_core = is_core ? 1 : 0;
    to.ready = ready ? 1 : 0;
  }

  void wedge() {
    verdict_.state = State::admin_unresponsive;
    view_.record.consecutive_timeouts = view_.record.consecutive_failures = 3;
    view_.record.wedged_since_ns = view_.record.failing_since_ns = kNow - 60 * kSecond;
    view_.record.next_attempt_ns = kNow + 16 * kSecond;
  }

  std::string render() const {
    return render_metrics({input_, {11, 12, 13, 14, 15}, 1'700'000'000 * kSecond + kSecond / 2});
  }

  // A sample by its name and labels as written; "none" if there is no such one.
  std::string value(const std::string& series) const {
    const std::string all = "\n" + render();
    const std::string line = "\nproxysql_pulse_" + series + " ";
    const size_t at = all.find(line);
    if (at == std::string::npos) return "none";
    EXPECT_EQ(std::string::npos, all.find(line, at + 1)) << series << " is there twice";
    const size_t begin = at + line.size();
    return all.substr(begin, all.find('\n', begin) - begin);
  }

  // Each family as docs/metrics.md lists it, by its name.
  std::map<std::string, std::string> rows() const {
    std::map<std::string, std::string> found;
    std::istringstream lines(render());
    std::string line, name, help, type, labels;
    const std::regex a_label("([a-z]+)=\"");
    const auto finish = [&] {
      if (!name.empty()) found[name] = "- `" + name + "` (" + type + labels + "): " + help;
    };
    while (std::getline(lines, line)) {
      std::smatch parts;
      if (std::regex_match(line, parts, std::regex("# HELP ([a-z_]+) (.+)"))) {
        finish();
        EXPECT_EQ(0u, found.count(parts[1])) << parts[1] << " begins twice";
        name = parts[1];
        help = parts[2];
        labels.clear();
      } else if (std::regex_match(line, parts, std::regex("# TYPE ([a-z_]+) ([a-z]+)"))) {
        EXPECT_EQ(name, parts[1]);
        type = parts[2];
      } else {
        EXPECT_EQ(0u, line.rfind(name, 0)) << line << " is not of " << name;
        std::string those;
        for (std::sregex_iterator i(line.begin(), line.end(), a_label), end; i != end; ++i) {
          those += (those.empty() ? "`" : ", `") + (*i)[1].str() + "`";
        }
        if (!those.empty()) those.insert(0, "; ");
        labels = std::max(labels, those);  // of a histogram, those of its buckets
      }
    }
    finish();
    return found;
  }

  StateView view_;
  std::shared_ptr<Members> members_ = std::make_shared<Members>();
  Verdict verdict_;
  PortView port_;
  Config config_;
  StatusInput input_{view_, verdict_, port_, config_, 17, kNow};
};

TEST_F(MetricsTest, WhatTheDaemonKnowsItself) {
  EXPECT_EQ("1", value("build_info{version=\"" PULSE_VERSION "\"}"));
  EXPECT_EQ("1700000000.5", value("process_start_time_seconds"));
  EXPECT_EQ("1", value("role{role=\"core\"}"));
  EXPECT_EQ("0", value("role{role=\"satellite\"}"));
  EXPECT_EQ("1", value("segment{condition=\"usable\"}"));
  EXPECT_EQ("1", value("mysql_port_answers"));
  EXPECT_EQ("0.25", value("mysql_port_look_age_seconds"));
  EXPECT_EQ("17", value("clients"));
  EXPECT_EQ("11", value("http_connections_total"));
  EXPECT_EQ("12", value("http_requests_total"));
  EXPECT_EQ("13", value("http_connections_evicted_total"));
  EXPECT_EQ("14", value("http_connections_cut_total"));
  EXPECT_EQ("15", value("http_open_connections"));
}

TEST_F(MetricsTest, EachProtocolHasItsOwn) {
  EXPECT_EQ("1", value("protocol_served{protocol=\"mysql\"}"));
  EXPECT_EQ("1", value("protocol_port_answers{protocol=\"mysql\"}"));
  EXPECT_EQ("17", value("protocol_clients{protocol=\"mysql\"}"));
  EXPECT_EQ(std::string::npos, render().find("protocol=\"pgsql\",status"));
  PortView pgsql;
  pgsql.known = true;
  input_.pgsql_port = &pgsql;
  input_.pgsql_clients = 5;
  verdict_.served.pgsql = true;
  view_.observation.pgsql_backends = view_.observation.backends;
  EXPECT_EQ("12", value("protocol_clients{protocol=\"mysql\"}"));
  EXPECT_EQ("5", value("protocol_clients{protocol=\"pgsql\"}"));
  EXPECT_EQ("17", value("clients")) << "the sum";
  EXPECT_EQ("0", value("protocol_port_answers{protocol=\"pgsql\"}"));
  EXPECT_EQ("0", value("protocol_backends{protocol=\"mysql\",status=\"online\"}"));
  EXPECT_EQ(std::to_string(view_.observation.backends.online),
            value("protocol_backends{protocol=\"pgsql\",status=\"online\"}"));
}

TEST_F(MetricsTest, OneStateIsSet) {
  for (const char* state :
       {"starting", "beating", "failing", "admin_unresponsive", "scheduler_silent", "draining", "maintenance"}) {
    const std::string series = std::string("state{state=\"") + state + "\"}";
    EXPECT_EQ(state == std::string("beating") ? "1" : "0", value(series)) << state;
  }
  verdict_.ready.passes = false;
  EXPECT_EQ("1", value("probe_passes{probe=\"started\"}"));
  EXPECT_EQ("0", value("probe_passes{probe=\"ready\"}"));
  EXPECT_EQ("1", value("probe_passes{probe=\"live\"}"));
}

TEST_F(MetricsTest, EachBeatHasOneOutcome) {
  EXPECT_EQ("100", value("beats_total{outcome=\"ok\"}"));
  EXPECT_EQ("1", value("beats_total{outcome=\"failed\"}"));
  EXPECT_EQ("3", value("beats_total{outcome=\"timed_out\"}")) << "without those that were killed";
  EXPECT_EQ("2", value("beats_total{outcome=\"killed_overdue\"}"));
  EXPECT_EQ("6", value("beats_total{outcome=\"skipped_busy\"}"));
  EXPECT_EQ("7", value("beats_total{outcome=\"skipped_backoff\"}"));
  EXPECT_EQ("0.5", value("heartbeat_age_seconds"));
  EXPECT_EQ("0.5", value("last_ok_age_seconds"));
}

TEST_F(MetricsTest, TheHistogramIsCumulative) {
  EXPECT_EQ("90", value("beat_duration_seconds_bucket{le=\"0.0025\"}"));
  EXPECT_EQ("100", value("beat_duration_seconds_bucket{le=\"0.005\"}"));
  EXPECT_EQ("100", value("beat_duration_seconds_bucket{le=\"0.5\"}"));
  EXPECT_EQ("101", value("beat_duration_seconds_bucket{le=\"1\"}"));
  EXPECT_EQ("101", value("beat_duration_seconds_bucket{le=\"10\"}"));
  EXPECT_EQ("106", value("beat_duration_seconds_bucket{le=\"+Inf\"}"));
  EXPECT_EQ("106", value("beat_duration_seconds_count"));
  EXPECT_EQ("61.25", value("beat_duration_seconds_sum"));
}

TEST_F(MetricsTest, BackOff) {
  for (const char* series : {"consecutive_failures", "failing_seconds", "consecutive_timeouts", "wedged_seconds",
                             "backoff_remaining_seconds"}) {
    EXPECT_EQ("0", value(series)) << series;
  }
  wedge();
  EXPECT_EQ("3", value("consecutive_failures"));
  EXPECT_EQ("60", value("failing_seconds"));
  EXPECT_EQ("3", value("consecutive_timeouts"));
  EXPECT_EQ("60", value("wedged_seconds"));
  EXPECT_EQ("16", value("backoff_remaining_seconds"));
  view_.record.next_attempt_ns = kNow - 1;
  EXPECT_EQ("0", value("backoff_remaining_seconds"));
}

TEST_F(MetricsTest, ProxySQLAsLastSeen) {
  EXPECT_EQ("0.5", value("observation_age_seconds"));
  EXPECT_EQ("4", value("globals_age_seconds"));
  EXPECT_EQ("3600", value("proxysql_uptime_seconds")) << "it doesn't grow while nobody looks";
  EXPECT_EQ("1", value("proxysql_info{version=\"2.7.1\"}"));
  EXPECT_EQ("1", value("live_cores"));
  EXPECT_EQ("2", value("proxysql_servers"));
  EXPECT_EQ("1", value("configured"));
  EXPECT_EQ("0", value("listener_paused"));
  EXPECT_EQ("2097152", value("proxysql_resident_bytes"));
  EXPECT_EQ("1048576", value("proxysql_page_table_bytes"));
  EXPECT_EQ("0.01", value("scheduler_run_stall_seconds"));
  EXPECT_EQ("0", value("module_differing_cores{module=\"mysql_users\"}"));
  EXPECT_EQ("0", value("module_differs_seconds{module=\"mysql_users\"}"));
  EXPECT_EQ("2", value("module_differing_cores{module=\"mysql_servers_v2\"}"));
  EXPECT_EQ("89.5", value("module_differs_seconds{module=\"mysql_servers_v2\"}")) << "at the last look";
  EXPECT_EQ("0", value("authority{standing=\"undecided\"}"));
  EXPECT_EQ("1", value("authority{standing=\"authority\"}"));
  EXPECT_EQ("0", value("authority_waiting"));
  EXPECT_EQ("0", value("membership_disputed"));
  view_.core.dispute.stopped_ns = 7;
  EXPECT_EQ("1", value("membership_disputed"));
}

TEST_F(MetricsTest, BackendsByHostgroup) {
  EXPECT_EQ("3", value("backends{status=\"online\"}"));
  EXPECT_EQ("1", value("backends{status=\"shunned\"}"));
  EXPECT_EQ("0", value("backends{status=\"offline\"}"));
  EXPECT_EQ("3", value("hostgroup_backends{hostgroup=\"0\",protocol=\"mysql\",status=\"online\"}"));
  EXPECT_EQ("0", value("hostgroup_backends{hostgroup=\"10\",protocol=\"mysql\",status=\"online\"}"));
  EXPECT_EQ("1", value("hostgroup_backends{hostgroup=\"10\",protocol=\"mysql\",status=\"shunned\"}"));
  EXPECT_EQ("2", value("hostgroups"));
  EXPECT_EQ("1", value("hostgroups_without_online"));
  EXPECT_EQ("0", value("hostgroups_left_out"));
  view_.hostgroups.count = kHostgroups + 5;
  EXPECT_EQ("5", value("hostgroups_left_out"));
}

TEST_F(MetricsTest, MembersByRole) {
  EXPECT_EQ("1", value("discovery_info{source=\"kubernetes\"}"));
  EXPECT_EQ("1", value("discovery_age_seconds"));
  EXPECT_EQ("4", value("discovery_failures_total"));
  EXPECT_EQ("0", value("discovery_failing"));
  EXPECT_EQ("3", value("members{role=\"core\"}"));
  EXPECT_EQ("2", value("members{role=\"satellite\"}"));
  EXPECT_EQ("2", value("members_ready{role=\"core\"}"));
  EXPECT_EQ("1", value("members_ready{role=\"satellite\"}"));
  EXPECT_EQ("2", value("members_in_proxysql_servers{role=\"core\"}"));
  EXPECT_EQ("1", value("members_live{role=\"core\"}"));
  view_.observation.peers_count = kPeers + 1;
  EXPECT_EQ("none", value("members_live{role=\"core\"}")) << "not all rows are known";
  view_.discovery.failing_since_ns = kNow - kSecond;
  EXPECT_EQ("1", value("discovery_failing"));
}

TEST_F(MetricsTest, EachRunOfAJobHasOneOutcome) {
  const auto runs = [&](const std::string& name, const std::string& outcome) {
    return value("job_runs_total{name=\"" + name + "\",outcome=\"" + outcome + "\"}");
  };
  EXPECT_EQ("8", runs("checker", "ok"));
  EXPECT_EQ("1", runs("checker", "failed"));
  EXPECT_EQ("0", runs("checker", "signal"));
  EXPECT_EQ("2", runs("checker", "timed_out"));
  EXPECT_EQ("0", runs("checker", "leader_lost"));
  EXPECT_EQ("0", runs("checker", "stopped"));
  EXPECT_EQ("0", runs("checker", "not_started"));
  EXPECT_EQ("0", runs("checker", "died"));
  EXPECT_EQ("4", runs("checker", "skipped_busy"));
  EXPECT_EQ("5", runs("checker", "skipped_not_leader"));
  EXPECT_EQ("none", runs("checker", "none"));
  EXPECT_EQ("1", runs("digests", "signal"));
  EXPECT_EQ("2", value("job_consecutive_failures{name=\"checker\"}"));
  EXPECT_EQ("2.5", value("job_last_duration_seconds{name=\"checker\"}"));
  EXPECT_EQ("90", value("job_last_ok_age_seconds{name=\"checker\"}"));
  EXPECT_EQ("none", value("job_last_ok_age_seconds{name=\"digests\"}")) << "never";
  EXPECT_EQ("0", value("job_running{name=\"checker\"}"));
  EXPECT_EQ("1", value("job_running{name=\"digests\"}"));
  EXPECT_EQ("0", value("job_leader_only{name=\"checker\"}"));
  EXPECT_EQ("1", value("job_leader_only{name=\"digests\"}"));
  view_.jobs.back().state.ended_run = 0;
  EXPECT_EQ("none", value("job_last_duration_seconds{name=\"digests\"}")) << "its first run goes on";
  view_.jobs.clear();
  EXPECT_THAT(render(), Not(HasSubstr("proxysql_pulse_job_")));
}

TEST_F(MetricsTest, TheLeader) {
  EXPECT_EQ("1", value("leader"));
  EXPECT_EQ("1", value("leader_known"));
  view_.leader.valid_until_ns = kNow;
  EXPECT_EQ("0", value("leader")) << "nobody has renewed it";
  EXPECT_EQ("0", value("leader_known"));
  view_.leader.valid_until_ns = 0;
  set_text(view_.leader.holder, "proxysql-1");
  EXPECT_EQ("0", value("leader"));
  EXPECT_EQ("1", value("leader_known"));
  view_.leader.mode = 0;
  EXPECT_EQ("none", value("leader"));
}

TEST_F(MetricsTest, Drain) {
  EXPECT_EQ("1", value("drain_phase{phase=\"none\"}")) << "the last one is not in effect any more";
  EXPECT_EQ("0", value("drain_phase{phase=\"ended\"}"));
  EXPECT_EQ("1", value("drain_outcome{outcome=\"undone\"}"));
  EXPECT_EQ("3", value("drain_clients"));
  verdict_.state = State::draining;
  view_.draining_since_ns = kNow - 3 * kSecond;
  EXPECT_EQ("1", value("drain_phase{phase=\"none\"}")) << "announced, the record is that of the one before";
  view_.drain.began_ns = kNow - 2 * kSecond;
  view_.drain.phase = static_cast<uint8_t>(DrainPhase::settle);
  view_.drain.outcome = 0;
  EXPECT_EQ("0", value("drain_phase{phase=\"none\"}"));
  EXPECT_EQ("1", value("drain_phase{phase=\"settle\"}"));
  EXPECT_EQ("0", value("drain_outcome{outcome=\"undone\"}"));
  view_.drain.clients = -1;
  EXPECT_EQ("none", value("drain_clients"));
  view_.drain.number = 0;
  EXPECT_EQ("none", value("drain_outcome{outcome=\"stopped\"}")) << "there has been none";
}

TEST_F(MetricsTest, WhatIsNotKnownHasNoSample) {
  const StateView whole = view_;
  view_ = StateView{};
  view_.absent = "no beat yet";
  port_.known = false;
  input_.clients = -1;
  EXPECT_EQ("1", value("segment{condition=\"absent\"}"));
  EXPECT_EQ("none", value("clients"));
  EXPECT_EQ("none", value("mysql_port_answers"));
  EXPECT_THAT(render(), Not(HasSubstr("_beats_total"))) << "a counter may not go back to 0 because of this";

  view_.absent = "";
  EXPECT_EQ("0", value("beats_total{outcome=\"ok\"}")) << "a new segment";
  for (const char* series : {"heartbeat_age_seconds", "last_ok_age_seconds", "live_cores", "proxysql_uptime_seconds",
                             "backends{status=\"online\"}", "discovery_failing", "members{role=\"core\"}"}) {
    EXPECT_EQ("none", value(series)) << series;
  }

  view_ = whole;
  view_.problem = "cut short";
  EXPECT_EQ("1", value("segment{condition=\"unusable\"}"));
  EXPECT_THAT(render(), Not(HasSubstr("_beats_total")));

  view_ = whole;
  config_.role = Role::satellite;
  EXPECT_THAT(render(), Not(HasSubstr("_authority")));
}

TEST_F(MetricsTest, LabelValuesAreEscaped) {
  const std::pair<const char*, const char*> cases[] = {
      {"2.7 \"x\"", "2.7 \\\"x\\\""},
      {"a\\b", "a\\\\b"},
      {"a\nb", "a\\nb"},
      {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x90\xAC", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x90\xAC"},
      {"a\xFFz", "a\xEF\xBF\xBDz"},
      {"cut \xE2\x82", "cut \xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"", ""}};
  for (const auto& [raw, escaped] : cases) {
    set_text(view_.observation.version, raw);
    EXPECT_EQ("1", value(std::string("proxysql_info{version=\"") + escaped + "\"}")) << raw;
  }
}

// Whatever stands in the segment, the answer is well-formed and bounded.
TEST_F(MetricsTest, GarbageInTheSegment) {
  std::memset(static_cast<void*>(&view_.record), 0xFF, sizeof view_.record);
  std::memset(static_cast<void*>(&view_.observation), 0xFF, sizeof view_.observation);
  std::memset(static_cast<void*>(&view_.core), 0xFF, sizeof view_.core);
  std::memset(static_cast<void*>(&view_.drain), 0xFF, sizeof view_.drain);
  std::memset(static_cast<void*>(&view_.hostgroups), 0xFF, sizeof view_.hostgroups);
  std::memset(static_cast<void*>(&view_.discovery), 0xFF, sizeof view_.discovery);
  std::memset(static_cast<void*>(members_.get()), 0xFF, sizeof *members_);
  std::memset(static_cast<void*>(&view_.leader), 0xFF, sizeof view_.leader);
  for (JobView& job : view_.jobs) std::memset(static_cast<void*>(&job.state), 0xFF, sizeof job.state);
  const std::string all = render();
  EXPECT_LT(all.size(), 100'000u);
  for (const char c : all) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ');
  EXPECT_EQ(std::to_string(kMembers), value("members{role=\"core\"}"));
}

TEST_F(MetricsTest, SatellitesThatPullNoMore) {
  EXPECT_EQ("3", value("satellite_modules_stuck"));
  EXPECT_EQ("5", value("satellites_asked"));
  EXPECT_EQ("3", value("satellite_mends{satellite=\"10.0.1.1:6032\",module=\"mysql_users\"}"));
  EXPECT_EQ("0", value("module_stuck_seconds{module=\"mysql_users\"}"));
  config_.role = Role::satellite;
  view_.observation.modules[0].stuck_since_ns = kNow - 90 * kSecond;
  EXPECT_EQ("89.5", value("module_stuck_seconds{module=\"mysql_users\"}")) << "at the last look";
  EXPECT_THAT(render(), Not(HasSubstr("satellite_modules_stuck")));
}

TEST_F(MetricsTest, PromtoolIsContentInEachState) {
  if (!has_promtool()) GTEST_SKIP() << "no promtool: scripts/install-packages test";
  const auto check = [&](const char* what) { EXPECT_EQ("", promtool("check metrics", render())) << what; };
  check("beating");
  wedge();
  check("wedged");
  view_.problem = "unusable";
  check("unusable segment");
  view_.problem = "";
  for (const char* odd : {"\"\\\n\r\t{}=,#\x01", "\xFF\xFE\xC3", "", " # HELP x y"}) {
    set_text(view_.observation.version, odd);
    set_text(view_.observation.modules[0].name, odd);
    check(odd);
  }
  view_.hostgroups.count = 4'000'000'000;
  for (uint32_t i = 0; i < kHostgroups; ++i) view_.hostgroups.hostgroups[i].id = i;
  while (members_->count < kMembers) add_member("10.1.1.1", members_->count % 2 == 0, true);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) render();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - began;
  std::printf("1,024 members, 64 hostgroups: %.0f us, %zu bytes\n", took.count() / 100, render().size());
  check("1,024 members");
  view_ = StateView{};
  view_.absent = "no beat yet";
  verdict_ = Verdict{};
  port_ = PortView{};
  input_.clients = -1;
  check("starting");
}

// The lists of docs/metrics.md are what the program says of itself.
TEST_F(MetricsTest, TheDocumentationListsThemAll) {
  std::set<std::string> documented;
  std::istringstream lines(read_source("docs/metrics.md"));
  std::string item;  // without the ends of its lines
  for (std::string line; std::getline(lines, line);) {
    if (!item.empty() && line.rfind("  ", 0) == 0) {
      item += line.substr(1);
      continue;
    }
    if (!item.empty()) documented.insert(std::exchange(item, {}));
    if (line.rfind("- `proxysql_pulse_", 0) == 0) item = line;
  }
  if (!item.empty()) documented.insert(item);
  for (const auto& [name, row] : rows()) {
    EXPECT_EQ(1u, documented.erase(row)) << "docs/metrics.md lacks\n" << row;
  }
  for (const std::string& row : documented) ADD_FAILURE() << "docs/metrics.md has, unlike the program,\n" << row;
}

TEST_F(MetricsTest, AlertsAndDashboardNameMetricsThatThereAre) {
  const std::map<std::string, std::string> known = rows();
  const std::regex a_name("proxysql_pulse_[a-z_]+"), of_a_histogram("_(bucket|sum|count)$");
  for (const char* file : {"proxysql-config/prometheus/alerts.yml", "proxysql-config/grafana/dashboard.json"}) {
    const std::string text = read_source(file);
    int named = 0;
    for (std::sregex_iterator i(text.begin(), text.end(), a_name), end; i != end; ++i, ++named) {
      const std::string name = i->str();
      const bool is_known = known.count(name) != 0 || known.count(std::regex_replace(name, of_a_histogram, "")) != 0;
      EXPECT_TRUE(is_known) << file << " names " << name << ", which is not exported";
    }
    EXPECT_GT(named, 9) << file;
  }
}

TEST(Alerts, EachHasARunbookATestAndALineOfDocumentation) {
  const std::string alerts = read_source("proxysql-config/prometheus/alerts.yml");
  const std::string tests = read_source("tests/prometheus/alerts_test.yml");
  const std::string documentation = read_source("docs/metrics.md");
  const auto count = [](const std::string& text, const std::string& what) {
    const std::regex pattern(what);
    return std::distance(std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator());
  };
  const std::regex an_alert("- alert: ([A-Za-z]+)");
  for (std::sregex_iterator i(alerts.begin(), alerts.end(), an_alert), end; i != end; ++i) {
    const std::string name = (*i)[1];
    EXPECT_NE(std::string::npos, tests.find("alertname=\"" + name + "\"")) << name << " never fires in a test";
    EXPECT_NE(std::string::npos, documentation.find("| `" + name + "`: ")) << name << " isn't documented";
  }
  EXPECT_EQ(count(alerts, "- alert: "), count(alerts, "\n +runbook: "));
  EXPECT_EQ(count(alerts, "- alert: "), count(alerts, "\n +summary: "));
  EXPECT_GE(count(alerts, "- alert: "), 9);
}

TEST(Dashboard, IsSoundAndItsQueriesAreGood) {
  const auto dashboard = nlohmann::json::parse(read_source("proxysql-config/grafana/dashboard.json"));
  EXPECT_FALSE(dashboard["title"].get<std::string>().empty());
  std::set<int> ids;
  auto rules = nlohmann::json::array();
  for (const auto& panel : dashboard["panels"]) {
    const std::string title = panel["title"];
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second) << title;
    EXPECT_LE(panel["gridPos"]["x"].get<int>() + panel["gridPos"]["w"].get<int>(), 24) << title;
    for (const auto& target : panel["targets"]) {
      // What Grafana puts in for its variables.
      std::string expression = target["expr"];
      for (const auto& [variable, stands_for] :
           {std::pair("\\$__rate_interval", "5m"), std::pair("\\$instance", ".*")}) {
        expression = std::regex_replace(expression, std::regex(variable), stands_for);
      }
      EXPECT_THAT(expression, Not(HasSubstr("$"))) << title;
      rules.push_back({{"record", "a:b"}, {"expr", expression}, {"labels", {{"n", std::to_string(rules.size())}}}});
    }
  }
  EXPECT_GT(rules.size(), 9u);
  if (!has_promtool()) GTEST_SKIP() << "no promtool: scripts/install-packages test";
  const nlohmann::json file = {{"groups", {{{"name", "dashboard"}, {"rules", rules}}}}};
  EXPECT_EQ("", promtool("check rules FILE", file.dump()));
}

}  // namespace
}  // namespace pulse
