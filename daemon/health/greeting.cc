#include "daemon/health/greeting.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "src/base/host_port.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"
#include "src/linux/interfaces.h"

namespace pulse {
namespace {

constexpr size_t kLongestGreeting = 4096;  // real ones have about 100 bytes

// MySQL's.
constexpr size_t kPacketHeader = 4;  // three bytes of length, little-endian, and the sequence number
constexpr unsigned char kProtocolVersion = 10;
constexpr unsigned char kErrPacket = 0xff;

// PostgreSQL's.
constexpr std::array<unsigned char, 8> kSslRequest = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};  // length, code 80877103
constexpr size_t kMessageLength = 4;  // big-endian, counts itself; the type of the message comes before it

// Waits until the socket is ready for `events`. The errno, or 0.
int await(int socket, short events, Deadline deadline) {
  while (true) {
    pollfd waiting{socket, events, 0};
    const int ready = ::poll(&waiting, 1, deadline.poll_timeout_ms());
    // Also a peer that always has one more byte is held to it.
    if (deadline.passed()) return ETIMEDOUT;
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
  }
}

// Reads exactly `size` bytes. The errno; ENODATA if the peer ended the connection before.
int read_fully(int socket, unsigned char* target, size_t size, Deadline deadline) {
  for (size_t have = 0; have < size;) {
    if (const int failure = await(socket, POLLIN, deadline); failure != 0) return failure;
    const ssize_t count = ::recv(socket, target + have, size - have, 0);
    if (count == 0) return ENODATA;
    if (count > 0) have += static_cast<size_t>(count);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return errno;
  }
  return 0;
}

std::string describe(int failure, const std::string& name) {
  if (failure == ETIMEDOUT) return "no greeting from " + name + " in time";
  if (failure == ENODATA) return name + " closed the connection before its greeting";
  return system_error("read the greeting of " + name, failure).text;
}

// It goes to logs and JSON.
std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += c >= 0x20 && c < 0x7f ? c : '?';
  return text;
}

// "Too many connections" out of: 0xff, two bytes of error number, then, in some, '#' and five of SQL state.
std::string err_packet_text(std::string_view payload) {
  const auto low = static_cast<unsigned char>(payload[1]);
  const auto high = static_cast<unsigned char>(payload[2]);
  payload.remove_prefix(3);
  if (payload.size() >= 6 && payload[0] == '#') payload.remove_prefix(6);
  return printable(payload) + " (" + std::to_string(high << 8 | low) + ")";
}

// Of a message's fields, each a letter and a text that a zero ends, the text of 'M'.
std::string error_message_text(std::string_view fields) {
  while (!fields.empty() && fields[0] != '\0') {
    const std::string_view text = fields.substr(1, fields.find('\0', 1) - 1);
    if (fields[0] == 'M') return printable(text);
    fields.remove_prefix(std::min(fields.size(), text.size() + 2));
  }
  return "an error without a text";
}

std::string read_mysql(int socket, const std::string& name, Deadline deadline, ActiveResult& result) {
  std::string garbage = name + " doesn't speak the MySQL protocol";
  std::array<unsigned char, kLongestGreeting> packet;
  if (const int failure = read_fully(socket, packet.data(), kPacketHeader, deadline)) return describe(failure, name);
  const size_t size = packet[0] | static_cast<size_t>(packet[1]) << 8 | static_cast<size_t>(packet[2]) << 16;
  const unsigned char sequence = packet[3];
  if (size == 0 || size > packet.size()) return garbage;
  // To its end: closing with unread bytes would reset the connection.
  if (const int failure = read_fully(socket, packet.data(), size, deadline)) return describe(failure, name);
  const std::string_view payload(reinterpret_cast<const char*>(packet.data()), size);
  if (packet[0] == kErrPacket && size >= 3) {
    result.greeted = true;
    return err_packet_text(payload);
  }
  // The version of the server follows, ended by a zero.
  if (packet[0] != kProtocolVersion || sequence != 0 || payload.find('\0', 1) == std::string_view::npos) return garbage;
  result.greeted = true;
  return {};
}

std::string read_pgsql(int socket, const std::string& name, Deadline deadline, ActiveResult& result) {
  // A new connection has room for eight bytes.
  if (::send(socket, kSslRequest.data(), kSslRequest.size(), MSG_NOSIGNAL) != ssize_t{kSslRequest.size()}) {
    return system_error("ask " + name, errno).text;
  }
  std::array<unsigned char, kLongestGreeting> message;
  if (const int failure = read_fully(socket, message.data(), 1, deadline)) return describe(failure, name);
  if (message[0] == 'S' || message[0] == 'N') {
    result.greeted = true;
    return {};
  }
  std::string garbage = name + " doesn't speak the PostgreSQL protocol";
  if (message[0] != 'E') return garbage;
  if (const int failure = read_fully(socket, message.data(), kMessageLength, deadline)) return describe(failure, name);
  size_t size = 0;
  for (size_t i = 0; i < kMessageLength; ++i) size = size << 8 | message[i];
  if (size < kMessageLength || size - kMessageLength > message.size()) return garbage;
  size -= kMessageLength;
  if (const int failure = read_fully(socket, message.data(), size, deadline)) return describe(failure, name);
  result.greeted = true;
  return error_message_text({reinterpret_cast<const char*>(message.data()), size});
}

// The connection; none if the error in `error` says why.
UniqueFd connect_to_port(const std::string& address, uint16_t port, Deadline deadline, ActiveResult& result) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  const bool is_v6 = ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  const std::string name = host_port_text(address, port);
  if (!is_v6 && ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) {
    result.error = "connect to " + name + ": not a numeric address";
    return UniqueFd();
  }

  UniqueFd socket(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) {
    result.error = system_error("open a socket", errno).text;
    return UniqueFd();
  }
  const auto* const to = is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  if (::connect(socket.get(), to, is_v6 ? sizeof v6 : sizeof v4) == 0) return socket;
  int failure = errno;
  if (failure == EINPROGRESS) failure = await(socket.get(), POLLOUT, deadline);
  if (failure == 0) {
    socklen_t length = sizeof failure;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
  }
  if (failure == 0) return socket;
  result.refused = failure == ECONNREFUSED;
  result.error = system_error("connect to " + name, failure).text;
  return UniqueFd();
}

// The same to a unix socket. That never waits: a queue that is full is an error.
UniqueFd connect_to_path(const std::string& path, ActiveResult& result) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) {
    result.error = system_error("open a socket", errno).text;
    return UniqueFd();
  }
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return socket;
  result.refused = errno == ECONNREFUSED || errno == ENOENT;
  result.error = system_error("connect to " + path, errno).text;
  return UniqueFd();
}

// Reads what the server says first. The error.
using Reader = std::string (*)(int socket, const std::string& name, Deadline deadline, ActiveResult& result);

ActiveResult greet(const MysqlInterface& interface, Deadline deadline, Reader reader) {
  ActiveResult result;
  const int64_t begin = monotonic_ns();
  const UniqueFd socket =
      interface.is_socket() ? connect_to_path(interface.host, result)
                            : connect_to_port(interface.host, static_cast<uint16_t>(interface.port), deadline, result);
  if (socket) result.error = reader(socket.get(), show(interface), deadline, result);
  result.took = nanoseconds(monotonic_ns() - begin);
  return result;
}

}  // namespace

ActiveResult greet_mysql(const MysqlInterface& interface, Deadline deadline) {
  return greet(interface, deadline, read_mysql);
}

ActiveResult greet_pgsql(const MysqlInterface& interface, Deadline deadline) {
  return greet(interface, deadline, read_pgsql);
}

}  // namespace pulse
