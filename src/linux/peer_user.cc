#include "src/linux/peer_user.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "src/base/unique_fd.h"

namespace pulse {

namespace {

const char* const kWhat = "ask the kernel whose the other end of a connection is";

// One end as its family has it: an IPv4 connection of an IPv6 socket as IPv4.
struct End {
  int family = AF_UNSPEC;
  std::array<uint32_t, 4> address{};  // in network order; IPv4 has one word
  uint16_t port = 0;                  // in network order
};

End end_of(const sockaddr_storage& from) {
  End end;
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    end = {AF_INET, {v4.sin_addr.s_addr}, v4.sin_port};
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    end.port = v6.sin6_port;
    end.family = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? AF_INET : AF_INET6;
    const size_t skipped = end.family == AF_INET ? 12 : 0;
    std::memcpy(end.address.data(), &v6.sin6_addr.s6_addr[skipped], 16 - skipped);
  }
  return end;
}

bool ends_of(int socket, End& own, End& other) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  own = end_of(address);
  address = {};
  length = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  other = end_of(address);
  return own.family == other.family && own.family != AF_UNSPEC;
}

bool is_loopback(const End& end) {
  if (end.family == AF_INET) return end.address[0] == htonl(INADDR_LOOPBACK);
  return std::memcmp(end.address.data(), &in6addr_loopback, sizeof in6addr_loopback) == 0;
}

// A socket without an inode belongs to no process any more, and is shown as root's.
Result<uid_t> user_of(uint8_t state, uid_t user, uint64_t inode) {
  if (state != TCP_ESTABLISHED || inode == 0) return Error{"its connection has no process at the other end", ENOENT};
  return user;
}

// A question about exactly one socket: the kernel looks it up and walks no table.
Result<uid_t> ask_netlink(const End& own, const End& other, Deadline deadline) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  if (!netlink) return system_error(kWhat, errno);
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST;
  message.request.sdiag_family = static_cast<uint8_t>(own.family);
  message.request.sdiag_protocol = IPPROTO_TCP;
  message.request.idiag_states = ~0u;
  inet_diag_sockid& id = message.request.id;
  id.idiag_sport = other.port;
  id.idiag_dport = own.port;
  std::memcpy(id.idiag_src, other.address.data(), sizeof id.idiag_src);
  std::memcpy(id.idiag_dst, own.address.data(), sizeof id.idiag_dst);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(netlink.get(), &message, sizeof message, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) <
      0) {
    return system_error(kWhat, errno);
  }
  for (;;) {
    pollfd waiting{netlink.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, deadline.poll_timeout_ms());
    if (ready == 0 || (ready < 0 && errno != EINTR)) return system_error(kWhat, ready == 0 ? ETIMEDOUT : errno);
    alignas(nlmsghdr) std::array<char, 4096> answer;
    sockaddr_nl from{};
    socklen_t length = sizeof from;
    const ssize_t size =
        ::recvfrom(netlink.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return system_error(kWhat, errno);
    if (size < 0 || from.nl_pid != 0) continue;  // another process; only the kernel has port id 0
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
    if (!NLMSG_OK(header, static_cast<unsigned>(size))) return system_error(kWhat, EPROTO);
    if (header->nlmsg_type == NLMSG_ERROR) {
      int failure = 0;
      if (header->nlmsg_len >= NLMSG_LENGTH(sizeof failure)) std::memcpy(&failure, NLMSG_DATA(header), sizeof failure);
      return system_error(kWhat, -failure);
    }
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) return system_error(kWhat, EPROTO);
    inet_diag_msg found{};
    std::memcpy(&found, NLMSG_DATA(header), sizeof found);
    if (found.id.idiag_sport != other.port || found.id.idiag_dport != own.port) return system_error(kWhat, ENOENT);
    return user_of(found.idiag_state, found.idiag_uid, found.idiag_inode);
  }
}

// As /proc/net/tcp and tcp6 show it: the address's words as numbers of this machine, the port as a number.
std::string proc_text(const End& end, bool as_v6) {
  std::string text;
  std::array<char, 16> part{};
  const auto add = [&](const char* format, uint32_t value) {
    std::snprintf(part.data(), part.size(), format, value);
    text += part.data();
  };
  if (as_v6 && end.family == AF_INET) {
    for (const uint32_t word : {0u, 0u, htonl(0xFFFF)}) add("%08X", word);
  }
  const size_t words = end.family == AF_INET ? 1 : 4;
  for (size_t i = 0; i < words; ++i) add("%08X", end.address[i]);
  add(":%04X", ntohs(end.port));
  return text;
}

Result<uid_t> read_proc(const End& own, const End& other, Deadline deadline) {
  for (const bool v6 : {false, true}) {
    if (!v6 && own.family != AF_INET) continue;
    const std::string local = proc_text(other, v6);
    const std::string remote = proc_text(own, v6);
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(v6 ? "/proc/net/tcp6" : "/proc/net/tcp", "re"),
                                                     std::fclose);
    std::array<char, 512> line;
    while (file && std::fgets(line.data(), static_cast<int>(line.size()), file.get()) != nullptr) {
      if (deadline.passed()) return system_error(kWhat, ETIMEDOUT);
      // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
      std::array<char, 64> from, to;
      unsigned state = 0;
      unsigned user = 0;
      unsigned long long inode = 0;
      const int fields = std::sscanf(line.data(), " %*s %63s %63s %x %*s %*s %*s %u %*s %llu", from.data(), to.data(),
                                     &state, &user, &inode);
      if (fields != 5 || local != from.data() || remote != to.data()) continue;
      return user_of(static_cast<uint8_t>(state), user, inode);
    }
  }
  return system_error(kWhat, ENOENT);
}

}  // namespace

bool is_plain_loopback(int socket) {
  End own, other;
  return ends_of(socket, own, other) && is_loopback(own) && is_loopback(other);
}

Result<uid_t> user_at_other_end(int socket, Deadline deadline, SocketSource source) {
  End own, other;
  if (!ends_of(socket, own, other)) return system_error(kWhat, ENOTCONN);
  if (source != SocketSource::proc) {
    auto user = ask_netlink(own, other, deadline);
    if (user || source == SocketSource::netlink || user.error().code == ENOENT) return user;
  }
  return read_proc(own, other, deadline);
}

}  // namespace pulse
