#include "src/linux/socket_table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "src/base/number.h"
#include "src/base/unique_fd.h"
#include "src/linux/proc_line.h"

namespace pulse {
namespace {

constexpr int kDumpAttempts = 5;
constexpr size_t kChunk = 16 * 1024;  // the kernel fills at most 8 KiB of it unless the reader asks for more

// An address as IPv6 has it, IPv4 mapped.
using Address = std::array<uint8_t, 16>;

Address mapped(const void* ipv4) {
  Address address{};
  address[10] = address[11] = 0xFF;
  std::memcpy(&address[12], ipv4, 4);
  return address;
}

// One socket of the wanted port and state. For a listening one the queues are the accept queue and its maximum.
struct Found {
  uint32_t receive_queue = 0;
  uint32_t send_queue = 0;
  uint32_t inode = 0;
  uint32_t user = 0;
  Address address{};  // the local one
  Address remote{};
};
using Visitor = std::function<void(const Found&)>;

Error timed_out(const std::string& what) { return system_error(what, ETIMEDOUT); }

// One question to the kernel: which of its messages asks it, and of which family. Each question makes the kernel walk
// the whole table of connections, those in TIME_WAIT included. The older message (TCPDIAG_GETSOCK) asks for both
// families in one walk; sock_diag(7) has no word for that.
struct Question {
  uint16_t type;
  uint8_t family;
};
constexpr Question kBothFamilies{TCPDIAG_GETSOCK, AF_UNSPEC};
constexpr Question kOneFamily[] = {{SOCK_DIAG_BY_FAMILY, AF_INET}, {SOCK_DIAG_BY_FAMILY, AF_INET6}};

template <class Request>
Result<void> send_request(int socket, uint16_t type, uint16_t flags, const Request& request, uint32_t sequence) {
  struct {
    nlmsghdr header;
    Request request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = type;
  message.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  message.header.nlmsg_seq = sequence;
  message.request = request;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent =
      ::sendto(socket, &message, sizeof message, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent < 0) return system_error("ask the kernel's socket table", errno);
  return {};
}

// The kernel compares idiag_sport itself, before it builds an answer.
Result<void> ask(int socket, Question question, uint8_t state, uint16_t port, uint32_t sequence) {
  if (question.type == TCPDIAG_GETSOCK) {
    inet_diag_req request{};
    request.idiag_states = 1u << state;
    request.id.idiag_sport = htons(port);
    return send_request(socket, question.type, NLM_F_DUMP, request, sequence);
  }
  inet_diag_req_v2 request{};
  request.sdiag_family = question.family;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = 1u << state;
  request.id.idiag_sport = htons(port);
  return send_request(socket, question.type, NLM_F_DUMP, request, sequence);
}

struct Progress {
  bool finished = false;     // the last message of the answer was seen
  bool interrupted = false;  // the table changed meanwhile: sockets may be missing or there twice
};

// Reads the messages of one datagram.
Result<void> read_messages(const char* data, size_t size, uint32_t sequence, uint16_t port, const Visitor& visit,
                           Progress& progress) {
  auto left = static_cast<unsigned int>(size);
  for (const auto* header = reinterpret_cast<const nlmsghdr*>(data); NLMSG_OK(header, left);
       header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_seq != sequence) continue;
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) progress.interrupted = true;
    if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
      // Both begin with a negative errno, or 0.
      int failure = 0;
      if (header->nlmsg_len >= NLMSG_LENGTH(sizeof failure)) std::memcpy(&failure, NLMSG_DATA(header), sizeof failure);
      if (failure < 0) return system_error("read the kernel's socket table", -failure);
      progress.finished = true;
      return {};
    }
    const bool of_a_socket = header->nlmsg_type == SOCK_DIAG_BY_FAMILY || header->nlmsg_type == TCPDIAG_GETSOCK;
    if (!of_a_socket || header->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) continue;
    inet_diag_msg found{};
    std::memcpy(&found, NLMSG_DATA(header), sizeof found);
    if (found.id.idiag_sport != htons(port)) continue;
    const auto address = [&](const void* bytes) {
      if (found.idiag_family == AF_INET) return mapped(bytes);
      Address ipv6{};
      std::memcpy(ipv6.data(), bytes, ipv6.size());
      return ipv6;
    };
    visit({found.idiag_rqueue, found.idiag_wqueue, found.idiag_inode, found.idiag_uid, address(found.id.idiag_src),
           address(found.id.idiag_dst)});
    if ((header->nlmsg_flags & NLM_F_MULTI) == 0) progress.finished = true;  // the one that was asked for
  }
  return {};
}

