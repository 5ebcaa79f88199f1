// What doctor asks ProxySQL's admin interface: a few statements, all of them SELECT, one after the other on one
// connection, under one deadline.
#pragma once

#include <string>

#include "scheduler/admin/admin_session.h"
#include "scheduler/doctor/seen.h"
#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// Tables with more rows in one place are counted and not compared, unless they are asked for by name.
inline constexpr size_t kMostComparedRows = 5000;

// Asks and fills in what is answered; `file` may be null. `only`: one module, in full, and nothing else. The tables, as
// reviewed for the beat (cluster/cluster_query.h) and for a drain (drain/drain_admin.cc); besides these the tables of
// the modules in memory, at runtime (which ProxySQL fills anew from its structures, under their locks, for a copy) and
// on disk, and the same of its scheduler. The first statement that isn't answered ends it: none is left behind it.
void ask_admin(AdminSession& session, const FileRows* file, const FileModule* only, Deadline deadline, AdminSeen& seen);

}  // namespace pulse
