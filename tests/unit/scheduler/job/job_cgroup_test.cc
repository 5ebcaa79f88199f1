#include "scheduler/job/job_cgroup.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "scheduler/job/process_tree.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

TEST(OwnCgroup, IsThatOfVersion2) {
  EXPECT_EQ("/system.slice/a.service", own_cgroup("0::/system.slice/a.service\n"));
  EXPECT_EQ("/", own_cgroup("9:name=systemd:/\n4:memory:/x\n0::/\n"));
  EXPECT_EQ("", own_cgroup("9:name=systemd:/\n10::/odd\n"));
  EXPECT_EQ("", own_cgroup(""));
}

// Sixteen processes that fork and exit without end: each is another one by the time that it is signalled.
[[noreturn]] void run_chains(int entrance) {
  if (::write(entrance, "0", 1) != 1) ::_exit(1);
  for (int chain = 0; chain < 16; ++chain) {
    if (::fork() != 0) continue;
    for (;;) {
      if (::fork() != 0) ::_exit(0);
    }
  }
  ::_exit(0);
}

TEST(JobCgroup, EndsSixteenChainsOfForkAndExitAtOnce) {
  const test::TempDir dir;
  // A guard of its own, for orphans to fall to.
  const pid_t guard = ::fork();
  if (guard == 0) {
    const auto cgroup = JobCgroup::make(dir / "lock", Deadline::after(milliseconds(1000)));
    if (!cgroup) ::_exit(77);
    if (!adopt_orphans()) ::_exit(2);
    const pid_t command = ::fork();
    if (command == 0) run_chains(cgroup->entrance());
    ::waitpid(command, nullptr, 0);
    ::usleep(50'000);
    cgroup->kill();
    const Deadline by = Deadline::after(milliseconds(2000));
    while (!by.passed()) {
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if (::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) ::_exit(0);
      ::usleep(1000);
    }
    kill_descendants(monotonic_ns() + 5'000'000'000);
    ::_exit(3);
  }
  int status = -1;
  ASSERT_EQ(guard, ::waitpid(guard, &status, 0));
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no cgroup is to be had here";
  EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST(JobCgroup, WhatTheLastRunLeftBehindIsKilled) {
  const test::TempDir dir;
  const std::string lock = dir / "lock";
  auto last = JobCgroup::make(lock, Deadline::after(milliseconds(1000)));
  if (!last) GTEST_SKIP() << "no cgroup is to be had here";
  const pid_t left = ::fork();
  if (left == 0) {
    if (::write(last->entrance(), "0", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  // As if that guard had been killed: nothing is removed.
  std::string entered;
  ::usleep(20'000);
  auto next = JobCgroup::make(lock, Deadline::after(milliseconds(2000)));
  EXPECT_TRUE(next);
  int status = 0;
  ASSERT_EQ(left, ::waitpid(left, &status, 0));
  EXPECT_TRUE(WIFSIGNALED(status));
}

}  // namespace
}  // namespace pulse
