#include "daemon/health/mysql_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "src/base/host_port.h"
#include "src/base/unique_fd.h"
#include "src/linux/interfaces.h"

namespace pulse {
namespace {

constexpr char kSocketTable[] = "socket table";
constexpr char kConnection[] = "connection";
constexpr nanoseconds kPassiveDeadline = milliseconds(250);
constexpr nanoseconds kActiveDeadline = std::chrono::seconds(1);
constexpr size_t kPacketHeader = 4;        // three bytes of length, little-endian, and the sequence number
constexpr size_t kLongestGreeting = 4096;  // real ones have about 100 bytes
constexpr unsigned char kProtocolVersion = 10;
constexpr unsigned char kErrPacket = 0xff;

std::string as_milliseconds(int64_t span_ns) { return std::to_string(span_ns / 1'000'000) + " ms"; }

void decide(PortVerdict& verdict, bool answers, int64_t at_ns, const char* how, std::string reason) {
  if (verdict.since_ns == 0 || verdict.answers != answers) verdict.since_ns = at_ns;
  verdict.answers = answers;
  verdict.ever_answered = verdict.ever_answered || answers;
  verdict.looked_at_ns = at_ns;
  verdict.how = how;
  verdict.reason = std::move(reason);
}

// Opens the window in which the queue must go down.
void open_window(LookState& state, const PortSample& sample) {
  state.window_ns = sample.accept_queue > 0 ? sample.at_ns : 0;
  state.last_queue = sample.accept_queue;
  state.suspicion_held = false;
}

}  // namespace

LookStep next_look(LookState state, const PortSample& sample) {
  PortVerdict& verdict = state.verdict;
  verdict.listeners.reset();
  if (sample.passive != PortSample::Passive::unavailable) verdict.listeners = sample.inodes;
  switch (sample.passive) {
    case PortSample::Passive::unavailable:
      return {std::move(state), true};
    case PortSample::Passive::not_listening:
      decide(verdict, false, sample.at_ns, kSocketTable, "nothing listens on the port");
      open_window(state, {sample.passive, 0, sample.at_ns, {}});
      return {std::move(state), false};
    case PortSample::Passive::listening:
      break;
  }

  if (sample.accept_queue == 0 || (state.window_ns != 0 && sample.accept_queue < state.last_queue)) {
    decide(verdict, true, sample.at_ns, kSocketTable, "listening, the accept queue is emptied");
    open_window(state, sample);
    return {std::move(state), false};
  }
  if (state.window_ns == 0) open_window(state, sample);
  state.last_queue = sample.accept_queue;
  const int64_t standing_ns = sample.at_ns - state.window_ns;
  const nanoseconds patience = state.suspicion_held ? kConfirmedPause : kSuspiciousQueue;
  if (standing_ns >= patience.count()) return {std::move(state), true};
  // What was known still holds. Nothing is known of a port that has only been seen with a queue.
  verdict.looked_at_ns = sample.at_ns;
  if (verdict.since_ns == 0 || verdict.how != kConnection) {
    if (verdict.since_ns == 0) verdict.since_ns = sample.at_ns;
    verdict.how = kSocketTable;
    verdict.reason = "listening, accept queue of " + std::to_string(sample.accept_queue) + " not seen going down for " +
                     as_milliseconds(standing_ns);
  }
  return {std::move(state), false};
}

LookState after_active_look(LookState state, const ActiveResult& result, int64_t at_ns) {
  std::string reason = result.greeted ? "greeted in " + as_milliseconds(result.took.count()) : result.error;
  if (result.greeted && !result.error.empty()) reason += ", with the error: " + result.error;
  decide(state.verdict, result.greeted, at_ns, kConnection, std::move(reason));
  if (result.greeted && state.closed) ++state.openings;
  if (result.greeted || result.refused) state.closed = result.refused;
  // A suspicion connects although the socket table has told who listens.
  auto& listeners = state.verdict.listeners;
  if (!listeners && result.greeted) listeners = {state.openings};
  if (!listeners && result.refused) listeners.emplace();
  if (state.window_ns != 0) state.window_ns = at_ns;
  state.suspicion_held = !result.greeted;
  return state;
}

namespace {

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

// "Too many connections" out of: 0xff, two bytes of error number, then, in some, '#' and five of SQL state.
std::string err_packet_text(std::string_view payload) {
  const auto low = static_cast<unsigned char>(payload[1]);
  const auto high = static_cast<unsigned char>(payload[2]);
  payload.remove_prefix(3);
  if (payload.size() >= 6 && payload[0] == '#') payload.remove_prefix(6);
  std::string text;
  for (const char c : payload) text += c >= 0x20 && c < 0x7f ? c : '?';  // it goes to logs and JSON
  return text + " (" + std::to_string(high << 8 | low) + ")";
}

std::string read_greeting(int socket, const std::string& name, Deadline deadline, ActiveResult& result);

std::string connect_and_read(const std::string& address, uint16_t port, Deadline deadline, ActiveResult& result) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  const bool is_v6 = ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  const std::string name = host_port_text(address, port);
  if (!is_v6 && ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) {
    return "connect to " + name + ": not a numeric address";
  }

