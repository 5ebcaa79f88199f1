// A job's place in the state segment, and its lock.
#pragma once

#include <string>
#include <string_view>

#include "scheduler/run/state_access.h"
#include "shm/segment/lock.h"

namespace pulse {

// Takes the lock of the job of that name, STATE.job.NAME.lock, without waiting; see InstanceLock.
Result<InstanceLock> try_lock_job(const StateAccess& state, std::string_view name);
std::string job_lock_path(const StateAccess& state, std::string_view name);

// The job's slot; null if it has none, or if the segment was cut short.
JobSlot* find_job_slot(Layout& layout, std::string_view name);

// The job's slot, or a new one: a free one, or that of the job that has been idle for longest. The caller holds the
// job's lock and has until it lets go of it the one right to write the slot's state. Null if all others run, or if the
// segment was cut short.
JobSlot* claim_job_slot(Layout& layout, const StateAccess& state, std::string_view name);

}  // namespace pulse
