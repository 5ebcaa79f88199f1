#include "shm/segment/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

class SegmentTest : public ::testing::Test {
 protected:
  SegmentOptions at(const std::string& path) const {
    SegmentOptions options;
    options.path = path;
    return options;
  }
  void expect_refused(const std::string& part, int code) {
    const auto opened = Segment::open(at(path_));
    ASSERT_FALSE(opened);
    EXPECT_NE(std::string::npos, opened.error().text.find(part)) << opened.error().text;
    EXPECT_NE(std::string::npos, opened.error().text.find(path_)) << opened.error().text;
    EXPECT_EQ(code, opened.error().code);
  }
  size_t files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path())) ++count;
    return count;
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "state";
};

TEST_F(SegmentTest, IsCreatedWholeAndPrivate) {
  auto first = Segment::open(at(path_));
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_EQ(kMagic, first->layout().magic);
  EXPECT_EQ(kLayoutVersion, first->layout().layout_version);
  struct stat file {};
  ASSERT_EQ(0, ::stat(path_.c_str(), &file));
  EXPECT_EQ(static_cast<off_t>(sizeof(Layout)), file.st_size);
  EXPECT_EQ(0600u, file.st_mode & 07777);
  EXPECT_GT(file.st_blocks, 0) << "a hole would fail later, with SIGBUS";
  EXPECT_EQ(1u, files()) << "no temporary file left";
}

TEST_F(SegmentTest, TwoOpenersShareOneMapping) {
  auto first = Segment::open(at(path_));
  auto second = Segment::open(at(path_));
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  first->layout().last_beat_ns = 42;
  EXPECT_EQ(42, second->layout().last_beat_ns);
  EXPECT_TRUE(second->is_current(path_));
  ASSERT_EQ(0, ::unlink(path_.c_str()));
  EXPECT_FALSE(second->is_current(path_));
  const auto third = Segment::open(at(path_));
  ASSERT_TRUE(third);
  EXPECT_TRUE(third->is_current(path_));
  EXPECT_FALSE(second->is_current(path_)) << "another file of that name";
}

TEST_F(SegmentTest, WithAGroupTheFileIsTheGroups) {
  SegmentOptions options = at(path_);
  options.group = ::getegid();
  ASSERT_TRUE(Segment::open(options));
  struct stat file {};
  ASSERT_EQ(0, ::stat(path_.c_str(), &file));
  EXPECT_EQ(0660u, file.st_mode & 07777);
}

TEST_F(SegmentTest, WithoutCreateAMissingFileIsSaid) {
  SegmentOptions options = at(path_);
  options.create = false;
  const auto opened = Segment::open(options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(ENOENT, opened.error().code);
  EXPECT_NE(std::string::npos, opened.error().text.find("no beat has run yet"));
  EXPECT_EQ(0u, files());
}

TEST_F(SegmentTest, RefusesASymbolicLink) {
  const std::string target = dir_ / "target";
  ASSERT_TRUE(Segment::open(at(target)));
  ASSERT_EQ(0, ::symlink(target.c_str(), path_.c_str()));
  expect_refused("is a symbolic link: remove it", ELOOP);
}

TEST_F(SegmentTest, RefusesADirectoryAndAFifo) {
  ASSERT_EQ(0, ::mkfifo(path_.c_str(), 0600));
  expect_refused("is not a regular file", EPROTO);  // and doesn't wait for a writer
  ASSERT_EQ(0, ::unlink(path_.c_str()));
  ASSERT_EQ(0, ::mkdir(path_.c_str(), 0700));
  expect_refused("is not a regular file", EPROTO);
}

TEST_F(SegmentTest, RefusesForeignBytes) {
  dir_.write("state", std::string(sizeof(Layout), 'x'));
  expect_refused("is not one: remove the file", EPROTO);
  dir_.write("state", "");
  expect_refused("is not one: remove the file", EPROTO);
}

TEST_F(SegmentTest, RefusesAnotherLayoutVersion) {
  {
    auto made = Segment::open(at(path_));
    ASSERT_TRUE(made);
    made->layout().layout_version = kLayoutVersion + 1;
  }
  expect_refused("has layout version " + std::to_string(kLayoutVersion + 1) + ", this program uses " +
                     std::to_string(kLayoutVersion),
                 EPROTO);
}

TEST_F(SegmentTest, RefusesAnotherSize) {
  ASSERT_TRUE(Segment::open(at(path_)));
  ASSERT_EQ(0, ::truncate(path_.c_str(), sizeof(Layout) / 2));
  expect_refused("bytes instead of " + std::to_string(sizeof(Layout)), EPROTO);
  ASSERT_EQ(0, ::truncate(path_.c_str(), sizeof(Layout) + 8));
  expect_refused("bytes instead of", EPROTO);
}

TEST_F(SegmentTest, RefusesAForeignOwnerUnlessTheGroupIsRight) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  constexpr uid_t kOther = 4711;
  constexpr gid_t kShared = 4712;
  ASSERT_TRUE(Segment::open(at(path_)));
  ASSERT_EQ(0, ::chown(path_.c_str(), kOther, kShared));
  expect_refused("belongs to user 4711, group 4712", EACCES);
  SegmentOptions options = at(path_);
  options.group = kShared + 1;
  EXPECT_FALSE(Segment::open(options)) << "another group";
  options.group = kShared;
  EXPECT_TRUE(Segment::open(options));
  options = at(path_);
  options.root_may = true;
  EXPECT_TRUE(Segment::open(options)) << "this is root";
}

