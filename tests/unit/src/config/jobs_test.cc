#include "src/config/jobs.h"

#include <gtest/gtest.h>

#include "src/config/load.h"

namespace pulse {
namespace {

LoadedConfig load_jobs(const std::string& jobs, const std::string& more = "") {
  auto loaded = parse_config("pulse = {\n role=\"core\"\n " + more + "\n jobs = " + jobs + "\n}\n", "/p.cnf", {});
  EXPECT_TRUE(loaded) << loaded.error().text;
  return std::move(*loaded);
}

std::string jobs_error(const std::string& jobs) {
  const LoadedConfig loaded = load_jobs(jobs);
  return loaded.jobs ? "no error" : loaded.jobs.error().text;
}

TEST(JobConfig, ReadsJobsAndDefaults) {
  const LoadedConfig loaded = load_jobs(
      "( { name=\"digests\"; command=[\"/usr/bin/x\",\"a b\"]; },\n"
      "   { name=\"b\" command=(\"/bin/b\") timeout_ms=3000 grace_ms=1000 leader_only=true "
      "environment=[\"A=b=c\",\"D=\"]\n"
      "     directory=\"/tmp\" output_bytes=10 output_lines=2 memory_mb=64 cpu_s=5 open_files=7 file_mb=8 processes=9 "
      "nice=0 }, )");
  ASSERT_TRUE(loaded.jobs) << loaded.jobs.error().text;
  ASSERT_EQ(2u, loaded.jobs->size());
  const Job& first = loaded.jobs->at(0);
  EXPECT_EQ("digests", first.name);
  EXPECT_EQ((std::vector<std::string>{"/usr/bin/x", "a b"}), first.command);
  EXPECT_EQ(60000, first.timeout.count());
  EXPECT_EQ(2000, first.grace.count());
  EXPECT_FALSE(first.leader_only);
  EXPECT_EQ("/", first.directory);
  EXPECT_EQ(4, first.line);
  const Job& second = loaded.jobs->at(1);
  EXPECT_EQ(3000, second.timeout.count());
  EXPECT_EQ(1000, second.grace.count());
  EXPECT_TRUE(second.leader_only);
  EXPECT_EQ((std::vector<std::string>{"A=b=c", "D="}), second.environment);
  EXPECT_EQ("/tmp", second.directory);
  EXPECT_EQ(10u, second.output.bytes);
  EXPECT_EQ(2u, second.output.lines);
  EXPECT_EQ(64, second.memory_mb);
  EXPECT_EQ(5, second.cpu_s);
  EXPECT_EQ(7, second.open_files);
  EXPECT_EQ(8, second.file_mb);
  EXPECT_EQ(9, second.processes);
  EXPECT_EQ(0, second.nice);
  EXPECT_NE(std::string::npos, describe(second).find("environment=[\"A=(hidden)\", \"D=(hidden)\"]"));
  EXPECT_NE(std::string::npos, describe(second).find("timeout_ms=3000"));
  EXPECT_TRUE(load_jobs("()").jobs->empty());
  EXPECT_EQ(250, default_grace(std::chrono::milliseconds(1000)).count());
  EXPECT_EQ(2000, default_grace(std::chrono::milliseconds(10'000)).count());
}

TEST(JobConfig, WhatIsShownReadsAsTheSame) {
  const LoadedConfig loaded = load_jobs(
      "( { name=\"a\"; command=[\"/bin/sh\", \"-c\", \"echo \\\"x\\\" \\\\ \\n y \\x07\", \"\\x7F\\\\\"]; } )");
  ASSERT_TRUE(loaded.jobs) << loaded.jobs.error().text;
  const Job& job = loaded.jobs->at(0);
  EXPECT_EQ("echo \"x\" \\ \n y \x07", job.command.at(2));
  EXPECT_EQ("\x7F\\", job.command.at(3));
  const std::string shown = describe(job);
  EXPECT_EQ(std::string::npos, shown.find_first_of("\n\x07\x7F")) << shown;
  const LoadedConfig again = load_jobs("( " + shown + " )");
  ASSERT_TRUE(again.jobs) << again.jobs.error().text;
  EXPECT_EQ(job.command, again.jobs->at(0).command);
  EXPECT_EQ(job.timeout, again.jobs->at(0).timeout);
}

TEST(JobConfig, UpToTheLimits) {
  const auto jobs = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      list += (i == 0 ? "" : ", ") + std::string("{ name=\"j") + std::to_string(i) + "\"; command=[\"/x\"]; }";
    }
    return "( " + list + " )";
  };
  EXPECT_EQ("no error", jobs_error(jobs(100)));
  EXPECT_EQ("/p.cnf:4: pulse.jobs has 101 jobs: allowed are 100", jobs_error(jobs(101)));
  const std::string job = "( { name=\"a\"; command=[\"/x\"]; ";
  EXPECT_EQ("no error", jobs_error(job + "timeout_ms=1000; grace_ms=500 } )"));
  EXPECT_EQ("no error", jobs_error(job + "nice=19 } )"));
  EXPECT_EQ("/p.cnf:4: pulse.jobs.nice: allowed is a whole number from 0 to 19", jobs_error(job + "nice=20 } )"));
}

TEST(JobConfig, ErrorsNameTheLineTheKeyAndWhatIsAllowed) {
  const std::string job = "( { name=\"a\"; command=[\"/x\"];\n ";
  EXPECT_EQ("/p.cnf:4: pulse.jobs: expected a list of groups, jobs = ( { name = \"a\" ... }, ... )",
            jobs_error("{ a=1; }"));
  EXPECT_EQ("/p.cnf:4: pulse.jobs: expected a group, { name = \"a\"  command = [\"/usr/bin/a\"] }",
            jobs_error("( 1 )"));
  EXPECT_EQ("/p.cnf:4: pulse.jobs: name is missing: allowed is 1 to 32 of the characters a-z, 0-9, _ and -",
            jobs_error("( { command=[\"/x\"] } )"));
  EXPECT_EQ("/p.cnf:4: pulse.jobs.name: allowed is 1 to 32 of the characters a-z, 0-9, _ and -",
            jobs_error("( { name=\"A B\"; command=[\"/x\"] } )"));
  EXPECT_EQ(
      "/p.cnf:4: pulse.jobs: command of \"a\" is missing: allowed is a list of texts, the program first, with its "
      "path: [\"/usr/bin/program\", \"argument\"]",
      jobs_error("( { name=\"a\" } )"));
  EXPECT_EQ("/p.cnf:5: pulse.jobs.timeout_ms: allowed is a whole number from 200 to 86400000",
            jobs_error(job + "timeout_ms=100 } )"));
  EXPECT_EQ("/p.cnf:5: pulse.jobs.timeout_ms: allowed is a whole number from 200 to 86400000",
            jobs_error(job + "timeout_ms=\"1000\" } )"));
  EXPECT_EQ("/p.cnf:6: pulse.jobs.grace_ms: allowed is half of the job's timeout_ms at most, 500",
            jobs_error(job + "timeout_ms=1000\n grace_ms=501 } )"));
  EXPECT_EQ("/p.cnf:5: pulse.jobs.leader_only: allowed is true or false", jobs_error(job + "leader_only=1 } )"));
  EXPECT_EQ("/p.cnf:5: pulse.jobs.environment: allowed is a list of NAME=VALUE, like [\"TZ=UTC\"]",
            jobs_error(job + "environment=[\"=x\"] } )"));
  for (const char* directory : {"", "relative"}) {
    EXPECT_EQ("/p.cnf:5: pulse.jobs.directory: allowed is an absolute path",
              jobs_error(job + "directory=\"" + directory + "\" } )"));
  }
  for (const char* command : {"[]", "[\"\"]", "(\"/x\", 1)", "\"/x\""}) {
    EXPECT_EQ(
        "/p.cnf:4: pulse.jobs.command: allowed is a list of texts, the program first, with its path: "
        "[\"/usr/bin/program\", \"argument\"]",
        jobs_error(std::string("( { name=\"a\"; command=") + command + " } )"));
  }
  EXPECT_EQ("/p.cnf:5: pulse.jobs.nice: allowed is a whole number from 0 to 19", jobs_error(job + "nice=-5 } )"));
  EXPECT_EQ(
      "/p.cnf:5: unknown key pulse.jobs.colour; allowed here: name, command, timeout_ms, grace_ms, leader_only, "
      "environment, directory, output_bytes, output_lines, memory_mb, cpu_s, open_files, file_mb, processes, nice",
      jobs_error(job + "colour=1 } )"));
  EXPECT_EQ("/p.cnf:5: pulse.jobs: there is a job \"a\" already, in line 4",
            jobs_error(job + "}, { name=\"a\"; command=[\"/y\"] } )"));
}

// Beats and probes must not depend on what somebody writes for a job.
TEST(JobConfig, AnErrorIsNoErrorOfTheRest) {
  const LoadedConfig loaded = load_jobs("( { } )");
  EXPECT_FALSE(loaded.jobs);
  ASSERT_FALSE(loaded.warnings.empty());
  EXPECT_NE(std::string::npos, loaded.warnings.front().find("name is missing"));
}

TEST(JobConfig, AJobOfALeaderThatThereIsNeverIsWarnedOf) {
  const std::string jobs = "( { name=\"a\"; command=[\"/x\"]; leader_only=true } )";
  const auto warned = [](const LoadedConfig& loaded) {
    for (const std::string& warning : loaded.warnings) {
      if (warning.find("/p.cnf:4: pulse.jobs: \"a\" has leader_only") == 0) return true;
    }
    return false;
  };
  EXPECT_TRUE(warned(load_jobs(jobs)));
  EXPECT_FALSE(warned(load_jobs(jobs, "leader={ mode=\"lowest\" }")));
  EXPECT_FALSE(warned(load_jobs("( { name=\"a\"; command=[\"/x\"] } )")));
}

TEST(LeaderConfig, DefaultsAreClientGosAndDurationsMustFit) {
  const auto parse = [](const std::string& leader) {
    return parse_config("pulse = { role=\"core\" leader={ " + leader + " } }", "/p.cnf", {});
  };
  const auto plain = parse("mode=\"lease\"");
  ASSERT_TRUE(plain);
  EXPECT_EQ("proxysql-pulse-core", plain->config.leader.lease_name);
  EXPECT_EQ(15000, plain->config.leader.duration.count());
  EXPECT_EQ(10000, plain->config.leader.renew.count());
  EXPECT_EQ(2000, plain->config.leader.retry.count());
  EXPECT_EQ(LeaderMode::none, parse("")->config.leader.mode);
  EXPECT_EQ(
      "/p.cnf:1: pulse.leader.duration_ms = 15000, renew_ms = 15000, retry_ms = 2000: duration_ms must be more than "
      "renew_ms, and renew_ms at least 1.2 times retry_ms",
      parse("renew_ms=15000").error().text);
  EXPECT_FALSE(parse("retry_ms=9000"));
  EXPECT_TRUE(parse("duration_ms=3000 renew_ms=2000 retry_ms=300"));
  EXPECT_TRUE(parse("renew_ms=2400")) << "1.2 times retry_ms, which is the least";
  EXPECT_EQ(
      "/p.cnf:2: pulse.leader.duration_ms = 15000, renew_ms = 2399, retry_ms = 2000: duration_ms must be more than "
      "renew_ms, and renew_ms at least 1.2 times retry_ms",
      parse("\n renew_ms=2399").error().text)
      << "the key that was set";
  EXPECT_FALSE(parse("mode=\"always\""));
  EXPECT_FALSE(parse("lease_name=\"\""));
}

}  // namespace
}  // namespace pulse
