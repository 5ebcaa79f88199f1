// What the kernel's socket table says about one local TCP port, in this network namespace. Reading it makes no
// connection, and the program behind the port notices nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

struct ListenState {
  bool listening = false;
  uint32_t sockets = 0;           // listening ones: more than one with SO_REUSEPORT, or one per address
  uint32_t accept_queue = 0;      // connections that wait for accept(2), over all of them
  uint32_t accept_queue_max = 0;  // the sum of the backlogs; 0 if unknown, as with SocketSource::proc
  std::vector<uint32_t> inodes;   // of the sockets
  std::vector<uint32_t> users;    // who opened them, in the same order
};

enum class SocketSource {
  automatic,  // netlink, and proc where that is refused (seccomp) or not built in (gVisor)
  netlink,    // NETLINK_SOCK_DIAG: the kernel skips the other ports' sockets
  proc,       // /proc/net/tcp and tcp6: text of every socket there is
};

// Both families count, and an IPv4 connection to an IPv6 socket counts once. The error's code is the errno, ETIMEDOUT
// if the deadline passed. With a numeric `address`, only what listens on it or on all addresses counts; any other text
// means every address.
Result<ListenState> read_listen_state(uint16_t port, Deadline deadline, SocketSource source = SocketSource::automatic,
                                      const std::string& address = "");

// Finds the listening socket that a connection to an address would meet. The kernel finds one at once, where it walks
// through its whole table for read_listen_state(), whose size goes by the machine's memory. By netlink alone, by one
// socket that stays open. Of one thread.
class ListenerFinder {
 public:
  // Opens the socket; find() tries again if that fails.
  ListenerFinder();

  // `address`: a numeric one of this host, or all of them ("0.0.0.0", "::"); EINVAL for a name. With SO_REUSEPORT it is
  // one socket of several.
  Result<ListenState> find(uint16_t port, const std::string& address, Deadline deadline);

 private:
  UniqueFd socket_;
  uint32_t sequence_ = 0;
};

// Established connections whose local port is `port`: those of its clients, accepted or still queued. Not the sockets
// of clients on this host, whose remote port it is.
Result<uint32_t> count_established(uint16_t port, Deadline deadline, SocketSource source = SocketSource::automatic);

// The addresses, each once, of the other hosts that have an established connection to `port`.
Result<std::vector<std::string>> remote_hosts(uint16_t port, Deadline deadline,
                                              SocketSource source = SocketSource::automatic);

// The inode numbers of the sockets that listen on `port` (and `address`, as above), as /proc/PID/fd names them: who has
// one of them open, listens.
Result<std::vector<uint32_t>> listening_inodes(uint16_t port, Deadline deadline,
                                               SocketSource source = SocketSource::automatic,
                                               const std::string& address = "");

}  // namespace pulse
