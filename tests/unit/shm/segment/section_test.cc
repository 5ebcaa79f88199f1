#include "shm/segment/section.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace pulse {
namespace {

struct Payload {
  uint64_t words[64];
};

Payload filled(uint64_t value) {
  Payload payload;
  for (auto& word : payload.words) word = value;
  return payload;
}

TEST(Section, ZeroBytesAreAZeroValue) {
  auto section = std::make_unique<Section<Payload>>();
  Payload out = filled(1);
  ASSERT_TRUE(section->read(out));
  EXPECT_EQ(0u, out.words[0]);
  EXPECT_EQ(0u, out.words[63]);
}

TEST(Section, ReadsWhatWasPublishedLast) {
  auto section = std::make_unique<Section<Payload>>();
  Payload out;
  for (uint64_t i = 1; i <= 5; ++i) {
    section->publish(filled(i));
    ASSERT_TRUE(section->read(out));
    EXPECT_EQ(i, out.words[0]);
    EXPECT_EQ(i, out.words[63]);
  }
}

TEST(Section, ReadsNoMoreThanIsWanted) {
  auto section = std::make_unique<Section<Payload>>();
  Payload value = filled(9);
  value.words[0] = 3;  // a count, as it were
  section->publish(value);
  Payload out = filled(1);
  ASSERT_TRUE(section->read_part(out, 8, [](const Payload& head) { return 8 * (1 + head.words[0]); }));
  EXPECT_EQ(3u, out.words[0]);
  EXPECT_EQ(9u, out.words[3]);
  EXPECT_EQ(1u, out.words[4]) << "as it was";
  ASSERT_TRUE(section->read_part(out, 8, [](const Payload&) { return size_t{1} << 40; })) << "bounded";
  EXPECT_EQ(9u, out.words[63]);
}

TEST(Section, PublishesNoMoreThanCounts) {
  auto section = std::make_unique<Section<Payload>>();
  section->publish(filled(7));
  section->publish(filled(8));
  section->publish_part(filled(9), 4 * 8);
  Payload out{};
  ASSERT_TRUE(section->read(out));
  EXPECT_EQ(9u, out.words[0]);
  EXPECT_EQ(9u, out.words[3]);
  EXPECT_EQ(7u, out.words[4]) << "of the copy's last use";
  section->publish_part(filled(10), size_t{1} << 40);
  ASSERT_TRUE(section->read(out));
  EXPECT_EQ(10u, out.words[63]) << "bounded";
}

// Every value is uniform, so a mixture of two is seen at once.
TEST(Section, ReadersNeverSeeATornValue) {
  auto section = std::make_unique<Section<Payload>>();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 1; !stop; ++i) section->publish(filled(i));
  });
  uint64_t last = 0;
  int good = 0;
  for (int i = 0; i < 100'000; ++i) {
    Payload out;
    if (!section->read(out)) continue;
    ++good;
    for (const uint64_t word : out.words) ASSERT_EQ(out.words[0], word);
    ASSERT_GE(out.words[0], last) << "went back in time";
    last = out.words[0];
  }
  stop = true;
  writer.join();
  EXPECT_GT(good, 0);
}

// A writer that dies before its last store has changed nothing that anyone reads; the next one overwrites it.
TEST(Section, AWriterKilledHalfWayChangesNothing) {
  auto section = std::make_unique<Section<Payload>>();
  section->publish(filled(7));
  // The inactive copy is the second after an odd number of publications; its words lie behind the generation.
  auto* raw = reinterpret_cast<uint64_t*>(section.get());
  const uint64_t generation = raw[0];
  uint64_t* inactive = raw + 1 + ((generation + 1) & 1) * 64;
  for (int i = 0; i < 32; ++i) inactive[i] = 0xDEAD;
  Payload out;
  ASSERT_TRUE(section->read(out));
  for (const uint64_t word : out.words) ASSERT_EQ(7u, word);
  section->publish(filled(8));
  ASSERT_TRUE(section->read(out));
  for (const uint64_t word : out.words) ASSERT_EQ(8u, word);
}

}  // namespace
}  // namespace pulse
