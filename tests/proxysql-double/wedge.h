// The two ways in which an admin interface hangs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace proxysql_double {

// Thread-safe.
class Wedge {
 public:
  enum class Kind { none = 0, statements = 1, accept_loop = 2 };

  // Kind 1: a thread of its own takes `statement_mutex` and keeps it for `span`, or until release() if 0.
  // Returns when the mutex is held, at the latest after one second.
  void hold_statements(std::mutex& statement_mutex, std::chrono::milliseconds span);
  // Kind 2: the accept loop stops where it calls pass().
  void stop_accept_loop();
  void release();

  Kind kind() const;
  // Blocks while kind 2 is on.
  void pass();
  // Blocks until the next release(): a statement that never ends.
  void hang();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Kind kind_ = Kind::none;
  uint64_t releases_ = 0;
};

}  // namespace proxysql_double