// The whole answer to a question. Returns whether the table stood still.
Result<bool> read_answer(int socket, uint16_t port, uint32_t sequence, Deadline deadline, const Visitor& visit) {
  Progress progress;
  while (!progress.finished) {
    if (deadline.passed()) return timed_out("wait for the kernel's socket table");
    alignas(nlmsghdr) std::array<char, kChunk> chunk;
    sockaddr_nl from{};
    iovec vector{chunk.data(), chunk.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t size = ::recvmsg(socket, &message, 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return system_error("read the kernel's socket table", errno);
      // Seldom: the kernel begins its answer while it is asked, and goes on while it is read.
      pollfd waiting{socket, POLLIN, 0};
      const int ready = ::poll(&waiting, 1, deadline.poll_timeout_ms());
      if (ready < 0 && errno != EINTR) return system_error("wait for the kernel's socket table", errno);
      continue;
    }
    if ((message.msg_flags & MSG_TRUNC) != 0) return system_error("read the kernel's socket table", EMSGSIZE);
    if (from.nl_pid != 0) continue;  // another process; only the kernel has port id 0
    const auto read = read_messages(chunk.data(), static_cast<size_t>(size), sequence, port, visit, progress);
    if (!read) return read.error();
  }
  return !progress.interrupted;
}

Result<UniqueFd> open_socket() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  if (socket.get() < 0) return system_error("open a NETLINK_SOCK_DIAG socket", errno);
  return socket;
}

// Calls `restart` before the first socket of each attempt, then `visit` for each socket.
Result<void> visit_netlink(uint8_t state, uint16_t port, Deadline deadline, const std::function<void()>& restart,
                           const Visitor& visit) {
  const auto socket = open_socket();
  if (!socket) return socket.error();
  uint32_t sequence = 0;
  std::span<const Question> questions(&kBothFamilies, 1);
  for (int attempt = 1;; ++attempt) {
    restart();
    bool whole = true;
    for (const Question& question : questions) {
      const auto asked = ask(socket->get(), question, state, port, ++sequence);
      const auto stood_still =
          asked ? read_answer(socket->get(), port, sequence, deadline, visit) : Result<bool>(asked.error());
      if (!stood_still && question.type == TCPDIAG_GETSOCK && stood_still.error().code != ETIMEDOUT) {
        questions = kOneFamily;  // a kernel, or what plays one, that doesn't know the older message
        whole = false;
        --attempt;
        break;
      }
      if (!stood_still) return stood_still.error();
      whole = whole && *stood_still;
    }
    // A table that changes all the time: the last reading is as good as any.
    if (whole || attempt == kDumpAttempts) return {};
  }
}

bool parse_hex(std::string_view text, uint32_t& value) {
  const auto number = to_number<uint32_t>(text, 16);
  if (number) value = *number;
  return number.has_value();
}

// "0100007F", or four of those in a row: numbers as this machine's memory has them.
bool parse_address(std::string_view text, Address& address) {
  std::array<uint32_t, 4> words{};
  const size_t count = text.size() / 8;
  if (text.size() % 8 != 0 || (count != 1 && count != 4)) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!parse_hex(text.substr(8 * i, 8), words[i])) return false;
  }
  if (count == 1) {
    address = mapped(words.data());
  } else {
    std::memcpy(address.data(), words.data(), address.size());
  }
  return true;
}

// A line of /proc/net/tcp: "sl: local:port remote:port state tx_queue:rx_queue timer retransmits uid timeout inode
// ...", hexadecimal as far as the queues.
void visit_line(std::string_view line, uint8_t state, uint16_t port, const Visitor& visit) {
  take_field(line);
  const std::string_view local = take_field(line);
  const std::string_view remote = take_field(line);
  const std::string_view state_field = take_field(line);
  const std::string_view queues = take_field(line);
  const size_t local_colon = local.rfind(':');
  const size_t queue_colon = queues.find(':');
  if (local_colon == std::string_view::npos || queue_colon == std::string_view::npos) return;  // the title
  uint32_t line_port = 0;
  uint32_t line_state = 0;
  Found found;
  if (!parse_hex(local.substr(local_colon + 1), line_port) || !parse_hex(state_field, line_state)) return;
  if (line_port != port || line_state != state || !parse_hex(queues.substr(queue_colon + 1), found.receive_queue)) {
    return;
  }
  if (!parse_address(local.substr(0, local_colon), found.address)) return;
  if (!parse_address(remote.substr(0, remote.rfind(':')), found.remote)) return;
  for (int i = 0; i < 2; ++i) take_field(line);
  found.user = to_number<uint32_t>(take_field(line)).value_or(0);
  take_field(line);
  found.inode = to_number<uint32_t>(take_field(line)).value_or(0);
  visit(found);
}

Result<void> visit_proc_file(const char* path, bool optional, uint8_t state, uint16_t port, Deadline deadline,
                             const Visitor& visit) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (optional && errno == ENOENT) return {};
    return system_error(std::string("open ") + path, errno);
  }
  std::string text;
  std::array<char, kChunk> chunk;
  while (true) {
    if (deadline.passed()) return timed_out(std::string("read ") + path);
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(std::string("read ") + path, errno);
    if (count == 0) return {};
    text.append(chunk.data(), static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      visit_line(std::string_view(text).substr(begin, end - begin), state, port, visit);
    }
    text.erase(0, begin);
  }
}

Result<void> visit_proc(uint8_t state, uint16_t port, Deadline deadline, const std::function<void()>& restart,
                        const Visitor& visit) {
  restart();
  auto read = visit_proc_file("/proc/net/tcp", false, state, port, deadline, visit);
  if (!read) return read;
  return visit_proc_file("/proc/net/tcp6", true, state, port, deadline, visit);  // absent without IPv6
}

