// The protocol of shm/section.h, its real code, in every order of events that the memory model allows: a writer, its
// death at any instant, a next writer, and readers beside them. What must hold: no reader takes a torn value; none goes
// back in time; each needs one try more than it was overtaken at most; the next writer finds what was published last,
// and what it publishes is what is there in the end. And each flaw that such a protocol can have is found.
#include <gtest/gtest.h>

#include <cstdio>

#include "shm/segment/section.h"
#include "tests/model/modelled_memory.h"

namespace pulse::model {
namespace {

// A value says which generation it was published as and who published it, in each of its words: those of a writer that
// died half-way can't pass for those of the next one.
template <size_t kWords>
struct Value {
  uint64_t words[kWords];
};
constexpr uint64_t kFirst = 1, kSecond = 2, kThird = 3;
uint64_t word_of(uint64_t generation, uint64_t writer) { return generation << 2 | writer; }
uint64_t generation_of(uint64_t word) { return word >> 2; }
uint64_t writer_of(uint64_t word) { return word & 3; }

// What a read came to, as a thread returns it.
struct Got {
  bool ok;
  uint64_t tries;
  std::vector<uint64_t> words;  // those that were asked for
};

template <size_t kWords>
class Protocol {
 public:
  explicit Protocol(Flaw flaw = Flaw::none) : flaw_(flaw) {}

  // Reads the present value and publishes `times` new ones; with none, it is a last look at what the others left.
  void add_writer(uint64_t writer, uint64_t times) {
    ThreadSpec spec;
    spec.name = "writer " + std::to_string(writer);
    spec.writes = true;
    spec.program = [this, writer, times] {
      Outcome outcome;
      const Got got = read(outcome, kWords);
      for (uint64_t i = 1; i <= times; ++i) {
        Value<kWords> value;
        for (uint64_t& word : value.words) word = word_of(generation_of(got.words[0]) + i, writer);
        section_.publish(value);
      }
      return outcome;
    };
    spec.judge = [](const Outcome& outcome, uint64_t published) -> std::string {
      const Got got = next(outcome, 0);
      if (!got.ok || got.tries != 1) return "alone, and not read at once";
      if (const std::string wrong = torn(got); !wrong.empty()) return wrong;
      return generation_of(got.words[0]) == published ? "" : "lost a generation: " + shown(got);
    };
    threads_.push_back(spec);
  }

  // Reads `times` times, `wanted(first word)` words of the value.
  void add_reader(int times, size_t head = kWords, std::function<size_t(uint64_t)> wanted = nullptr) {
    ThreadSpec spec;
    spec.name = "reader " + std::to_string(threads_.size());
    spec.program = [this, times, head, wanted] {
      Outcome outcome;
      for (int i = 0; i < times; ++i) read(outcome, head, wanted);
      return outcome;
    };
    spec.judge = [](const Outcome& outcome, uint64_t published) -> std::string {
      uint64_t last = 0;
      for (size_t at = 0; at < outcome.size();) {
        const Got got = next(outcome, at);
        at += 3 + got.words.size();
        if (!got.ok || got.tries > published + 1) return "took " + std::to_string(got.tries) + " tries";
        if (const std::string wrong = torn(got); !wrong.empty()) return wrong;
        if (generation_of(got.words[0]) < last) return "went back in time: " + shown(got);
        last = generation_of(got.words[0]);
      }
      return "";
    };
    threads_.push_back(spec);
  }

  // The first thing that goes wrong, "" if nothing can.
  std::string run() {
    Explorer explorer({&section_, kWords, flaw_}, threads_);
    const std::string problem = explorer.run();
    states_ = explorer.states();
    return problem;
  }

  size_t states() const { return states_; }

 private:
  Got read(Outcome& outcome, size_t head, const std::function<size_t(uint64_t)>& wanted = nullptr) {
    Value<kWords> value{};
    const uint64_t tries_before = Replay::tries();
    size_t words = head;
    const bool ok = section_.read_part(value, head * 8, [&](const Value<kWords>& seen) {
      if (wanted) words = wanted(seen.words[0]);
      return words * 8;
    });
    const Got got{ok, Replay::tries() - tries_before, {value.words, value.words + words}};
    outcome.insert(outcome.end(), {ok ? 1u : 0u, got.tries, words});
    outcome.insert(outcome.end(), got.words.begin(), got.words.end());
    return got;
  }

