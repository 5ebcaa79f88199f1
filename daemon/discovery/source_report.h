// What the thread of a source and the publisher of discovery say to each other.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/discovery/member_list.h"
#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {

// Wakes the publisher. Shared, for a thread that is stuck in a resolver outlives all else.
class Wakeup {
 public:
  void wake();
  // Waits for wake(), which is remembered, for `span` at most. Whether it came.
  bool wait(nanoseconds span);

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
};

// How a source fares. Stamps are of boottime_ns(), 0 means never.
struct SourceLook {
  std::shared_ptr<const std::vector<Found>> found;  // null until the list was complete for the first time
  bool current = false;                             // the list is right for as long as nothing else is said
  int64_t ok_ns = 0;
  int64_t looked_ns = 0;
  int64_t failing_since_ns = 0;
  uint64_t failures = 0;  // ever
  std::string error;
};

// One source's side is for its own thread, the other for the publisher's; nothing waits but pause().
class SourceReport {
 public:
  explicit SourceReport(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

  // The source's side.

  // The list as it is now, complete; `right` unless a part of it couldn't be looked at. Doesn't end a row of failures:
  // good() does.
  void found(std::vector<Found> list, bool right = true);
  // A good look: what was wrong is over.
  void good();
  // The list is known to be right, and stays so until failed() or lapse().
  void hold();
  void lapse();
  void failed(std::string error);
  // If nothing fails for `span` from now, that is hold() and good(); take_proof() tells whether it came to that.
  void prove_after(nanoseconds span);
  bool take_proof();
  // Something came, whatever it was.
  void looked();
  // An answer is due within `span`, else a failure `error` shows until one comes, or expect() again. `socket`, if it
  // isn't -1, is shut down then; a copy of the descriptor is kept.
  void expect(std::string error, nanoseconds span);
  void expect_on(int socket);
  void nothing_due();
  // Whether the socket was shut down since the last expect().
  bool was_cut();
  // Waits. False if the daemon is to stop.
  bool pause(nanoseconds span);
  bool stopping();
  // The last thing a source's thread says.
  void ended();

  // The publisher's side.

  // How it fares now; cuts what is overdue.
  SourceLook look(int64_t now_ns);
  // Asks the source to end, and cuts what it waits for.
  void stop();
  // Waits for ended(), for `span` at most.
  bool wait_ended(nanoseconds span);

 private:
  void cut();

  const std::shared_ptr<Wakeup> wakeup_;
  std::mutex mutex_;
  std::condition_variable condition_;
  SourceLook look_;
  std::string due_error_;
  int64_t due_ns_ = 0;
  int64_t proof_ns_ = 0;  // when it is due
  bool proven_ = false;
  UniqueFd socket_;
  bool cut_ = false;
  bool stopping_ = false;
  bool ended_ = false;
};

}  // namespace pulse
