// Closes resting sessions one by one, in batches, each after a look of its own.
#pragma once

#include <cstdint>

#include "scheduler/drain/drain_target.h"
#include "scheduler/run/engine_clock.h"
#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

class SessionCloser {
 public:
  // Both must outlive this.
  SessionCloser(DrainedAdmin& admin, EngineClock& clock) : admin_(admin), clock_(clock) {}

  // One look and one batch of those that have rested for `rests`, up to `by`. Errors are the admin interface's.
  Result<void> close_some(milliseconds rests, Deadline by);

  int64_t closed() const { return closed_; }   // ever
  bool has_more() const { return has_more_; }  // after the last batch

 private:
  DrainedAdmin& admin_;
  EngineClock& clock_;
  int64_t closed_ = 0;
  bool has_more_ = false;
};

}  // namespace pulse