Result<void> visit_sockets(SocketSource source, uint8_t state, uint16_t port, Deadline deadline,
                           const std::function<void()>& restart, const Visitor& visit) {
  if (source != SocketSource::proc) {
    auto visited = visit_netlink(state, port, deadline, restart, visit);
    if (visited || source == SocketSource::netlink || deadline.passed()) return visited;
  }
  return visit_proc(state, port, deadline, restart, visit);
}

// Which listening sockets somebody who connects to an address may meet.
class Reached {
 public:
  explicit Reached(const std::string& address) {
    in_addr ipv4{};
    if (::inet_pton(AF_INET, address.c_str(), &ipv4) == 1) {
      address_ = mapped(&ipv4);
    } else {
      any_ = ::inet_pton(AF_INET6, address.c_str(), address_.data()) != 1;
    }
  }
  // None if it was no numeric address.
  const Address* address() const { return any_ ? nullptr : &address_; }
  bool operator()(const Found& found) const {
    const in_addr all{};
    return any_ || found.address == address_ || found.address == Address{} || found.address == mapped(&all);
  }

 private:
  Address address_{};
  bool any_ = false;
};

bool is_ipv4(const Address& address) {
  static constexpr Address kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return std::equal(address.begin(), address.begin() + 12, kMapped.begin());
}

bool is_loopback(const Address& address) {
  if (is_ipv4(address)) return address[12] == 127;
  return std::memcmp(address.data(), &in6addr_loopback, address.size()) == 0;
}

std::string to_text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4(address)) {
    ::inet_ntop(AF_INET, &address[12], text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, address.data(), text.data(), text.size());
  }
  return text.data();
}

void add_to(ListenState& state, const Found& found) {
  state.listening = true;
  ++state.sockets;
  state.inodes.push_back(found.inode);
  state.users.push_back(found.user);
  state.accept_queue += found.receive_queue;
  state.accept_queue_max += found.send_queue;
}

}  // namespace

Result<ListenState> read_listen_state(uint16_t port, Deadline deadline, SocketSource source,
                                      const std::string& address) {
  ListenState state;
  const Reached reached(address);
  const auto visited = visit_sockets(
      source, TCP_LISTEN, port, deadline, [&] { state = ListenState(); },
      [&](const Found& found) {
        if (reached(found)) add_to(state, found);
      });
  if (!visited) return visited.error();
  return state;
}

ListenerFinder::ListenerFinder() {
  if (auto opened = open_socket()) socket_ = std::move(*opened);
}

Result<ListenState> ListenerFinder::find(uint16_t port, const std::string& address, Deadline deadline) {
  const Reached reached(address);
  if (reached.address() == nullptr) return system_error("find who listens on " + address, EINVAL);
  if (!socket_) {
    auto opened = open_socket();
    if (!opened) return opened.error();
    socket_ = std::move(*opened);
  }
  inet_diag_req_v2 request{};
  request.sdiag_family = is_ipv4(*reached.address()) ? AF_INET : AF_INET6;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = 1u << TCP_LISTEN;
  request.id.idiag_sport = htons(port);
  const size_t skipped = request.sdiag_family == AF_INET ? 12 : 0;
  std::memcpy(request.id.idiag_src, reached.address()->data() + skipped, reached.address()->size() - skipped);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  ListenState state;
  const auto asked = send_request(socket_.get(), SOCK_DIAG_BY_FAMILY, 0, request, ++sequence_);
  const auto read =
      asked ? read_answer(socket_.get(), port, sequence_, deadline, [&](const Found& found) { add_to(state, found); })
            : Result<bool>(asked.error());
  if (read || read.error().code == ENOENT) return state;
  socket_.reset();
  return read.error();
}

Result<uint32_t> count_established(uint16_t port, Deadline deadline, SocketSource source) {
  uint32_t count = 0;
  const auto visited = visit_sockets(
      source, TCP_ESTABLISHED, port, deadline, [&] { count = 0; }, [&](const Found&) { ++count; });
  if (!visited) return visited.error();
  return count;
}

Result<std::vector<std::string>> remote_hosts(uint16_t port, Deadline deadline, SocketSource source) {
  std::vector<std::string> hosts;
  const auto visited = visit_sockets(
      source, TCP_ESTABLISHED, port, deadline, [&] { hosts.clear(); },
      [&](const Found& found) {
        if (is_loopback(found.remote) || found.remote == found.address) return;
        std::string host = to_text(found.remote);
        if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(std::move(host));
      });
  if (!visited) return visited.error();
  return hosts;
}

Result<std::vector<uint32_t>> listening_inodes(uint16_t port, Deadline deadline, SocketSource source,
                                               const std::string& address) {
  std::vector<uint32_t> inodes;
  const Reached reached(address);
  const auto visited = visit_sockets(
      source, TCP_LISTEN, port, deadline, [&] { inodes.clear(); },
      [&](const Found& found) {
        if (reached(found)) inodes.push_back(found.inode);
      });
  if (!visited) return visited.error();
  return inodes;
}

}  // namespace pulse
