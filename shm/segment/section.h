// One published value in the segment: a double buffer with a generation. One writer, any number of readers.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pulse {

static_assert(std::atomic<uint64_t>::is_always_lock_free, "the segment is shared between processes");

// How a Section touches memory. tests/model puts a modelled memory in its place and tries every order of events.
struct SharedMemory {
  using Word = std::atomic<uint64_t>;
  static void fence(std::memory_order order) { std::atomic_thread_fence(order); }
};

// The writer fills the copy that nobody is told to read, then names it current with one store. So a writer that is
// killed half-way has changed nothing, and no reader ever waits. The payload moves as relaxed atomic words: a plain
// memcpy would be a data race. All zero bytes are a valid Section whose value is a T of zero bytes.
template <class T, class Memory = SharedMemory>
class Section {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(sizeof(T) % sizeof(uint64_t) == 0, "pad the payload to whole words");

 public:
  static constexpr size_t kWords = sizeof(T) / sizeof(uint64_t);
  static constexpr int kTries = 1000;

  // Makes `value` the current one. Only the section's one writer may call this (the lock's holder, or the daemon).
  void publish(const T& value) { publish_part(value, sizeof(T)); }

  // The same for the first `bytes` of a value that says itself, in them, that nothing else of it counts: what readers
  // find beyond them is of an earlier one.
  void publish_part(const T& value, size_t bytes) {
    const size_t words = (std::min(bytes, sizeof(T)) + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    const uint64_t generation = generation_.load(std::memory_order_relaxed);
    // The words below must not become visible before the generation that made their copy the inactive one.
    Memory::fence(std::memory_order_release);
    auto& copy = copies_[(generation + 1) & 1];
    uint64_t word;
    for (size_t i = 0; i < words; ++i) {
      std::memcpy(&word, reinterpret_cast<const char*>(&value) + i * sizeof word, sizeof word);
      copy[i].store(word, std::memory_order_relaxed);
    }
    generation_.store(generation + 1, std::memory_order_release);
  }

  // Copies the current value to `out`. False if a writer overtook this reader on every one of kTries tries, which takes
  // a writer that publishes without pause; `out` is then unspecified.
  [[nodiscard]] bool read(T& out) const {
    return read_part(out, sizeof(T), [](const T&) { return sizeof(T); });
  }

  // The same for no more than is needed of a large value: copies `head` bytes, then asks `bytes(out)` how many from
  // the beginning are wanted, at least `head`. What lies beyond them in `out` stays as it was.
  template <class Bytes>
  [[nodiscard]] bool read_part(T& out, size_t head, Bytes&& bytes) const {
    for (int tries = 0; tries < kTries; ++tries) {
      const uint64_t generation = generation_.load(std::memory_order_acquire);
      const auto& copy = copies_[generation & 1];
      const size_t head_words = (std::min(head, sizeof(T)) + sizeof(uint64_t) - 1) / sizeof(uint64_t);
      copy_words(copy, out, 0, head_words);
      const size_t wanted = std::min<size_t>(bytes(static_cast<const T&>(out)), sizeof(T));
      copy_words(copy, out, head_words, (wanted + sizeof(uint64_t) - 1) / sizeof(uint64_t));
      Memory::fence(std::memory_order_acquire);
      if (generation_.load(std::memory_order_relaxed) == generation) return true;
    }
    return false;
  }

  // Another one after each publish(). With it come all words that were written before.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  using Copy = std::array<typename Memory::Word, kWords>;

  static void copy_words(const Copy& copy, T& out, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      const uint64_t word = copy[i].load(std::memory_order_relaxed);
      std::memcpy(reinterpret_cast<char*>(&out) + i * sizeof word, &word, sizeof word);
    }
  }

  typename Memory::Word generation_;
  std::array<Copy, 2> copies_;
};

}  // namespace pulse
