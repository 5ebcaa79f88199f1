#include "daemon/one_shot/one_shot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class OneShotTest : public ::testing::Test {
 protected:
  // A one-shot that is this shell script.
  OneShot script(const std::string& text) {
    config_.daemon.program = dir_.write("program", "#!/bin/sh\n" + text + "\n");
    EXPECT_EQ(0, ::chmod(config_.daemon.program.c_str(), 0700));
    return OneShot(config_, "drain");
  }
  std::string read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(dir_ / name).rdbuf();
    return text.str();
  }
  bool is_there(const std::string& name) const {
    for (const Deadline deadline = Deadline::after(seconds(10)); !deadline.passed();) {
      if (!read(name).empty()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }

  test::TempDir dir_;
  Config config_;
  std::atomic<bool> stopping_{false};
};

TEST_F(OneShotTest, GetsTheDaemonsFileSegmentAndGroup) {
  config_.file = "/etc/some.cnf";
  config_.state = "/run/state";
  const OneShotEnd end = script("echo \"$@\" > " + (dir_ / "said") + "; exit 75").run(seconds(10), stopping_);
  EXPECT_EQ(75, end.exit_code);
  EXPECT_EQ("", end.error);
  EXPECT_EQ("drain --config=/etc/some.cnf --state=/run/state\n", read("said"));
  config_.group_name = "some";
  EXPECT_EQ(0, script("echo \"$@\" > " + (dir_ / "said")).run(seconds(10), stopping_).exit_code);
  EXPECT_THAT(read("said"), HasSubstr(" --group=some\n"));
}

TEST_F(OneShotTest, SaysWhyItDidntStart) {
  config_.daemon.program = dir_ / "nothing";
  const OneShotEnd end = OneShot(config_, "drain").run(seconds(10), stopping_);
  EXPECT_EQ(-1, end.exit_code);
  EXPECT_THAT(end.error, HasSubstr("start " + (dir_ / "nothing") + ": No such file or directory"));
  EXPECT_THAT(end.error, HasSubstr("set pulse.daemon.program"));
}

TEST_F(OneShotTest, SaysThatItWasKilled) {
  const OneShotEnd end = script("kill -9 $$").run(seconds(10), stopping_);
  EXPECT_EQ(-1, end.exit_code);
  EXPECT_EQ("drain: it was killed: Killed", end.error);
}

TEST_F(OneShotTest, IsKilledWhenItIsOverdue) {
  const int64_t began = monotonic_ns();
  const OneShotEnd end = script("exec sleep 60").run(milliseconds(50), stopping_);
  EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(10));
  EXPECT_EQ(-1, end.exit_code);
  EXPECT_EQ("drain: it didn't end by its own deadline and was killed", end.error);
}

// A service manager signals the whole group; and what was begun goes on when the daemon doesn't.
TEST_F(OneShotTest, WhatEndsTheDaemonDoesntEndIt) {
  const OneShot drain = script("echo $$ > " + (dir_ / "pid") + "; read none; while [ ! -e " + (dir_ / "go") +
                               " ]; do sleep 0.01; done; echo end > " + (dir_ / "end"));
  std::thread daemon([&] { static_cast<void>(drain.run(seconds(20), stopping_)); });
  ASSERT_TRUE(is_there("pid"));
  const pid_t pid = std::stoi(read("pid"));
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) EXPECT_EQ(0, ::kill(pid, number));
  stopping_ = true;
  daemon.join();
  dir_.write("go", "now");
  EXPECT_TRUE(is_there("end"));
}

TEST(FindPulseProgram, IsTheConfiguredOneOrBesideThisOne) {
  Config config;
  EXPECT_THAT(find_pulse_program(config), ::testing::EndsWith("/bin/proxysql-pulse"));
  config.daemon.program = "/opt/pulse";
  EXPECT_EQ("/opt/pulse", find_pulse_program(config));
}

}  // namespace
}  // namespace pulse
