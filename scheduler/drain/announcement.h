// A drain in the state segment: its lock, its announcement, its record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "scheduler/drain/drain_target.h"
#include "scheduler/run/engine_clock.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/lock.h"
#include "src/base/result.h"

namespace pulse {

// After the drain's own deadline: all that is left then is to say so.
inline constexpr milliseconds kDrainHardTimerSlack{250};
// Between two looks at what costs nothing.
inline constexpr milliseconds kPoll{10};

// The lock of drains, STATE.drain.lock: held by the one that runs, from its announcement to its end. Never waits.
Result<InstanceLock> try_drain_lock(const StateAccess& state, bool create = true);

// What another drain came to, as this one reports it.
struct JoinedDrain {
  int exit_code = 0;
  std::string message;
};

// Whether the drain of `record` has done the work of one that began at `began_boot_ns` and was to stop ProxySQL, or
// not: nothing if it was an earlier one, if it died, or if it ran with other flags. Pure.
std::optional<JoinedDrain> judge_joined(const DrainRecord& record, int64_t began_boot_ns, bool stops);

class Announcement final : public DrainNotice {
 public:
  // Both must outlive this.
  Announcement(StateAccess& state, EngineClock& clock) : state_(state), clock_(clock) {}

  // Takes the lock of drains without waiting; false if another drain has it. `create`: make its file if need be.
  Result<bool> take_lock(bool create);

  // Waits for the end of the drain that has the lock, says what came of it, and returns the exit code. Nothing if this
  // one is to do the work itself; it has the lock then.
  std::optional<int> join(int64_t began_boot_ns, bool stops, MonotonicTime deadline);

  DrainBefore announce(int64_t began_boot_ns) override;
  void hold_beats(Deadline by, int64_t until_boot_ns) override;
  void publish(const DrainRecord& record) override;

 private:
  template <class Access>
  void with_layout(Access access);

  StateAccess& state_;
  EngineClock& clock_;
  std::optional<InstanceLock> lock_;
  std::optional<InstanceLock> beats_lock_;
  int64_t began_boot_ns_ = 0;
  bool lost_ = false;  // the segment was cut short
};

}  // namespace pulse
