// How a source of members fares: what its thread says, and the publisher of discovery reads.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/discovery/member_list.h"
#include "daemon/worker/call_watch.h"
#include "daemon/worker/wakeup.h"
#include "src/base/clock.h"

namespace pulse {

// Stamps are of boottime_ns(), 0 means never.
struct SourceLook {
  std::shared_ptr<const std::vector<Found>> found;  // null until the list was complete for the first time
  bool current = false;                             // the list is right for as long as nothing else is said
  int64_t ok_ns = 0;
  int64_t looked_ns = 0;
  int64_t failing_since_ns = 0;
  uint64_t failures = 0;  // ever
  std::string error;
};

// One side is for the source's own thread, the other for the publisher's; nothing waits.
class SourceStatus {
 public:
  explicit SourceStatus(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

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

  // The publisher's side: how it fares now. `stuck` is what CallWatch::look() says of the source's thread: one failure
  // more.
  SourceLook look(int64_t now_ns, const std::optional<CallWatch::Overdue>& stuck = std::nullopt);

 private:
  const std::shared_ptr<Wakeup> wakeup_;
  std::mutex mutex_;
  SourceLook look_;
  int64_t proof_ns_ = 0;  // when it is due
  bool proven_ = false;
};

// A source that runs in a thread of its own: both are shared, for the thread may be stuck and outlive all else.
struct SourceLink {
  std::shared_ptr<SourceStatus> status;
  std::shared_ptr<CallWatch> calls;
};

}  // namespace pulse
