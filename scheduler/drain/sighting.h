// What a drain reads through the admin interface. Pure.
#pragma once

#include <string>

#include "scheduler/admin/admin_session.h"
#include "scheduler/drain/drain_target.h"
#include "src/base/result.h"

namespace pulse {

// Tables as reviewed for the beat (cluster/cluster_query.h), and runtime_global_variables: its lower-case name makes
// ProxySQL fill it anew, 0.6 to 1 ms under the admin mutex. With `pgsql` also stats_pgsql_global, which is filled as
// stats_mysql_global is; 2.7 hasn't got it.
std::string look_statement(bool pgsql);

// Fails if neither protocol is there, or if the uptime is missing. A protocol that is off has no rows.
Result<Sighting> sighting_of(const AdminResult& answer);

// What is to be restored of a protocol: what was there first (`wait_ms` is -1 until then), or what a core has loaded
// meanwhile. Lowered by a drain, both variables are what that has set. False if somebody has raised them since.
bool remember_found(const ListenerSight& seen, int64_t lowered_to_ms, int64_t& wait_ms, int64_t& poll_ms);

}  // namespace pulse
