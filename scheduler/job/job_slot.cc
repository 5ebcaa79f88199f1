#include "scheduler/job/job_slot.h"

#include <algorithm>
#include <array>
#include <optional>

#include "shm/record/job_runs.h"
#include "shm/segment/segment.h"
#include "src/config/jobs.h"

namespace pulse {

namespace {

// Makes the slot of owner `before` that of the job of this name. False if it has become another's meanwhile.
bool take_over(JobSlot& slot, uint64_t before, std::string_view name) {
  JobState fresh{};
  set_text(fresh.name, name);
  bool taken = false;
  const bool mapped = guarded([&] {
    taken = slot.owner.compare_exchange_strong(before, job_key(name));
    if (!taken) return;
    slot.skipped_busy.store(0, std::memory_order_relaxed);
    slot.skipped_not_leader.store(0, std::memory_order_relaxed);
    slot.skipped_ns.store(0, std::memory_order_relaxed);
    slot.end_mark.store(0, std::memory_order_relaxed);
    slot.state.publish(fresh);
  });
  return mapped && taken;
}

std::string lock_suffix(std::string_view name) { return ".job." + std::string(name) + ".lock"; }

struct Occupant {
  JobSlot* slot;
  JobState state;
};

}  // namespace

std::string job_lock_path(const StateAccess& state, std::string_view name) { return state.path() + lock_suffix(name); }

Result<InstanceLock> try_lock_job(const StateAccess& state, std::string_view name) {
  return InstanceLock::try_take(state.path(), state.group(), true, lock_suffix(name).c_str());
}

JobSlot* find_job_slot(Layout& layout, std::string_view name) {
  JobSlot* found = nullptr;
  const bool mapped = guarded([&] {
    for (JobSlot& slot : layout.jobs) {
      if (slot.owner.load(std::memory_order_acquire) == job_key(name)) found = &slot;
    }
  });
  return mapped ? found : nullptr;
}

JobSlot* claim_job_slot(Layout& layout, const StateAccess& state, std::string_view name) {
  if (JobSlot* const found = find_job_slot(layout, name)) return found;
  for (JobSlot& slot : layout.jobs) {
    if (take_over(slot, 0, name)) return &slot;
  }
  std::array<Occupant, kJobSlots> occupants{};
  const bool mapped = guarded([&] {
    for (size_t i = 0; i < kJobSlots; ++i) {
      occupants[i].slot = &layout.jobs[i];
      if (!layout.jobs[i].state.read(occupants[i].state)) occupants[i].state = JobState{};
    }
  });
  if (!mapped) return nullptr;
  std::sort(occupants.begin(), occupants.end(),
            [](const Occupant& a, const Occupant& b) { return a.state.began_ns < b.state.began_ns; });
  for (const Occupant& occupant : occupants) {
    const std::string other(text(occupant.state.name));
    if (!is_job_name(other)) continue;  // is being claimed at this moment
    // With its lock, no guard of that name writes to the slot, and none will.
    const auto lock = try_lock_job(state, other);
    if (lock && lock->taken() && take_over(*occupant.slot, job_key(other), name)) return occupant.slot;
  }
  return nullptr;
}

}  // namespace pulse
