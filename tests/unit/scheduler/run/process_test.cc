#include "scheduler/run/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pulse {
namespace {

// A process that does nothing until it is killed; reaped here.
class Sleeper {
 public:
  explicit Sleeper(const char* name = nullptr) : pid_(::fork()) {
    if (pid_ == 0) {
      if (name != nullptr) ::prctl(PR_SET_NAME, name);
      for (;;) ::pause();
    }
    const auto stat = read_process_stat(pid_);
    if (stat) started_ns_ = stat->started_ns();
  }
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  int64_t started_ns() const { return started_ns_; }
  bool alive() const { return ::kill(pid_, 0) == 0 && !zombie(); }

 private:
  bool zombie() const {
    const auto stat = read_process_stat(pid_);
    return !stat || stat->state == 'Z';
  }
  pid_t pid_;
  int64_t started_ns_ = 0;
};

bool is_named_in_time(pid_t pid, const std::string& name) {
  for (const Deadline deadline = Deadline::after(std::chrono::seconds(10)); !deadline.passed();) {
    const auto stat = read_process_stat(pid);
    if (stat && stat->name == name) return true;
  }
  return false;
}

TEST(ProcessStat, OfThisProcess) {
  const auto stat = read_process_stat(::getpid());
  ASSERT_TRUE(stat) << stat.error().text;
  EXPECT_EQ(::getppid(), stat->parent);
  EXPECT_GE(stat->threads, 1u);
  EXPECT_GT(stat->start_ticks, 0);
  EXPECT_LE(stat->started_ns(), boottime_ns());
  EXPECT_GT(stat->started_ns(), boottime_ns() - 600'000'000'000);
  EXPECT_EQ("unit-tests", stat->name);
}

TEST(ProcessStat, NamesMayHoldAnything) {
  const auto stat = parse_process_stat(
      "7 (a) b (c) S 5 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 13 0 998877 1000 200 18446744073709551615");
  ASSERT_TRUE(stat) << stat.error().text;
  EXPECT_EQ("a) b (c", stat->name);
  EXPECT_EQ(5, stat->parent);
  EXPECT_EQ(13u, stat->threads);
  EXPECT_EQ(998877, stat->start_ticks);
  EXPECT_EQ('S', stat->state);
}

TEST(ProcessStat, RefusesOtherText) {
  EXPECT_FALSE(parse_process_stat(""));
  EXPECT_FALSE(parse_process_stat("7 (name) S 5"));
  EXPECT_FALSE(parse_process_stat(")("));
}

TEST(KillProcess, KillsTheVeryProcess) {
  Sleeper sleeper;
  EXPECT_EQ(KillResult::killed,
            kill_process(sleeper.pid(), sleeper.started_ns(), Deadline::after(std::chrono::seconds(5))));
  EXPECT_FALSE(sleeper.alive());
}

TEST(KillProcess, KillsAStoppedOne) {
  Sleeper sleeper;
  ::kill(sleeper.pid(), SIGSTOP);
  EXPECT_EQ(KillResult::killed,
            kill_process(sleeper.pid(), sleeper.started_ns(), Deadline::after(std::chrono::seconds(5))));
}

TEST(KillProcess, SparesAnotherThatHasThePidNow) {
  Sleeper sleeper;
  EXPECT_EQ(KillResult::not_it,
            kill_process(sleeper.pid(), sleeper.started_ns() - 1, Deadline::after(std::chrono::seconds(5))));
  EXPECT_TRUE(sleeper.alive());
}

TEST(KillProcess, SparesAnotherProgram) {
  // pid 1 and this process itself are never it; another program is told by its name.
  EXPECT_EQ(KillResult::not_it, kill_process(1, INT64_MAX, Deadline::after(std::chrono::seconds(5))));
  EXPECT_EQ(KillResult::not_it, kill_process(::getpid(), INT64_MAX, Deadline::after(std::chrono::seconds(5))));
  Sleeper other("other-program");
  ASSERT_TRUE(is_named_in_time(other.pid(), "other-program"));
  EXPECT_EQ(KillResult::not_it,
            kill_process(other.pid(), other.started_ns(), Deadline::after(std::chrono::seconds(5))));
  EXPECT_TRUE(other.alive());
}

TEST(KillProcess, SaysWhenItIsGone) {
  pid_t pid = 0;
  {
    Sleeper sleeper;
    pid = sleeper.pid();
  }
  EXPECT_EQ(KillResult::gone, kill_process(pid, INT64_MAX, Deadline::after(std::chrono::seconds(5))));
}

// Two listening sockets, and a process that has one of them or both.
class WithSockets : public ::testing::Test {
 protected:
  WithSockets() {
    for (int& fd : sockets_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      EXPECT_EQ(0, ::listen(fd, 1));
    }
  }
  ~WithSockets() override { close_own(); }
  void close_own() {
    for (int& fd : sockets_) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
  }
  std::vector<uint32_t> inode(int which) const {
    struct stat socket {};
    EXPECT_EQ(0, ::fstat(sockets_[which], &socket));
    return {static_cast<uint32_t>(socket.st_ino)};
  }
  static std::optional<ProcessHandle> find(const std::vector<uint32_t>& one, const std::vector<uint32_t>& other) {
    return ProcessHandle::with_sockets(one, other, Deadline::after(std::chrono::seconds(20)));
  }
  int sockets_[2] = {-1, -1};
};

TEST_F(WithSockets, FindsTheProcessThatHasBoth) {
  const auto one = inode(0), other = inode(1);
  const Sleeper sleeper;
  close_own();
  const auto found = find(one, other);
  ASSERT_TRUE(found);
  EXPECT_EQ(sleeper.pid(), found->pid());
  EXPECT_FALSE(find(one, {1})) << "it has no such socket";
  EXPECT_FALSE(find({}, other));
  EXPECT_FALSE(found->wait_gone(Deadline::after(milliseconds(0))));
  EXPECT_TRUE(found->signal(SIGKILL));
  EXPECT_TRUE(found->wait_gone(Deadline::after(std::chrono::seconds(5))));
}

TEST_F(WithSockets, TwoOfThemAreNone) {
  const auto one = inode(0), other = inode(1);
  const Sleeper first, second;
  close_own();
  EXPECT_FALSE(find(one, other)) << "whose it is can't be told";
}

TEST_F(WithSockets, NothingBehindTheDeadline) {
  const auto one = inode(0), other = inode(1);
  const Sleeper sleeper;
  close_own();
  EXPECT_FALSE(ProcessHandle::with_sockets(one, other, Deadline::after(milliseconds(0))));
}

constexpr const char* kStatus = "Name:\tproxysql\nVmRSS:\t 4194304 kB\nRssAnon:\t 1 kB\nVmPTE:\t    8400 kB\n";

TEST(ProcessMemoryTest, IsReadFromTheTextsOfTheKernel) {
  const auto memory =
      parse_process_memory(kStatus, "7f-80 ---p 0 00:00 0 [rollup]\nRss: 9 kB\nAnonHugePages:   2097152 kB\n");
  ASSERT_TRUE(memory);
  EXPECT_EQ(4194304u, memory->resident_kb);
  EXPECT_EQ(8400u, memory->page_table_kb);
  EXPECT_EQ(2097152u, memory->huge_kb);
  EXPECT_EQ(0u, parse_process_memory(kStatus, "")->huge_kb);
  EXPECT_FALSE(parse_process_memory("Name:\tkthreadd\n", "")) << "a thread of the kernel has none";
  EXPECT_FALSE(parse_process_memory("", ""));
}

TEST(ProcessMemoryTest, OfThisProcess) {
  const auto memory = read_process_memory(::getpid());
  ASSERT_TRUE(memory);
  EXPECT_GT(memory->resident_kb, 0u);
  EXPECT_GT(memory->page_table_kb, 0u);
  EXPECT_FALSE(read_process_memory(0));
}

}  // namespace
}  // namespace pulse
