// Watches a thread whose calls may never return: bounds its waits, shows in time that an answer is overdue, and ends
// it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {

// Shared by the thread and those who watch it: a thread that is stuck in a resolver outlives all else. Nothing waits
// but pause() and wait_ended().
class CallWatch {
 public:
  // The thread's side.

  // An answer is due within `span`, else a failure `error` shows until nothing_due(), or expect() again. The socket of
  // expect_on(), of which a copy is kept, is shut down then.
  void expect(std::string error, nanoseconds span);
  void expect_on(int socket);
  void nothing_due();
  // Whether the socket was shut down since the last expect().
  bool was_cut();
  // Waits. False if the thread is to end.
  bool pause(nanoseconds span);
  bool stopping();
  // The last thing the thread says.
  void ended();

  // The watcher's side.

  struct Overdue {
    std::string error;
    int64_t since_ns = 0;  // of boottime_ns()
  };
  // Cuts a call that is overdue. A thread whose call was cut says so itself at once; one that is stuck beyond that
  // can't, and is what this returns.
  std::optional<Overdue> look(int64_t now_ns);
  // Asks the thread to end. What it waits for goes on.
  void ask_to_end();
  // The same, and cuts what it waits for, also what it begins to wait for later.
  void stop();
  // Waits for ended(), for `span` at most.
  bool wait_ended(nanoseconds span);

 private:
  void cut();

  std::mutex mutex_;
  std::condition_variable condition_;
  std::string due_error_;
  int64_t due_ns_ = 0;  // 0: nothing is
  UniqueFd socket_;
  bool cut_ = false;
  bool stopping_ = false;
  bool cuts_all_ = false;
  bool ended_ = false;
};

}  // namespace pulse
