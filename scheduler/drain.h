// proxysql-pulse drain and undrain: takes one ProxySQL out of service without cutting anybody off, and back.
#pragma once

#include "scheduler/options.h"
#include "shm/layout.h"
#include "src/admin_client.h"
#include "src/clock.h"
#include "src/result.h"

namespace pulse {

// Announces the drain in the segment, lets clients leave, and shuts ProxySQL down (docs/drain.md). One at a time: a
// second one waits for the first and reports what came of it. Bounded by drain.timeout_ms, whatever hangs.
int run_drain(const Options& options);

// Puts a ProxySQL that was drained and runs on back into service.
int run_undrain(const Options& options);

// Where the lock of drains lies: held by the one that runs, from its announcement to its end.
std::string drain_lock_path(const std::string& state_path);

// Restores what the drain of `record` changed in the ProxySQL behind `client`: its two variables, and the listeners if
// it paused them.
Result<void> undo_drain(AdminClient& client, const DrainRecord& record, Deadline deadline);

}  // namespace pulse