  static Got next(const Outcome& outcome, size_t at) {
    const auto words = outcome.begin() + static_cast<ptrdiff_t>(at) + 3;
    return {outcome[at] != 0, outcome[at + 1], {words, words + static_cast<ptrdiff_t>(outcome[at + 2])}};
  }

  static std::string shown(const Got& got) {
    std::string text = "generation/writer of its words";
    for (const uint64_t word : got.words) {
      text.append(" ").append(std::to_string(generation_of(word))).append("/").append(std::to_string(writer_of(word)));
    }
    return text;
  }

  static std::string torn(const Got& got) {
    for (const uint64_t word : got.words) {
      if (word != got.words[0]) return "torn: " + shown(got);
    }
    return "";
  }

  Section<Value<kWords>, ModelledMemory> section_{};
  const Flaw flaw_;
  std::vector<ThreadSpec> threads_;
  size_t states_ = 0;
};

TEST(SegmentProtocol, TwoReadersBesideAWriterThatMayDieAndTheNext) {
  Protocol<2> protocol;
  protocol.add_writer(kFirst, 2);
  protocol.add_writer(kSecond, 1);
  protocol.add_writer(kThird, 0);
  protocol.add_reader(1);
  protocol.add_reader(1);
  EXPECT_EQ("", protocol.run());
  std::printf("%zu states\n", protocol.states());
}

// Long enough for a slow reader to find its copy written twice over, and to read again.
TEST(SegmentProtocol, AReaderThatReadsTwiceBesideManyPublications) {
  Protocol<2> protocol;
  protocol.add_writer(kFirst, 3);
  protocol.add_writer(kSecond, 2);
  protocol.add_writer(kThird, 0);
  protocol.add_reader(2);
  EXPECT_EQ("", protocol.run());
  std::printf("%zu states\n", protocol.states());
}

// How much of it is wanted stands in its first word, which may itself be overtaken.
TEST(SegmentProtocol, APartOfAValueIsOfOnePublication) {
  Protocol<3> protocol;
  protocol.add_writer(kFirst, 2);
  protocol.add_writer(kSecond, 2);
  protocol.add_writer(kThird, 0);
  protocol.add_reader(1, 1, [](uint64_t word) { return writer_of(word) == kSecond ? 3u : 2u; });
  EXPECT_EQ("", protocol.run());
  std::printf("%zu states\n", protocol.states());
}

struct FlawCase {
  const char* name;
  Flaw flaw;
};
void PrintTo(const FlawCase& each, std::ostream* out) { *out << each.name; }

class FlawedProtocol : public ::testing::TestWithParam<FlawCase> {};

TEST_P(FlawedProtocol, IsFound) {
  Protocol<2> protocol(GetParam().flaw);
  protocol.add_writer(kFirst, 2);
  protocol.add_writer(kSecond, 1);
  protocol.add_reader(1);
  const std::string problem = protocol.run();
  EXPECT_NE(std::string::npos, problem.find("torn")) << "the flaw wasn't found: " << problem;
}

INSTANTIATE_TEST_SUITE_P(Each, FlawedProtocol,
                         ::testing::Values(FlawCase{"NoFenceBeforeWords", Flaw::no_fence_before_words},
                                           FlawCase{"NoFenceAfterWords", Flaw::no_fence_after_words},
                                           FlawCase{"RelaxedPublication", Flaw::relaxed_publication},
                                           FlawCase{"RelaxedFirstLook", Flaw::relaxed_first_look},
                                           FlawCase{"GenerationBeforeWords", Flaw::generation_before_words},
                                           FlawCase{"NoSecondLook", Flaw::no_second_look},
                                           FlawCase{"OneCopy", Flaw::one_copy}),
                         [](const auto& each) { return each.param.name; });

// A memory under whose every reader a writer publishes: at each look the generation is another.
struct RestlessMemory {
  struct Word {
    uint64_t load(std::memory_order) const { return ++looks; }
    void store(uint64_t, std::memory_order) {}
    static inline uint64_t looks = 0;
    uint64_t unused;
  };
  static void fence(std::memory_order) {}
};

TEST(SegmentProtocol, AReaderThatIsAlwaysOvertakenGivesUp) {
  Section<Value<1>, RestlessMemory> section{};
  Value<1> out;
  EXPECT_FALSE(section.read(out));
  EXPECT_EQ(3u * section.kTries, RestlessMemory::Word::looks) << "two looks and one word each";
}

}  // namespace
}  // namespace pulse::model
