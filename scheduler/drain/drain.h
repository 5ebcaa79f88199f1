// proxysql-pulse drain and undrain: takes one ProxySQL out of service without cutting anybody off, and back.
#pragma once

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/layout.h"
#include "shm/segment/lock.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"

namespace pulse {

// Announces the drain in the segment, lets clients leave, and shuts ProxySQL down (docs/drain.md). One at a time: a
// second one waits for the first and reports what came of it. Bounded by drain.timeout_ms, whatever hangs.
int run_drain(const Options& options);

// Puts a ProxySQL that was drained and runs on back into service.
int run_undrain(const Options& options);

// The lock of drains, STATE.drain.lock: held by the one that runs, from its announcement to its end. Never waits.
Result<InstanceLock> try_drain_lock(const StateAccess& state, bool create = true);

// Restores what the drain of `record` changed in ProxySQL: its two variables, and the listeners if it paused them.
Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline);

extern const Command kDrainCommand;
extern const Command kUndrainCommand;

}  // namespace pulse
