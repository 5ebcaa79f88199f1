#include "src/linux/interfaces.h"

#include <set>

#include "src/base/host_port.h"
#include "src/linux/unix_sockets.h"

namespace pulse {

std::string show(const MysqlInterface& interface) {
  return interface.is_socket() ? interface.host : host_port_text(interface.host, interface.port);
}

Result<ListenState> read_listen_state(const MysqlInterface& interface, Deadline deadline) {
  if (!interface.is_socket()) {
    return read_listen_state(static_cast<uint16_t>(interface.port), deadline, SocketSource::automatic, interface.host);
  }
  auto inodes = listening_unix_inodes(interface.host, deadline);
  if (!inodes) return inodes.error();
  ListenState state;
  state.listening = !inodes->empty();
  state.sockets = static_cast<uint32_t>(inodes->size());
  state.inodes = std::move(*inodes);
  return state;
}

Result<uint32_t> count_established(const std::vector<MysqlInterface>& interfaces, Deadline deadline) {
  uint32_t sum = 0;
  std::set<int64_t> ports;
  for (const MysqlInterface& interface : interfaces) {
    if (!interface.is_socket() && !ports.insert(interface.port).second) continue;
    const auto count = interface.is_socket() ? count_unix_clients(interface.host, deadline)
                                             : count_established(static_cast<uint16_t>(interface.port), deadline);
    if (!count) return count.error();
    sum += *count;
  }
  return sum;
}

Result<std::vector<uint32_t>> listening_inodes(const std::vector<MysqlInterface>& interfaces, Deadline deadline) {
  std::vector<uint32_t> inodes;
  for (const MysqlInterface& interface : interfaces) {
    const auto state = read_listen_state(interface, deadline);
    if (!state) return state.error();
    inodes.insert(inodes.end(), state->inodes.begin(), state->inodes.end());
  }
  return inodes;
}

}  // namespace pulse