TEST_F(SegmentTest, AnUnwritableDirectoryIsSaid) {
  const auto opened = Segment::open(at("/proc/self/no-such-place/state"));
  ASSERT_FALSE(opened);
  EXPECT_NE(std::string::npos, opened.error().text.find("/proc/self/no-such-place/state"));
}

TEST_F(SegmentTest, AFullDiskIsSaidAndLeavesNothing) {
  // RLIMIT_FSIZE makes the allocation fail like a full disk does, before the file has a name.
  rlimit before{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_FSIZE, &before));
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{4096, before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_FSIZE, &limit));
  const auto opened = Segment::open(at(path_));
  ASSERT_EQ(0, ::setrlimit(RLIMIT_FSIZE, &before));
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(opened);
  EXPECT_EQ(EFBIG, opened.error().code);
  EXPECT_NE(std::string::npos, opened.error().text.find("create the state segment " + path_)) << opened.error().text;
  EXPECT_EQ(0u, files());
}

// Runs as another user while it lives.
class OtherUser {
 public:
  OtherUser() : became_(::geteuid() == 0 && ::seteuid(4711) == 0) {}
  ~OtherUser() {
    if (became_ && ::seteuid(0) != 0) std::abort();
  }
  bool became() const { return became_; }

 private:
  const bool became_;
};

TEST_F(SegmentTest, WhoMayNotOpenItLearnsWhoseItIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  ASSERT_TRUE(Segment::open(at(path_)));
  ASSERT_EQ(0, ::chmod(dir_.path().c_str(), 0755));
  const OtherUser other;
  ASSERT_TRUE(other.became());
  expect_refused("it belongs to user 0 (root): remove it, or set pulse.group to a group that both users share", EACCES);
}

TEST_F(SegmentTest, RootsSegmentIsTrustedByEverybodyWhoMayOpenIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  ASSERT_TRUE(Segment::open(at(path_)));
  ASSERT_EQ(0, ::chmod(dir_.path().c_str(), 0755));
  ASSERT_EQ(0, ::chmod(path_.c_str(), 0666));
  const OtherUser other;
  ASSERT_TRUE(other.became());
  const auto opened = Segment::open(at(path_));
  EXPECT_TRUE(opened) << opened.error().text;
}

TEST_F(SegmentTest, AGroupThatCantBeGivenIsSaidAndLeavesNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  ASSERT_EQ(0, ::chmod(dir_.path().c_str(), 0777));
  SegmentOptions options = at(path_);
  options.group = 4712;
  {
    const OtherUser other;
    ASSERT_TRUE(other.became());
    const auto opened = Segment::open(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(EPERM, opened.error().code);
    EXPECT_NE(std::string::npos, opened.error().text.find("give it to group 4712")) << opened.error().text;
  }
  EXPECT_EQ(0u, files());
}

#ifndef PULSE_SANITIZED  // they map memory themselves
TEST_F(SegmentTest, WithoutRoomForTheMappingItIsSaid) {
  ASSERT_TRUE(Segment::open(at(path_)));
  rlimit before{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_AS, &before));
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit full{pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE)), before.rlim_max};
  ASSERT_EQ(0, ::setrlimit(RLIMIT_AS, &full));
  const auto opened = Segment::open(at(path_));
  ASSERT_EQ(0, ::setrlimit(RLIMIT_AS, &before));
  ASSERT_FALSE(opened);
  EXPECT_EQ(ENOMEM, opened.error().code);
  EXPECT_NE(std::string::npos, opened.error().text.find("map the state segment " + path_)) << opened.error().text;
}
#endif

TEST_F(SegmentTest, OneForReadingOnlyIsMappedSo) {
  SegmentOptions options = at(path_);
  options.create = options.writable = false;
  ASSERT_TRUE(Segment::open(at(path_)));
  auto opened = Segment::open(options);
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ(kMagic, opened->layout().magic);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line) && line.find(path_) == std::string::npos) {
  }
  EXPECT_NE(std::string::npos, line.find(" r--s ")) << line;
}

TEST_F(SegmentTest, AFileCutShortUnderTheMappingIsNoCrash) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer takes SIGBUS for itself";
#endif
  install_bus_guard();
  auto opened = Segment::open(at(path_));
  ASSERT_TRUE(opened);
  Observation seen{};
  EXPECT_TRUE(guarded([&] { opened->layout().observation.publish(seen); }));
  ASSERT_EQ(0, ::truncate(path_.c_str(), 0));
  EXPECT_FALSE(guarded([&] { opened->layout().observation.publish(seen); }));
  EXPECT_FALSE(guarded([&] { opened->layout().skipped_busy.fetch_add(1); })) << "and a second time";
  EXPECT_FALSE(opened->is_current(path_));
}

TEST_F(SegmentTest, OfManyCreatorsAllGetTheSameFile) {
  constexpr int kProcesses = 8;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto opened = Segment::open(at(path_));
      if (opened) opened->layout().skipped_busy.fetch_add(1);
      ::_exit(opened ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
  }
  auto opened = Segment::open(at(path_));
  ASSERT_TRUE(opened);
  EXPECT_EQ(uint64_t{kProcesses}, opened->layout().skipped_busy.load());
  EXPECT_EQ(1u, files());
}

TEST(SetText, CutsAtACharacterAndEnds) {
  std::array<char, 6> small;
  set_text(small, "abcd\xC3\xA9");  // the last character would be cut in two
  EXPECT_EQ("abcd", text(small));
  set_text(small, "abcdefgh");
  EXPECT_EQ("abcde", text(small));
  small.fill('x');
  EXPECT_EQ("xxxxxx", text(small)) << "no end: the array is";
}

}  // namespace
}  // namespace pulse
