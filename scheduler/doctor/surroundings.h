// What doctor looks at outside of ProxySQL's admin interface: the process, who is connected, the daemon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/doctor/seen.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"

namespace pulse {

// ProxySQL's process by the socket that listens on its admin port, its threads watched for a tenth of a second.
ProcessSeen look_at_process(const Config& config, Deadline deadline);

// One connection of the texts of /proc/net/tcp and tcp6. Those that aren't established are left out.
struct TcpRow {
  std::string local;  // address without brackets, IPv4 also where an IPv6 socket has it
  uint16_t local_port = 0;
  std::string remote;
  uint16_t remote_port = 0;
  uint32_t inode = 0;
};
std::vector<TcpRow> parse_tcp_table(std::string_view text);

// Who is connected to the admin port. At most kMostConnections of them, without this process's own.
inline constexpr size_t kMostConnections = 5;
std::vector<AdminConnection> look_at_connections(const Config& config, Deadline deadline);

// What this node's daemon says of itself; nobody is asked where the configuration doesn't say where it listens.
DaemonSeen ask_daemon(const Config& config, Deadline deadline);

// The addresses of this host's interfaces.
std::vector<std::string> own_addresses();

// All addresses of a name. The resolver itself takes no deadline: it goes on in a thread of its own, which the
// process's end takes along.
Result<std::vector<std::string>> resolve_within(const std::string& host, Deadline deadline);

}  // namespace pulse
