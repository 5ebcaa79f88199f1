#include "daemon/discovery/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "shm/segment/boot.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

std::shared_ptr<const std::vector<Found>> nobody() { return std::make_shared<const std::vector<Found>>(); }

TEST(DiscoveryTest, IsAsGoodAsTheWorstLook) {
  const SourceLook good{nobody(), true, 200, 210, 0, 3, ""};
  const SourceLook older{nobody(), false, 100, 300, 0, 4, ""};
  const Discovery both = merge_looks({good, older}, {});
  EXPECT_EQ(100, both.ok_ns);
  EXPECT_EQ(300, both.looked_ns);
  EXPECT_EQ(7u, both.failures);
  EXPECT_EQ(0, both.failing_since_ns);

  const SourceLook failing{nobody(), false, 100, 300, 250, 4, "later"};
  const SourceLook failing_first{nullptr, false, 0, 300, 240, 4, "sooner"};
  const Discovery failed = merge_looks({failing, good, failing_first}, {});
  EXPECT_EQ(240, failed.failing_since_ns);
  EXPECT_EQ("sooner", text(failed.error));
  EXPECT_EQ(0, failed.ok_ns) << "a part of the list was never there";
}

TEST(DiscoveryTest, AListWithoutACoreIsAFailedLook) {
  const SourceLook good{nobody(), true, 200, 200, 0, 0, ""};
  const Discovery state = merge_looks({good}, {150, 140, 2});
  EXPECT_EQ(140, state.ok_ns) << "of the list that had one";
  EXPECT_EQ(150, state.failing_since_ns);
  EXPECT_EQ(2u, state.failures);
  EXPECT_THAT(std::string(text(state.error)), HasSubstr("no core"));

  const SourceLook failing{nobody(), false, 200, 200, 145, 4, "else"};
  const Discovery both = merge_looks({failing}, {150, 140, 2});
  EXPECT_EQ(145, both.failing_since_ns);
  EXPECT_THAT(std::string(text(both.error)), HasSubstr("no core"));
}

// A static list into a real segment.
class PublishedTest : public ::testing::Test {
 protected:
  PublishedTest() {
    install_bus_guard();
    config_.discovery.source = Source::fixed;
    config_.discovery.members = {"10.0.0.2", "10.0.0.1:6042"};
    config_.discovery.max_age = milliseconds(1000);
    config_.address = "10.0.0.2";
    set(open("state"));
  }

  std::shared_ptr<Segment> open(const std::string& name) {
    SegmentOptions options;
    options.path = dir_ / name;
    auto opened = Segment::open(options);
    return opened ? std::make_shared<Segment>(std::move(*opened)) : nullptr;
  }
  void set(std::shared_ptr<Segment> segment) {
    const std::lock_guard<std::mutex> hold(mutex_);
    segment_ = std::move(segment);
  }
  std::shared_ptr<Segment> get() {
    const std::lock_guard<std::mutex> hold(mutex_);
    return segment_;
  }
  Discovery state() {
    Discovery read{};
    EXPECT_TRUE(get()->layout().discovery.read(read));
    return read;
  }
  std::unique_ptr<Members> members() {
    auto read = std::make_unique<Members>();
    EXPECT_TRUE(get()->layout().members.read(*read));
    return read;
  }
  template <class Condition>
  static bool eventually(Condition condition) {
    const Deadline deadline = Deadline::after(seconds(20));
    while (!condition()) {
      if (deadline.passed()) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }

  test::TempDir dir_;
  Config config_;
  std::mutex mutex_;
  std::shared_ptr<Segment> segment_;
};

TEST_F(PublishedTest, TheListAndItsStateAreInTheSegmentAndStayFresh) {
  Discoverer discoverer(config_, [this] { return get(); });
  ASSERT_TRUE(eventually([&] { return state().ok_ns != 0; }));
  const Discovery first = state();
  EXPECT_EQ(static_cast<uint8_t>(Source::fixed), first.source);
  EXPECT_EQ(machine_boot_id(), first.boot_id);
  const auto list = members();
  ASSERT_EQ(2u, list->count);
  EXPECT_EQ(2u, list->cores);
  EXPECT_EQ("10.0.0.1", text(list->members[0].address));
  EXPECT_EQ(6042u, list->members[0].port);
  EXPECT_EQ(machine_boot_id(), list->boot_id);
  ASSERT_TRUE(eventually([&] { return state().ok_ns > first.ok_ns; }));
  EXPECT_LT(state().ok_ns, first.ok_ns + 1'500'000'000);
  EXPECT_EQ(list->changed_ns, members()->changed_ns);
  EXPECT_TRUE(discoverer.stop());
}

TEST_F(PublishedTest, ANewSegmentGetsBoth) {
  set(nullptr);
  Discoverer discoverer(config_, [this] { return get(); });
  for (const char* name : {"first", "second"}) {
    set(open(name));
    EXPECT_TRUE(eventually([&] { return state().ok_ns != 0 && members()->count == 2; })) << name;
  }
}

TEST_F(PublishedTest, ARestartOfTheDaemonChangesNothing) {
  int64_t changed = 0;
  {
    Discoverer discoverer(config_, [this] { return get(); });
    ASSERT_TRUE(eventually([&] { return members()->count == 2; }));
    changed = members()->changed_ns;
  }
  const int64_t ok = state().ok_ns;
  Discoverer discoverer(config_, [this] { return get(); });
  ASSERT_TRUE(eventually([&] { return state().ok_ns > ok; }));
  EXPECT_EQ(changed, members()->changed_ns);
}

TEST_F(PublishedTest, WithoutASourceOnlyThatIsPublished) {
  config_.discovery.source = Source::none;
  Discoverer discoverer(config_, [this] { return get(); });
  ASSERT_TRUE(eventually([&] { return state().boot_id != 0; }));
  EXPECT_EQ(static_cast<uint8_t>(Source::none), state().source);
  EXPECT_EQ(0, state().ok_ns);
  EXPECT_EQ(0u, members()->count);
}

TEST_F(PublishedTest, ASegmentThatWasCutShortIsSurvived) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer takes SIGBUS for itself";
#endif
  Discoverer discoverer(config_, [this] { return get(); });
  ASSERT_TRUE(eventually([&] { return state().ok_ns != 0; }));
  std::filesystem::resize_file(dir_ / "state", 0);
  std::this_thread::sleep_for(milliseconds(600));
  set(open("other"));
  EXPECT_TRUE(eventually([&] { return members()->count == 2; }));
}

}  // namespace
}  // namespace pulse
