#include "shm/segment/lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "src/base/unique_fd.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

class LockTest : public ::testing::TestWithParam<bool> {
 protected:
  // With the parameter set, the lock file can't be made and the socket serves: as root no directory is read-only, but
  // one that doesn't exist takes no file either.
  std::string state() const { return GetParam() ? dir_ / "missing/state" : dir_ / "state"; }
  test::TempDir dir_;
};

TEST_P(LockTest, OneAtATimeAndNoWaiting) {
  auto first = InstanceLock::try_take(state(), std::nullopt);
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_TRUE(first->taken());
  const auto second = InstanceLock::try_take(state(), std::nullopt);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->taken());
}

TEST_P(LockTest, GoesWithItsOwner) {
  {
    const auto lock = InstanceLock::try_take(state(), std::nullopt);
    ASSERT_TRUE(lock && lock->taken());
  }
  const auto again = InstanceLock::try_take(state(), std::nullopt);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->taken());
}

TEST_P(LockTest, GoesWithAKilledProcess) {
  int ready[2];
  ASSERT_EQ(0, ::pipe(ready));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = InstanceLock::try_take(state(), std::nullopt);
    const char taken = lock && lock->taken() ? 'y' : 'n';
    if (::write(ready[1], &taken, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char taken = 0;
  ASSERT_EQ(1, ::read(ready[0], &taken, 1));
  EXPECT_EQ('y', taken);
  {
    const auto busy = InstanceLock::try_take(state(), std::nullopt);
    ASSERT_TRUE(busy);
    EXPECT_FALSE(busy->taken());
  }
  EXPECT_EQ(child, InstanceLock::process_of_holder(state()));
  ::kill(child, SIGKILL);
  ASSERT_EQ(child, ::waitpid(child, nullptr, 0));
  EXPECT_EQ(std::nullopt, InstanceLock::process_of_holder(state()));
  const auto free = InstanceLock::try_take(state(), std::nullopt);
  ASSERT_TRUE(free);
  EXPECT_TRUE(free->taken());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_P(LockTest, OtherPathsAreOtherLocks) {
  const auto one = InstanceLock::try_take(state(), std::nullopt);
  const auto other = InstanceLock::try_take(state() + "-other", std::nullopt);
  ASSERT_TRUE(one && other);
  EXPECT_TRUE(one->taken());
  EXPECT_TRUE(other->taken());
}

TEST(Lock, ThatRootCreatesIsTheSegmentOwners) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const test::TempDir dir;
  const std::string segment = dir.write("state", "");
  ASSERT_EQ(0, ::chown(segment.c_str(), 4711, 4712));
  for (const std::string& path : {segment, segment + ".drain", segment + ".job.a-b"}) {
    ASSERT_TRUE(InstanceLock::try_take(path, std::nullopt));
    struct stat file {};
    ASSERT_EQ(0, ::stat((path + ".lock").c_str(), &file)) << path;
    EXPECT_EQ(4711U, file.st_uid) << path;
    EXPECT_EQ(4712U, file.st_gid) << path;
  }
  ASSERT_TRUE(InstanceLock::try_take(dir / "none.drain", std::nullopt)) << "nobody to give it to";
}

INSTANTIATE_TEST_SUITE_P(FileAndSocket, LockTest, ::testing::Values(false, true),
                         [](const auto& each) { return each.param ? "Socket" : "File"; });

// A container's processes have numbers of their own: there the holder's would be somebody else's.
TEST(Lock, ItsHolderHasNoNumberInAnotherPidNamespace) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a pid namespace";
  const test::TempDir dir;
  const std::string state = dir / "state";
  const auto lock = InstanceLock::try_take(state, std::nullopt);
  ASSERT_TRUE(lock && lock->taken());
  EXPECT_EQ(::getpid(), InstanceLock::process_of_holder(state));
  constexpr int kUnknown = 10, kKnown = 11, kNoNamespace = 12;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(kNoNamespace);
    const pid_t inside = ::fork();  // the first process of the new namespace
    if (inside == 0) ::_exit(InstanceLock::process_of_holder(state) ? kKnown : kUnknown);
    int ended = 0;
    ::_exit(::waitpid(inside, &ended, 0) == inside && WIFEXITED(ended) ? WEXITSTATUS(ended) : 1);
  }
  int ended = 0;
  ASSERT_EQ(child, ::waitpid(child, &ended, 0));
  ASSERT_TRUE(WIFEXITED(ended));
  if (WEXITSTATUS(ended) == kNoNamespace) GTEST_SKIP() << "no pid namespace may be made here";
  EXPECT_EQ(kUnknown, WEXITSTATUS(ended));
}

