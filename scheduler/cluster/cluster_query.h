// What a beat reads from ProxySQL: one statement, one answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "scheduler/admin/admin_client.h"
#include "scheduler/cluster/cluster_rows.h"
#include "shm/segment/layout.h"
#include "src/base/result.h"

namespace pulse {

// The two statements. `cluster` reads what a plan is made of, with every beat; `everything` also what only reports
// need: ProxySQL takes milliseconds for these tables, under its admin mutex, and the host group manager's lock.
enum class Look { cluster, everything };

// The tables, each reviewed for the locks that reading it takes: proxysql_servers (memory, none),
// runtime_proxysql_servers and stats_proxysql_servers_checksums (the cluster's, for a copy), runtime_checksums_values
// (the checksums'); and with everything, in upper case, GLOBAL_VARIABLES (memory, none), runtime_mysql_servers (the
// host group manager's, for a copy), stats_mysql_global (each thread's counters). Never
// stats_proxysql_servers_metrics: reading it can hang ProxySQL for good.
std::string observe_statement(Look look);

// How often everything is looked at.
inline constexpr std::chrono::seconds kEverythingEvery{10};

// What to look at, given the last observation: everything if that is due, or if another ProxySQL seems to run by now.
// `connection_id` is the present connection's.
Look what_to_look_at(const Observation& last, uint64_t connection_id, int64_t now_ns);

// Whether a module's version has changed since the last observation: something was loaded, or this is another boot of
// ProxySQL. Everything is worth a look then.
bool has_loaded(const Seen& seen, const Observation& last);

// Reads the answer. Fails if a row isn't as asked for or a part is missing.
Result<Seen> parse_seen(const AdminResult& answer, Look look);

// Gives each server at runtime the first_seen_ns that the last observation has of it, if that was of the same boot of
// ProxySQL, else `now_ns`: a ProxySQL that has just started hasn't failed to reach anybody yet.
void carry_first_seen(Seen& seen, const Observation& last, int64_t now_ns);

// As published to the segment. `last` is the observation before it: of the same ProxySQL boot, once configured is
// configured.
Observation to_observation(const Seen& seen, const Observation& last, int64_t now_ns,
                           std::chrono::milliseconds peer_timeout, bool is_core);

// The hostgroups of a look at everything, as published. With more than kHostgroups, those with the lowest numbers; the
// counts are of all.
Hostgroups to_hostgroups(const Seen& seen, int64_t now_ns);

}  // namespace pulse
