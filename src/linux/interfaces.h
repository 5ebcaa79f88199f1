// ProxySQL's interfaces for clients, TCP ports and unix sockets, as the kernel's tables show them. Nobody is connected
// to, and ProxySQL notices nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"
#include "src/linux/socket_table.h"

namespace pulse {

// "10.0.0.1:6033", or the path.
std::string show(const MysqlInterface& interface);

// Of a unix socket the accept queue isn't known: 0. Errors as in socket_table.h.
Result<ListenState> read_listen_state(const MysqlInterface& interface, Deadline deadline);

// Established connections to any of them; several interfaces with one port count once.
Result<uint32_t> count_established(const std::vector<MysqlInterface>& interfaces, Deadline deadline);

// The inodes of the sockets that listen, of all of them.
Result<std::vector<uint32_t>> listening_inodes(const std::vector<MysqlInterface>& interfaces, Deadline deadline);

}  // namespace pulse