TEST(Lock, DoesNotFollowASymbolicLink) {
  const test::TempDir dir;
  dir.write("target", "");
  ASSERT_EQ(0, ::symlink((dir / "target").c_str(), (dir / "state.lock").c_str()));
  const auto lock = InstanceLock::try_take(dir / "state", std::nullopt);
  ASSERT_TRUE(lock);
  EXPECT_TRUE(lock->taken()) << "by the socket";
}

TEST(Lock, WithAGroupTheFileIsTheGroups) {
  const test::TempDir dir;
  const gid_t group = ::geteuid() == 0 ? 4712 : ::getegid();
  ASSERT_TRUE(InstanceLock::try_take(dir / "state", group));
  struct stat file {};
  ASSERT_EQ(0, ::stat((dir / "state.lock").c_str(), &file));
  EXPECT_EQ(group, file.st_gid);
  EXPECT_EQ(0660U, file.st_mode & 07777) << "whatever the umask";
  ASSERT_TRUE(InstanceLock::try_take(dir / "private", std::nullopt));
  ASSERT_EQ(0, ::stat((dir / "private.lock").c_str(), &file));
  EXPECT_EQ(0600U, file.st_mode & 07777);
}

TEST(Lock, WithoutCreateNoFileIsMade) {
  const test::TempDir dir;
  const auto lock = InstanceLock::try_take(dir / "state", std::nullopt, false);
  ASSERT_TRUE(lock);
  EXPECT_TRUE(lock->taken()) << "by the socket";
  struct stat file {};
  EXPECT_NE(0, ::stat((dir / "state.lock").c_str(), &file));
}

TEST(Lock, SaysWhenNeitherKindCanBeHad) {
  const test::TempDir dir;
  rlimit before{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &before));
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &none));
  const auto lock = InstanceLock::try_take(dir / "state", std::nullopt);
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &before));
  ASSERT_FALSE(lock);
  EXPECT_EQ(EMFILE, lock.error().code);
  EXPECT_NE(std::string::npos, lock.error().text.find("lock " + (dir / "state.lock") + ", or a socket in its place"))
      << lock.error().text;
}

// Two users whose files are closed to each other.
TEST(Lock, TwoUsersAreNeverAtOnceAndTheSecondKnowsWhoIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
  const test::TempDir dir;
  constexpr uid_t kAlice = 4711;
  constexpr uid_t kBob = 4712;
  ASSERT_EQ(0, ::chmod(dir.path().c_str(), 01777)) << "as /dev/shm";
  int taken[2], done[2];
  ASSERT_EQ(0, ::pipe(taken));
  ASSERT_EQ(0, ::pipe(done));
  const pid_t alice = ::fork();
  if (alice == 0) {
    ::close(done[1]);
    if (::setresuid(kAlice, kAlice, kAlice) != 0) ::_exit(2);
    const auto lock = InstanceLock::try_take(dir / "state", std::nullopt);
    if (!lock || !lock->taken() || !lock->problem().empty()) ::_exit(1);
    char byte = 'y';
    if (::write(taken[1], &byte, 1) != 1) ::_exit(3);
    ::_exit(::read(done[0], &byte, 1) == 0 ? 0 : 4);
  }
  char byte = 0;
  ASSERT_EQ(1, ::read(taken[0], &byte, 1));
  const pid_t bob = ::fork();
  if (bob == 0) {
    ::close(done[1]);
    if (::setresuid(kBob, kBob, kBob) != 0) ::_exit(2);
    const auto lock = InstanceLock::try_take(dir / "state", std::nullopt);
    if (!lock || lock->taken()) ::_exit(1);
    ::_exit(lock->other_holder() == kAlice && lock->problem().find("user 4711") != std::string::npos ? 0 : 3);
  }
  int status = -1;
  ASSERT_EQ(bob, ::waitpid(bob, &status, 0));
  EXPECT_EQ(0, WEXITSTATUS(status));
  ::close(done[1]);
  ASSERT_EQ(alice, ::waitpid(alice, &status, 0));
  EXPECT_EQ(0, WEXITSTATUS(status));
  for (const int fd : {taken[0], taken[1], done[0]}) ::close(fd);
}

