// Starts of ProxySQL: told apart by the sockets that listen on its two ports, as the kernel numbers them. Pure.
//
// PROXYSQL PAUSE and RESUME, STOP and START make the MySQL port's sockets anew, LOAD ADMIN VARIABLES may do so with the
// admin port's. Both are new only after a start.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shm/segment/layout_proxysql.h"

namespace pulse {

// Who listens, by inode. No value: this look can't tell.
struct ListenersSeen {
  std::optional<std::vector<uint32_t>> mysql;
  std::optional<std::vector<uint32_t>> admin;  // empty also where ProxySQL has no such port on this machine
};

// Takes in a look. A new start is one whose sockets are all others than before, or that came after a look that found
// nothing. `paused`: the listener of the MySQL port is known to have been paused; where nothing is known of the admin
// port, nothing can be concluded then.
ProxysqlStart next_start(const ProxysqlStart& last, const ListenersSeen& seen, bool paused, int64_t now_ns);

// Whether what was seen at `at_ns` was the present ProxySQL. `started_ns` is when that one had started, reckoned from
// its uptime in whole seconds; 0: not known.
bool is_of(const ProxysqlStart& start, int64_t at_ns, int64_t started_ns = 0);

}  // namespace pulse
