// What a beat reads from ProxySQL: one statement, one answer.
#pragma once

#include <string>

#include "scheduler/admin/admin_session.h"
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
// host group manager's, for a copy), stats_mysql_global (each thread's counters), and PostgreSQL's twins of the last
// two. Never stats_proxysql_servers_metrics: reading it can hang ProxySQL for good.
//
// With `pgsql`, `everything` is of PostgreSQL, too, which 2.7 knows nothing of: it refuses the statement as a whole.
std::string observe_statement(Look look, bool pgsql);

// Whether this is the refusal of a statement with PostgreSQL's tables by a ProxySQL without.
bool lacks_pgsql(const Error& error);

// Reads the answer. Fails if a row isn't as asked for or a part is missing. Of two protocols one may be off.
Result<Seen> parse_seen(const AdminResult& answer, Look look);

// The version that the answer gives; "" if it gives none.
std::string version_in(const AdminResult& answer);

}  // namespace pulse