// Made before ours in a directory for everybody, open to everybody, and held for ever.
TEST(Lock, AnotherUsersFileStopsNobody) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
  const test::TempDir dir;
  ASSERT_EQ(0, ::chmod(dir.path().c_str(), 01777));
  const std::string path = dir.write("state.lock", "");
  ASSERT_EQ(0, ::chmod(path.c_str(), 0644));
  ASSERT_EQ(0, ::chown(path.c_str(), 4711, 4711));
  const UniqueFd others(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(0, ::flock(others.get(), LOCK_EX));
  const auto lock = InstanceLock::try_take(dir / "state", std::nullopt);
  ASSERT_TRUE(lock && lock->taken());
  EXPECT_NE(std::string::npos, lock->problem().find("belongs to user 4711, not to user 0 (root)")) << lock->problem();
  const auto second = InstanceLock::try_take(dir / "state", std::nullopt);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->taken());
  EXPECT_FALSE(second->other_holder()) << "this very user";
  EXPECT_EQ(lock->problem(), lock_file_problem(dir / "state", 0, std::nullopt));
  EXPECT_EQ("", lock_file_problem(dir / "state", 4711, std::nullopt));
  EXPECT_EQ("", lock_file_problem(dir / "state", 0, 4711));
  EXPECT_EQ("", lock_file_problem(dir / "none", 0, std::nullopt));
}

TEST(Lock, IsOneOfItsPlaceWhateverThePathThere) {
  const test::TempDir dir;
  ASSERT_EQ(0, ::mkdir((dir / "real").c_str(), 0700));
  ASSERT_EQ(0, ::symlink((dir / "real").c_str(), (dir / "link").c_str()));
  const auto one = InstanceLock::try_take(dir / "real/state", std::nullopt, false);
  const auto other = InstanceLock::try_take(dir / "link/state", std::nullopt, false);
  ASSERT_TRUE(one && other);
  EXPECT_TRUE(one->taken());
  EXPECT_FALSE(other->taken()) << "by the socket alone";
}

TEST(Lock, AnotherSuffixIsAnotherLock) {
  const test::TempDir dir;
  const auto beats = InstanceLock::try_take(dir / "state", std::nullopt);
  const auto drains = InstanceLock::try_take(dir / "state", std::nullopt, true, ".drain.lock");
  ASSERT_TRUE(beats && drains);
  EXPECT_TRUE(beats->taken());
  EXPECT_TRUE(drains->taken());
  EXPECT_FALSE(InstanceLock::try_take(dir / "state", std::nullopt, true, ".drain.lock")->taken());
}

// A drain by root, of a ProxySQL whose beats run as another user: they have to see that it runs.
TEST(Lock, WhatRootMakesBelongsToTheSegmentsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const test::TempDir dir;
  constexpr uid_t kOwner = 65534;
  ASSERT_EQ(0, ::chown(dir.write("state", "").c_str(), kOwner, kOwner));
  ASSERT_EQ(0, ::chmod(dir.path().c_str(), 0777));
  const auto root = InstanceLock::try_take(dir / "state", std::nullopt, true, ".drain.lock");
  ASSERT_TRUE(root && root->taken());
  const pid_t owner = ::fork();
  if (owner == 0) {
    if (::setresuid(kOwner, kOwner, kOwner) != 0) ::_exit(2);
    const auto lock = InstanceLock::try_take(dir / "state", std::nullopt, true, ".drain.lock");
    ::_exit(lock && !lock->taken() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(owner, ::waitpid(owner, &status, 0));
  EXPECT_EQ(0, status) << "busy, for its owner too";
}

}  // namespace
}  // namespace pulse
