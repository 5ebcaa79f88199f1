#include "tests/model/modelled_memory.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace pulse::model {

namespace {

Replay* g_current = nullptr;

constexpr uint8_t kGeneration = 0;

std::string location_name(uint8_t location, size_t words) {
  if (location == kGeneration) return "generation";
  const size_t word = location - 1u;
  return "copy " + std::to_string(word / words) + " word " + std::to_string(word % words);
}

}  // namespace

Replay::Replay(const void* base, size_t words, Flaw flaw, const std::vector<uint8_t>& answers)
    : base_(base), words_(words), flaw_(flaw), answers_(answers) {
  g_current = this;
}

Replay::~Replay() { g_current = nullptr; }

Replay& Replay::current() { return *g_current; }

uint64_t Replay::tries() { return current().tries_; }

uint8_t Replay::location_of(const void* word) const {
  const auto offset = static_cast<const char*>(word) - static_cast<const char*>(base_);
  auto location = static_cast<size_t>(offset) / sizeof(uint64_t);
  if (location >= kLocations) throw std::out_of_range("more words than the model has");
  if (flaw_ == Flaw::one_copy && location > words_) location -= words_;
  return static_cast<uint8_t>(location);
}

uint8_t Replay::answer(const Access& access) {
  if (used_ == answers_.size()) throw access;
  return answers_[used_++];
}

uint64_t Replay::load(const void* word, std::memory_order order) {
  const uint8_t location = location_of(word);
  if (location != kGeneration) return answer({Access::Kind::load, order, location, 0});
  if (order == std::memory_order_relaxed) {
    const auto before = looked_;
    looked_.reset();
    if (flaw_ == Flaw::no_second_look && before) return *before;
    return answer({Access::Kind::load, order, location, 0});
  }
  ++tries_;
  const auto weakened = flaw_ == Flaw::relaxed_first_look ? std::memory_order_relaxed : order;
  looked_ = answer({Access::Kind::load, weakened, location, 0});
  return *looked_;
}

void Replay::store(const void* word, uint64_t value, std::memory_order order) {
  if (value > 0xFF) throw std::out_of_range("a value larger than the model's");
  Access access{Access::Kind::store, order, location_of(word), static_cast<uint8_t>(value)};
  if (access.location != kGeneration && flaw_ == Flaw::generation_before_words) {
    held_back_.push_back(access);
    return;
  }
  if (access.location == kGeneration && flaw_ == Flaw::relaxed_publication) access.order = std::memory_order_relaxed;
  answer(access);
  for (const Access& late : held_back_) answer(late);
  held_back_.clear();
}

void Replay::fence(std::memory_order order) {
  if (flaw_ == Flaw::no_fence_before_words && order == std::memory_order_release) return;
  if (flaw_ == Flaw::no_fence_after_words && order == std::memory_order_acquire) return;
  answer({Access::Kind::fence, order, 0, 0});
}

Explorer::Explorer(Limits limits, std::vector<ThreadSpec> threads) : limits_(limits), specs_(std::move(threads)) {
  if (specs_.size() > kThreads) throw std::out_of_range("more threads than the model has");
}

std::string Explorer::run() {
  State state{};
  for (size_t location = 0; location < kLocations; ++location) {
    state.memory[location][0].visible = 1;
    state.messages[location] = 1;
  }
  for (size_t thread = 0; thread < specs_.size(); ++thread) {
    state.threads[thread].node = make_node(thread, {});
    if (specs_[thread].writes) continue;
    state.threads[thread].stage = Stage::running;
    advance(state, thread);
  }
  begin_next_writer(state);
  visit(state);
  return problem_;
}

uint32_t Explorer::make_node(size_t thread, std::vector<uint8_t> answers) {
  Node node;
  node.thread = thread;
  node.answers = std::move(answers);
  try {
    const Replay replay(limits_.base, limits_.words, limits_.flaw, node.answers);
    node.outcome = specs_[thread].program();
  } catch (const Access& next) {
    node.next = next;
  }
  nodes_.push_back(std::move(node));
  return static_cast<uint32_t>(nodes_.size() - 1);
}

void Explorer::answer(Thread& thread, uint8_t value) {
  const auto found = nodes_[thread.node].children.find(value);
  if (found != nodes_[thread.node].children.end()) {
    thread.node = found->second;
    return;
  }
  std::vector<uint8_t> answers = nodes_[thread.node].answers;
  answers.push_back(value);
  const uint32_t child = make_node(nodes_[thread.node].thread, std::move(answers));
  nodes_[thread.node].children.emplace(value, child);
  thread.node = child;
}

void Explorer::join(View& view, const View& other) {
  for (size_t i = 0; i < kLocations; ++i) view[i] = std::max(view[i], other[i]);
}

uint64_t Explorer::published(const State& state) {
  uint64_t count = 0;
  for (uint8_t i = 1; i < state.messages[kGeneration]; ++i) count += state.memory[kGeneration][i].visible;
  return count;
}

