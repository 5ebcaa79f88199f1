#include "scheduler/job/job_report.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "src/base/exit_code.h"

namespace pulse {
namespace {

constexpr milliseconds kTimeout{1500};

Supervision supervision(Stop stop, std::optional<int> status = std::nullopt, size_t stopped = 0, size_t killed = 0) {
  Supervision run;
  run.stop = stop;
  run.status = status;
  run.stopped = stopped;
  run.killed = killed;
  return run;
}

void expect(const Supervision& run, JobOutcome outcome, int exit_code, const std::string& message) {
  const JobEnding ending = ending_of(run, kTimeout);
  EXPECT_EQ(outcome, ending.outcome) << message;
  EXPECT_EQ(exit_code, ending.exit_code) << message;
  EXPECT_EQ(message, ending.message);
}

TEST(JobEnding, OfACommandThatEndedOfItself) {
  expect(supervision(Stop::none, 0), JobOutcome::ok, 0, "");
  expect(supervision(Stop::none, 3 << 8), JobOutcome::failed, 3, "exit code 3");
  expect(supervision(Stop::none, SIGSEGV), JobOutcome::signalled, 139, "signal 11 (Segmentation fault)");
}

TEST(JobEnding, OfOneThatLeftProcessesBehind) {
  expect(supervision(Stop::leftovers, 0, 1), JobOutcome::ok, 0, "1 process that it left behind was ended");
  expect(supervision(Stop::leftovers, 3 << 8, 2, 1), JobOutcome::failed, 3,
         "exit code 3; 2 processes that it left behind were ended; 1 process had to be killed");
}

TEST(JobEnding, OfOneThatWasStopped) {
  expect(supervision(Stop::timeout, SIGTERM, 1), JobOutcome::timed_out, kExitTimeout,
         "timed out: its limit is 1500 ms");
  expect(supervision(Stop::timeout, SIGKILL, 2, 2), JobOutcome::timed_out, kExitTimeout,
         "timed out: its limit is 1500 ms; 2 processes had to be killed");
  Supervision run = supervision(Stop::signal, 0, 1);
  run.stop_signal = SIGTERM;
  expect(run, JobOutcome::stopped, 143, "stopped: its guard got signal 15 (Terminated)");
  run = supervision(Stop::leader_lost, 0, 1);
  run.why_not_leader = "proxysql-1 is";
  expect(run, JobOutcome::leader_lost, kExitSkipped, "stopped: this node is no longer the leader: proxysql-1 is");
}

}  // namespace
}  // namespace pulse
