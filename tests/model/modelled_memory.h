// Shared memory as the language's memory model lets it be, for real code that uses shm/section.h: every order in which
// stores may become visible, every stale value that a load may return, a writer's death between any two of its stores.
//
// A thread is real code, run anew from its beginning with the answers that it has had so far; the first access beyond
// them ends the run by an exception and is what the thread does next. So no thread is ever suspended, a state is a
// small plain struct, and the explorer visits each one once.
//
// The model: each store is a message in the history of its location, and carries what its writer had seen as far as
// fences and release stores say. A load may return any message that isn't older than what its thread has seen (loads
// reordered, caches stale). A writer's stores become visible in any order that its fences and release stores allow
// (stores reordered, by compiler or processor); what isn't visible when it dies never will be. Left out: a load that is
// delayed past a later store of its own thread. Readers store nothing, and a writer loads nothing but the generation,
// which only writers store and on which its stores depend. What writers leave is visible to the next one, which has
// taken the kernel's lock after them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace pulse::model {

inline constexpr size_t kLocations = 7;  // a generation and two copies of up to three words
inline constexpr size_t kMessages = 8;   // of one location, ever
inline constexpr size_t kThreads = 5;

struct Access {
  enum class Kind : uint8_t { load, store, fence } kind;
  std::memory_order order;
  uint8_t location;
  uint8_t value;
};

// What can be wrong with a protocol like this one. The explorer must find each.
enum class Flaw {
  none,
  no_fence_before_words,    // publish() without its release fence
  no_fence_after_words,     // read() without its acquire fence
  relaxed_publication,      // the generation is stored without release
  relaxed_first_look,       // ... and loaded without acquire
  generation_before_words,  // publish() names the copy first and fills it then
  no_second_look,           // read() believes what it copied
  one_copy,                 // instead of two
};

using Outcome = std::vector<uint64_t>;
using Program = std::function<Outcome()>;

// One run of a thread's code. Throws an Access when `answers` run out.
class Replay {
 public:
  // `base` is the first word of the Section that the code uses; `words` are those of one copy.
  Replay(const void* base, size_t words, Flaw flaw, const std::vector<uint8_t>& answers);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  uint64_t load(const void* word, std::memory_order order);
  void store(const void* word, uint64_t value, std::memory_order order);
  void fence(std::memory_order order);

  // How often a read has begun a try.
  static uint64_t tries();
  static Replay& current();

 private:
  uint8_t location_of(const void* word) const;
  uint8_t answer(const Access& access);

  const void* base_;
  size_t words_;
  Flaw flaw_;
  const std::vector<uint8_t>& answers_;
  size_t used_ = 0;
  uint64_t tries_ = 0;
  std::optional<uint8_t> looked_;
  std::vector<Access> held_back_;
};

// The policy for Section.
struct ModelledMemory {
  struct Word {
    uint64_t load(std::memory_order order) const { return Replay::current().load(this, order); }
    void store(uint64_t value, std::memory_order order) { Replay::current().store(this, value, order); }
    uint64_t unused;
  };
  static void fence(std::memory_order order) { Replay::current().fence(order); }
};

struct ThreadSpec {
  std::string name;
  Program program;
  // Says what is wrong with what the program returned; "" if nothing is. `published` is the number of generations that
  // were visible by then.
  std::function<std::string(const Outcome&, uint64_t published)> judge;
  bool writes = false;  // writers come one after the other, in this order; each may die at any instant
};

class Explorer {
 public:
  struct Limits {
    const void* base;
    size_t words;
    Flaw flaw = Flaw::none;
  };
  Explorer(Limits limits, std::vector<ThreadSpec> threads);

  // Visits every state. The first thing that goes wrong, with the steps that lead there; "" if nothing does.
  std::string run();

  size_t states() const { return visited_.size(); }

 private:
  using View = std::array<uint8_t, kLocations>;  // of each location, the newest message known
  struct Message {
    uint8_t value;
    uint8_t visible;
    View view;
  };
  struct Pending {  // a store that isn't visible yet
    uint8_t location;
    uint8_t message;
    uint8_t group;  // of stores between two release fences
    uint8_t release;
  };
  enum class Stage : uint8_t { waiting, running, ended, dead };
  struct Thread {
    uint32_t node;
    Stage stage;
    uint8_t group;
    View seen;      // it loads nothing older
    View acquired;  // what an acquire fence adds to that
    View released;  // what its relaxed stores hand on
    uint8_t unused;
  };
  struct State {
    std::array<std::array<Message, kMessages>, kLocations> memory;
    std::array<uint8_t, kLocations + 1> messages;  // and nothing, to fill a word
    std::array<Thread, kThreads> threads;
    std::array<Pending, kMessages * kLocations> pending;
    uint32_t pending_count;
  };
  // A thread after certain answers.
  struct Node {
    size_t thread = 0;
    std::vector<uint8_t> answers;
    std::optional<Access> next;  // none: it has returned
    Outcome outcome;
    std::map<uint8_t, uint32_t> children;
  };
  struct Step {
    enum class Kind { load, visible, death } kind;
    size_t thread;
    uint8_t location;
    uint8_t value;
  };

  uint32_t make_node(size_t thread, std::vector<uint8_t> answers);
  void answer(Thread& thread, uint8_t value);
  void visit(const State& state);
  void load(State state, size_t thread, uint8_t message);
  void advance(State& state, size_t thread);
  void begin_next_writer(State& state);
  bool may_become_visible(const State& state, uint32_t index) const;
  void make_visible(State state, uint32_t index, size_t writer);
  void die(State state, size_t writer);
  void complain(const std::string& what);
  static void join(View& view, const View& other);
  static uint64_t published(const State& state);

  const Limits limits_;
  const std::vector<ThreadSpec> specs_;
  std::vector<Node> nodes_;
  std::unordered_set<uint64_t> visited_;  // hashes of states; two of a million being one: less than one in 10^7
  std::vector<Step> path_;
  std::string problem_;
};

}  // namespace pulse::model