void Explorer::visit(const State& state) {
  static_assert(std::has_unique_object_representations_v<State>, "hashed as bytes");
  const std::string_view bytes(reinterpret_cast<const char*>(&state), sizeof state);
  if (!problem_.empty() || !visited_.insert(std::hash<std::string_view>()(bytes)).second) return;
  for (size_t i = 0; i < specs_.size() && problem_.empty(); ++i) {
    const Thread& thread = state.threads[i];
    if (thread.stage != Stage::running) continue;
    if (specs_[i].writes) {
      for (uint32_t k = 0; k < state.pending_count; ++k) {
        if (may_become_visible(state, k)) make_visible(state, k, i);
      }
      die(state, i);
      continue;
    }
    const uint8_t location = nodes_[thread.node].next->location;
    for (uint8_t message = thread.seen[location]; message < state.messages[location]; ++message) {
      if (state.memory[location][message].visible != 0) load(state, i, message);
    }
  }
}

void Explorer::load(State state, size_t index, uint8_t message) {
  Thread& thread = state.threads[index];
  const Access access = *nodes_[thread.node].next;
  const Message& loaded = state.memory[access.location][message];
  thread.seen[access.location] = message;
  join(access.order == std::memory_order_relaxed ? thread.acquired : thread.seen, loaded.view);
  path_.push_back({Step::Kind::load, index, access.location, loaded.value});
  answer(thread, loaded.value);
  advance(state, index);
  visit(state);
  path_.pop_back();
}

// Runs a thread to where somebody else's doings matter to it: a reader to its next load; a writer, the only one there
// is and with nothing to load but what writers have stored, to its end, for its stores are merely pending then.
void Explorer::advance(State& state, size_t index) {
  Thread& thread = state.threads[index];
  while (const auto next = nodes_[thread.node].next) {
    if (next->kind == Access::Kind::load) {
      if (!specs_[index].writes) return;
      thread.seen[next->location] = static_cast<uint8_t>(state.messages[next->location] - 1);
      answer(thread, state.memory[next->location][thread.seen[next->location]].value);
      continue;
    }
    if (next->kind == Access::Kind::fence) {
      if (next->order == std::memory_order_acquire) join(thread.seen, thread.acquired);
      if (next->order == std::memory_order_release) {
        thread.released = thread.seen;
        ++thread.group;
      }
    } else {
      const uint8_t message = state.messages[next->location]++;
      if (message >= kMessages) throw std::out_of_range("more stores than the model has room for");
      thread.seen[next->location] = message;
      const bool release = next->order == std::memory_order_release;
      Message& stored = state.memory[next->location][message];
      stored = {next->value, 0, release ? thread.seen : thread.released};
      stored.view[next->location] = message;
      state.pending[state.pending_count++] = {next->location, message, thread.group, release};
    }
    answer(thread, 0);
  }
  const std::string wrong = specs_[index].judge(nodes_[thread.node].outcome, published(state));
  if (!wrong.empty()) complain(specs_[index].name + ": " + wrong);
  if (!specs_[index].writes) thread = Thread{0, Stage::ended, 0, {}, {}, {}, 0};
}

// A writer begins when the one before it has ended or died: it has waited for the lock, and sees what that one left.
void Explorer::begin_next_writer(State& state) {
  if (state.pending_count > 0) return;
  for (size_t i = 0; i < specs_.size(); ++i) {
    Thread& thread = state.threads[i];
    if (!specs_[i].writes) continue;
    if (thread.stage == Stage::running) thread = Thread{0, Stage::ended, 0, {}, {}, {}, 0};
    if (thread.stage != Stage::waiting) continue;
    thread.stage = Stage::running;
    for (size_t k = 0; k < kLocations; ++k) thread.seen[k] = static_cast<uint8_t>(state.messages[k] - 1);
    return advance(state, i);
  }
}

bool Explorer::may_become_visible(const State& state, uint32_t index) const {
  const Pending& store = state.pending[index];
  for (uint32_t i = 0; i < index; ++i) {
    const Pending& earlier = state.pending[i];
    if (earlier.location == store.location || earlier.group < store.group || store.release != 0) return false;
  }
  return true;
}

void Explorer::make_visible(State state, uint32_t index, size_t writer) {
  const Pending store = state.pending[index];
  Message& message = state.memory[store.location][store.message];
  message.visible = 1;
  std::copy(state.pending.begin() + index + 1, state.pending.begin() + state.pending_count,
            state.pending.begin() + index);
  state.pending[--state.pending_count] = Pending{};
  path_.push_back({Step::Kind::visible, writer, store.location, message.value});
  begin_next_writer(state);
  visit(state);
  path_.pop_back();
}

void Explorer::die(State state, size_t writer) {
  for (uint32_t i = 0; i < state.pending_count; ++i) {
    const Pending& store = state.pending[i];
    state.memory[store.location][store.message] = Message{};
    --state.messages[store.location];
  }
  std::fill(state.pending.begin(), state.pending.end(), Pending{});
  state.pending_count = 0;
  state.threads[writer] = Thread{0, Stage::dead, 0, {}, {}, {}, 0};
  path_.push_back({Step::Kind::death, writer, 0, 0});
  begin_next_writer(state);
  visit(state);
  path_.pop_back();
}

void Explorer::complain(const std::string& what) {
  if (!problem_.empty()) return;
  problem_ = what + "\n";
  for (const Step& step : path_) {
    problem_ += "  " + specs_[step.thread].name;
    if (step.kind == Step::Kind::death) {
      problem_ += " dies\n";
      continue;
    }
    problem_ += step.kind == Step::Kind::load ? " loads " : "'s store is visible: ";
    problem_ += location_name(step.location, limits_.words) + " = " + std::to_string(step.value) + "\n";
  }
}

}  // namespace pulse::model
