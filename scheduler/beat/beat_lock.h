// The first step of a beat: the lock that makes beats one at a time, and the end of a holder that outlived its
// deadline.
#pragma once

#include <string>

#include "scheduler/beat/beat_system.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// Whether the holder is past its own deadline, where its timer should have ended it: stopped, or stuck in the kernel.
bool is_overdue(const Holder& holder, BootTime now);

// "a beat that was 300 ms past its deadline in phase connect (pid 7)"
std::string overdue_text(const Holder& holder, Phase phase, BootTime now);

class BeatLock {
 public:
  BeatLock(BeatSystem& system, GuardedLayout& layout, BootTime began)
      : system_(system), layout_(layout), began_(began) {}

  // Takes the lock without waiting. If its holder is overdue: kills that very process, says so and tries once more. A
  // holder of another pid namespace is left alone: its pid is another process's here.
  // False: another beat runs, which is counted, and said if it is another user's. An error: no kind of lock can be had.
  Result<bool> take();

  // Whether take() has killed the holder.
  bool killed_holder() const { return killed_; }

 private:
  void count_busy();
  void tell_problem();
  bool end_overdue_holder();
  Phase mark_overdue();

  BeatSystem& system_;
  GuardedLayout& layout_;
  const BootTime began_;
  bool killed_ = false;
};

}  // namespace pulse
