// The other nodes of proxysql_servers, as seen from here.
#pragma once

#include <vector>

#include "scheduler/doctor/seen.h"
#include "scheduler/status/node_status.h"
#include "src/base/clock.h"

namespace pulse {

// All rows of proxysql_servers but this node's own. Each one's daemon is asked for its status, where it answers by
// HTTP. Those that ProxySQL doesn't reach are logged in to as it would do it, kMostLogins of them, and no statement is
// ever sent there: a login takes no lock, so it leaves nothing behind in an admin interface that hangs.
inline constexpr size_t kMostLogins = 6;
std::vector<PeerSeen> look_at_peers(const NodeStatus& node, const AdminSeen& admin, Deadline deadline);

// How a login has ended.
AdminSeen::Login login_of(const Error& error);

}  // namespace pulse