  const UniqueFd socket(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error("open a socket", errno).text;
  const auto* const to = is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  if (::connect(socket.get(), to, is_v6 ? sizeof v6 : sizeof v4) != 0) {
    result.refused = errno == ECONNREFUSED;
    if (errno != EINPROGRESS) return system_error("connect to " + name, errno).text;
    int failure = await(socket.get(), POLLOUT, deadline);
    if (failure == 0) {
      socklen_t length = sizeof failure;
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
    }
    result.refused = failure == ECONNREFUSED;
    if (failure != 0) return system_error("connect to " + name, failure).text;
  }
  return read_greeting(socket.get(), name, deadline, result);
}

// Connecting to a unix socket never waits: a queue that is full is an error.
std::string connect_and_read(const std::string& path, Deadline deadline, ActiveResult& result) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error("open a socket", errno).text;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    result.refused = errno == ECONNREFUSED || errno == ENOENT;
    return system_error("connect to " + path, errno).text;
  }
  return read_greeting(socket.get(), path, deadline, result);
}

std::string read_greeting(int socket, const std::string& name, Deadline deadline, ActiveResult& result) {
  const auto describe = [&](int failure) {
    if (failure == ETIMEDOUT) return "no greeting from " + name + " in time";
    if (failure == ENODATA) return name + " closed the connection before its greeting";
    return system_error("read the greeting of " + name, failure).text;
  };
  std::string garbage = name + " doesn't speak the MySQL protocol";
  std::array<unsigned char, kLongestGreeting> packet;
  if (const int failure = read_fully(socket, packet.data(), kPacketHeader, deadline)) return describe(failure);
  const size_t size = packet[0] | static_cast<size_t>(packet[1]) << 8 | static_cast<size_t>(packet[2]) << 16;
  const unsigned char sequence = packet[3];
  if (size == 0 || size > packet.size()) return garbage;
  // To its end: closing with unread bytes would reset the connection.
  if (const int failure = read_fully(socket, packet.data(), size, deadline)) return describe(failure);
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

}  // namespace

ActiveResult greet(const std::string& numeric_address, uint16_t port, Deadline deadline) {
  ActiveResult result;
  const int64_t begin = monotonic_ns();
  result.error = connect_and_read(numeric_address, port, deadline, result);
  result.took = nanoseconds(monotonic_ns() - begin);
  return result;
}

ActiveResult greet(const MysqlInterface& interface, Deadline deadline) {
  if (!interface.is_socket()) return greet(interface.host, static_cast<uint16_t>(interface.port), deadline);
  ActiveResult result;
  const int64_t begin = monotonic_ns();
  result.error = connect_and_read(interface.host, deadline, result);
  result.took = nanoseconds(monotonic_ns() - begin);
  return result;
}

PortSample MysqlLook::sample() const {
  PortSample sample;
  sample.at_ns = boottime_ns();
  if (mode_ == Mode::active) return sample;
  auto state = read_listen_state(interface_, Deadline::after(kPassiveDeadline));
  if (!state) return sample;
  sample.passive = state->listening ? PortSample::Passive::listening : PortSample::Passive::not_listening;
  sample.accept_queue = state->accept_queue;
  sample.inodes = std::move(state->inodes);
  return sample;
}

void MysqlLook::tick() {
  LookStep step = next_look(std::move(state_), sample());
  if (step.want_active) {
    const ActiveResult result = greet(interface_, Deadline::after(kActiveDeadline));
    step.state = after_active_look(std::move(step.state), result, boottime_ns());
  }
  state_ = std::move(step.state);
  const std::lock_guard lock(mutex_);
  verdict_ = state_.verdict;
}

PortVerdict MysqlLook::current() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

}  // namespace pulse
