// What the double was asked, for tests to look at.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kubernetes_double {

enum class RequestKind { list, watch, lease, apps, other };
const char* to_text(RequestKind kind);

struct JournalEntry {
  uint64_t number = 0;  // from 1, never reset
  int64_t unix_ms = 0;
  RequestKind kind = RequestKind::other;
  std::string target;  // path and query
  std::string user_agent;
  int status = 0;  // 0: not answered (yet)
};

// Thread-safe.
class Journal {
 public:
  uint64_t begin(RequestKind kind, std::string_view target, std::string_view user_agent);
  void answered(uint64_t number, int status);

  // The entries after that number; the last 10,000 are kept.
  std::vector<JournalEntry> since(uint64_t number) const;
  uint64_t last_number() const;
  std::string last_user_agent() const;
  std::map<RequestKind, uint64_t> by_kind() const;

  // Counters begin again; numbers go on.
  void reset();

  std::atomic<uint64_t> pages{0};      // answers that were a PodList
  std::atomic<uint64_t> events{0};     // sent to watches
  std::atomic<uint64_t> bytes_in{0};   // inside TLS
  std::atomic<uint64_t> bytes_out{0};  // inside TLS
  std::atomic<uint64_t> unauthorized{0};
  std::atomic<uint64_t> connections_total{0};
  std::atomic<uint64_t> handshakes_failed{0};
  std::atomic<int64_t> connections_now{0};
  std::atomic<int64_t> watches_open{0};

 private:
  mutable std::mutex mutex_;
  std::deque<JournalEntry> entries_;
  uint64_t last_number_ = 0;
  std::map<RequestKind, uint64_t> by_kind_;
};

// Counts itself while it lives.
class Counted {
 public:
  explicit Counted(std::atomic<int64_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<int64_t>& count_;
};

}  // namespace kubernetes_double
