// Whether a module's memory is what ProxySQL serves.
#pragma once

#include "scheduler/admin/admin_session.h"
#include "src/config/modules.h"

namespace pulse {

// A table with more rows than this isn't compared: a beat has some seconds.
inline constexpr size_t kMostServedRows = 20'000;

// Reads all of the module's tables in memory and at runtime. An error with code EAGAIN says what is different, or why
// that can't be told; any other one is ProxySQL's or the conversation's. Locks: the runtime tables take, for a copy,
// the host group manager's, the users' or the query rules', each as a doctor's look does.
Result<void> compare_with_runtime(AdminSession& session, const FileModule& module, Deadline deadline);

}  // namespace pulse
