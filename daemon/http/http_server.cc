#include "daemon/http/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {
namespace {

constexpr int kListenBacklog = 4096;     // the kernel caps it at net.core.somaxconn
constexpr size_t kEventsPerTurn = 256;   // a turn is one epoll_wait and what it reported
constexpr size_t kAcceptsPerTurn = 128;  // so that a storm of connects can't starve those that are in
constexpr int kRequestsPerTurn = 16;     // the same for one connection that pipelines without end
constexpr int kCutsPerTurn = 64;         // the same for many connections whose deadline passes together
constexpr size_t kReadChunk = 4096;      // one shared buffer: an idle connection owns none
constexpr int64_t kLongestWaitNs = 1'000'000'000;
constexpr int64_t kAcceptPauseNs = 10'000'000;  // after an accept error that would repeat at once

// What a connection is waiting for. Each phase has one list of its connections; within a list every deadline is the
// entry time plus the same span, so the front is always the next to expire and the one that has waited longest.
enum Phase : size_t {
  kReading,    // for the rest of a request, or the first one
  kIdle,       // for the next request
  kRunnable,   // for its next turn, with complete requests buffered
  kDeferred,   // for complete()
  kWriting,    // for the peer to read its answer
  kLingering,  // for the peer to notice our FIN: closing with unread input would reset the connection under the answer
  kPhases
};

struct Connection {
  int fd = -1;
  uint32_t serial = 0;  // tells this connection's events from those of an earlier one with the same fd
  uint32_t interest = 0;
  Phase phase = kReading;
  bool close_after = false;  // once `out` is written
  bool linger = false;       // ... and then by way of kLingering
  int64_t deadline_ns = 0;
  uint64_t token = 0;  // of the deferred request at the front of `in`; 0 if none
  RequestFrame frame;  // of the request at the front of `in`
  size_t sent = 0;     // bytes of `out` written
  std::string in;
  std::string out;
  in6_addr peer{};  // IPv4 as v4-mapped
  std::list<Connection>::iterator self;
};

in6_addr address_of(const sockaddr_storage& from) {
  in6_addr address{};
  if (from.ss_family == AF_INET6) {
    std::memcpy(&address, &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, sizeof address);
  } else {
    address.s6_addr[10] = address.s6_addr[11] = 0xff;
    std::memcpy(&address.s6_addr[12], &reinterpret_cast<const sockaddr_in&>(from).sin_addr, 4);
  }
  return address;
}

bool is_loopback(const in6_addr& address) {
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

std::string address_text(const in6_addr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  }
  return text.data();
}

// clear() would keep the memory, in each of thousands of idle connections.
void give_back(std::string& buffer) { std::string().swap(buffer); }

void add(std::atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

UniqueFd open_reserve() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// 0, or the errno with `failed_call` set.
int bind_and_listen(int family, const sockaddr* address, socklen_t length, bool dual_stack, UniqueFd& listener,
                    const char*& failed_call) {
  const auto failed = [&](const char* call) {
    failed_call = call;
    return errno;
  };
  listener = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.get() < 0) return failed("socket");
  const int on = 1;
  const int only_v6 = dual_stack ? 0 : 1;
  if (::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return failed("SO_REUSEADDR");
  // Accepted sockets inherit it, which saves a call for each.
  if (::setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return failed("TCP_NODELAY");
  if (family == AF_INET6 && ::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) != 0) {
    return failed("IPV6_V6ONLY");
  }
  if (::bind(listener.get(), address, length) != 0) return failed("bind");
  if (::listen(listener.get(), kListenBacklog) != 0) return failed("listen");
  return 0;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const HttpHeader& candidate : headers) {
    if (equal_ignoring_case(candidate.name, name)) return candidate.value;
  }
  return {};
}

struct HttpServer::Impl {
  Impl(const HttpLimits& http_limits, HttpHandler http_handler)
      : limits(http_limits), handler(std::move(http_handler)), reserve(open_reserve()) {
    const auto span = [](std::chrono::nanoseconds duration) { return duration.count(); };
    spans[kReading] = spans[kLingering] = span(limits.header_deadline);
    spans[kIdle] = span(limits.keep_alive_idle);
    spans[kWriting] = span(limits.write_deadline);
    render_error(408, "request not complete in time", timeout_answer);
  }
  ~Impl() {
    for (auto& list : lists) {
      for (const Connection& connection : list) ::close(connection.fd);
    }
  }

  // The event loop.
  void run();
  int wait_ms(int64_t now) const;
  void dispatch(uint64_t data, int64_t now);
  void accept_some(int64_t now);
  void pause_accepting(int64_t now);
  void admit(int fd, const sockaddr_storage& from, int64_t now);
  bool evict();
  void take_completions(int64_t now);
  void expire(int64_t now);
  void run_runnable(int64_t now);
  void wake() const;

  // One connection. Each of these may close it, so that it must not be touched afterwards.
  void on_event(Connection& connection, int64_t now);
  void receive(Connection& connection, int64_t now);
  void discard_input(Connection& connection);
  void serve(Connection& connection, int64_t now);
  void flush(Connection& connection, int64_t now);
  void close(Connection& connection);

  // Parts of serve(), which never close.
  bool next_request(Connection& connection, RequestHead& head);
  void answer(Connection& connection, RequestHead& head, const HttpResponse* ready);
  void refuse(Connection& connection, int status, const char* reason);
  void forget_request(Connection& connection);
  void enter(Connection& connection, Phase phase, int64_t now);
  void watch(Connection& connection, uint32_t interest);
  void render_error(int status, const char* reason, std::string& out);

  const HttpLimits limits;
  const HttpHandler handler;
  HttpEngine engine;
  UniqueFd listener;
  UniqueFd epoll;
  UniqueFd wake_event;
  UniqueFd reserve;  // given up to accept and close a connection when there is no other descriptor left
  uint16_t port = 0;

  std::array<std::list<Connection>, kPhases> lists;
  std::array<int64_t, kPhases> spans{};  // 0: no deadline
  std::vector<Connection*> by_fd;
  size_t open = 0;
  uint32_t last_serial = 0;
  uint64_t last_token = 0;
  std::unordered_map<uint64_t, Connection*> deferred;  // by token
  int64_t accept_again_ns = 0;                         // while the listener is not watched; else 0
  std::string timeout_answer;
  std::array<char, kReadChunk> chunk;

  std::atomic<bool> stopping{false};
  std::mutex completions_mutex;
  std::vector<std::pair<uint64_t, HttpResponse>> completions;
  std::atomic<uint64_t> accepted{0}, requests{0}, evicted{0}, cut{0}, open_now{0};
};

void HttpServer::Impl::run() {
  std::array<epoll_event, kEventsPerTurn> events;
  while (true) {
    const int timeout = wait_ms(monotonic_ns());
    const int count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), timeout);
    const int64_t now = monotonic_ns();
    bool accepting = false;
    for (int i = 0; i < count; ++i) {
      const uint64_t data = events[static_cast<size_t>(i)].data.u64;
      if (data == static_cast<uint64_t>(listener.get())) {
        accepting = true;
      } else if (data == static_cast<uint64_t>(wake_event.get())) {
        uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_event.get(), &wakes, sizeof wakes);
      } else {
        dispatch(data, now);
      }
    }
    // Those that are in first: a newcomer may evict whoever has not sent its request by now.
    take_completions(now);
    run_runnable(now);
    expire(now);
    if (stopping.load()) return;
    if (accept_again_ns != 0 && now >= accept_again_ns) accepting = true;
    if (accepting) accept_some(now);
  }
}

int HttpServer::Impl::wait_ms(int64_t now) const {
  if (!lists[kRunnable].empty()) return 0;
  int64_t until = now + kLongestWaitNs;
  for (size_t phase = 0; phase < kPhases; ++phase) {
    if (spans[phase] != 0 && !lists[phase].empty()) until = std::min(until, lists[phase].front().deadline_ns);
  }
  if (accept_again_ns != 0) until = std::min(until, accept_again_ns);
  return Deadline::at_monotonic_ns(until).poll_timeout_ms();
}

void HttpServer::Impl::dispatch(uint64_t data, int64_t now) {
  const size_t fd = data & 0xffffffffu;
  Connection* const connection = fd < by_fd.size() ? by_fd[fd] : nullptr;
  if (connection == nullptr || connection->serial != data >> 32) return;  // closed earlier in this turn
  try {
    on_event(*connection, now);
  } catch (...) {  // out of memory, at this connection's request
    if (by_fd[fd] == connection) close(*connection);
  }
}

void HttpServer::Impl::on_event(Connection& connection, int64_t now) {
  switch (connection.phase) {
    case kReading:
    case kIdle:
      return receive(connection, now);
    case kWriting:
      return flush(connection, now);
    case kLingering:
      return discard_input(connection);
    case kDeferred:  // only the peer's leaving is watched
      return close(connection);
    case kRunnable:
    case kPhases:
      return;
  }
}

void HttpServer::Impl::accept_some(int64_t now) {
  if (accept_again_ns != 0) {
    epoll_event event{EPOLLIN, {.u64 = static_cast<uint64_t>(listener.get())}};
    ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, listener.get(), &event);
    accept_again_ns = 0;
  }
  // Less than all there may be: what is accepted now must have a turn to send its request before it can be evicted.
  const size_t most = std::clamp(limits.max_connections / 4, size_t{1}, kAcceptsPerTurn);
  for (size_t i = 0; i < most; ++i) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const int fd = ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      admit(fd, from, now);
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno == EMFILE || errno == ENFILE) {
      // accept(2) looks for a descriptor before it looks for a connection.
      pollfd pending{listener.get(), POLLIN, 0};
      if (::poll(&pending, 1, 0) != 1) return;
      if (evict()) continue;
      // Nothing to give up: take the newcomer off the queue all the same, or it would wake us for ever.
      reserve.reset();
      const int refused = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (refused >= 0) ::close(refused);
      reserve = open_reserve();
      if (refused < 0) return pause_accepting(now);
    } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != ENETDOWN &&
               errno != ENOPROTOOPT && errno != EHOSTDOWN && errno != EHOSTUNREACH && errno != EOPNOTSUPP &&
               errno != ENETUNREACH) {  // those are the new connection's own errors, see accept(2)
      return pause_accepting(now);
    }
  }
}

void HttpServer::Impl::pause_accepting(int64_t now) {
  epoll_event event{0, {.u64 = static_cast<uint64_t>(listener.get())}};
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, listener.get(), &event);
  accept_again_ns = now + kAcceptPauseNs;
}

void HttpServer::Impl::admit(int fd, const sockaddr_storage& from, int64_t now) {
  add(accepted);
  if (open >= limits.max_connections && !evict()) {
    ::close(fd);
    return;
  }
  try {
    if (static_cast<size_t>(fd) >= by_fd.size()) by_fd.resize(static_cast<size_t>(fd) + 64);
    lists[kReading].emplace_back();
  } catch (...) {
    ::close(fd);
    return;
  }
  Connection& connection = lists[kReading].back();
  connection.self = std::prev(lists[kReading].end());
  connection.fd = fd;
  connection.serial = ++last_serial;
  if (connection.serial == 0) connection.serial = ++last_serial;  // 0 is the listener's and the wake-up's
  connection.peer = address_of(from);
  connection.interest = EPOLLIN;
  connection.deadline_ns = now + spans[kReading];
  by_fd[static_cast<size_t>(fd)] = &connection;
  open_now.store(++open, std::memory_order_relaxed);
  epoll_event event{EPOLLIN, {.u64 = uint64_t{connection.serial} << 32 | static_cast<uint32_t>(fd)}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) close(connection);
}

// Closes the connection that is worth least: never one whose request is complete but unanswered.
bool HttpServer::Impl::evict() {
  for (const Phase phase : {kLingering, kReading, kIdle, kWriting}) {
    if (lists[phase].empty()) continue;
    add(evicted);
    close(lists[phase].front());
    return true;
  }
  return false;
}

void HttpServer::Impl::take_completions(int64_t now) {
  std::vector<std::pair<uint64_t, HttpResponse>> taken;
  {
    const std::lock_guard lock(completions_mutex);
    taken.swap(completions);
  }
  for (const auto& [token, response] : taken) {
    const auto found = deferred.find(token);
    if (found == deferred.end()) continue;
    Connection& connection = *found->second;
    deferred.erase(found);
    connection.token = 0;
    try {
      RequestHead head = parse_head(std::string_view(connection.in).substr(0, connection.frame.scanned + 4));
      answer(connection, head, &response);
      forget_request(connection);
      serve(connection, now);
    } catch (...) {
      close(connection);
    }
  }
}

void HttpServer::Impl::expire(int64_t now) {
  int left = kCutsPerTurn;
  for (size_t phase = 0; phase < kPhases; ++phase) {
    if (spans[phase] == 0) continue;
    while (!lists[phase].empty() && lists[phase].front().deadline_ns <= now && left-- > 0) {
      Connection& connection = lists[phase].front();
      if (phase == kReading && !connection.in.empty()) {
        ::send(connection.fd, timeout_answer.data(), timeout_answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      }
      add(cut);
      close(connection);
    }
  }
}

void HttpServer::Impl::run_runnable(int64_t now) {
  for (size_t count = lists[kRunnable].size(); count > 0 && !lists[kRunnable].empty(); --count) {
    Connection& connection = lists[kRunnable].front();
    try {
      serve(connection, now);
    } catch (...) {
      close(connection);
    }
  }
}

void HttpServer::Impl::receive(Connection& connection, int64_t now) {
  const ssize_t count = ::recv(connection.fd, chunk.data(), chunk.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // What is left in `in` when the peer ends its sending is no complete request.
  if (count <= 0) return close(connection);
  connection.in.append(chunk.data(), static_cast<size_t>(count));
  serve(connection, now);
}

void HttpServer::Impl::discard_input(Connection& connection) {
  const ssize_t count = ::recv(connection.fd, chunk.data(), chunk.size(), 0);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) close(connection);
}

// Answers the complete requests at the front of `in`, in their order, then writes.
void HttpServer::Impl::serve(Connection& connection, int64_t now) {
  Phase next = connection.token != 0 ? kDeferred : kRunnable;
  // One more piece of a request doesn't renew its deadline, but a request that follows an answer has its own.
  bool same_request = connection.phase == kReading;
  for (int i = 0; next == kRunnable && i < kRequestsPerTurn && !connection.close_after; ++i) {
    RequestHead head;
    if (connection.in.empty()) {
      next = kIdle;
    } else if (!next_request(connection, head)) {
      next = kReading;
    } else {
      answer(connection, head, nullptr);
      if (connection.token != 0) {
        next = kDeferred;
      } else {
        forget_request(connection);
      }
      same_request = false;
    }
  }
  if (!connection.close_after && !(next == kReading && same_request)) enter(connection, next, now);
  flush(connection, now);
}

// Whether a complete request is at the front of `in`; if so, `head` describes it. Refuses what can't become one.
bool HttpServer::Impl::next_request(Connection& connection, RequestHead& head) {
  const size_t needed_before = connection.frame.needed;
  const RequestLimits most{limits.max_header_bytes, limits.max_body_bytes};
  switch (frame_request(connection.in, most, connection.frame, head)) {
    case Framing::complete:
      return true;
    case Framing::refused:
      refuse(connection, head.refused, head.reason);
      return false;
    case Framing::incomplete:
      break;
  }
  if (connection.frame.needed != needed_before && head.expects_continue && !head.http_1_0) {
    connection.out += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return false;
}

// Appends the answer to the request at the front of `in` to `out`, or sets `token` if the handler defers it. `ready` is
// the answer of a request that was deferred before.
void HttpServer::Impl::answer(Connection& connection, RequestHead& head, const HttpResponse* ready) {
  uint64_t token = 0;
  const HttpEngine::Source source = [&](const std::string& method,
                                        const std::string& path) -> std::optional<HttpResponse> {
    if (ready != nullptr) return *ready;
    token = ++last_token;
    add(requests);
    HttpRequest request;
    request.is_head = method == "HEAD";
    request.method = request.is_head ? "GET" : method;
    request.path = path;
    request.body = connection.in.substr(connection.frame.needed - head.content_length, head.content_length);
    request.headers = std::move(head.headers);
    request.remote_address = address_text(connection.peer);
    request.remote_is_loopback = is_loopback(connection.peer);
    request.token = token;
    return handler(request);
  };
  if (!head.keep_alive) connection.close_after = true;
  try {
    const auto outcome = engine.answer(head.request_line, head.http_1_0, head.keep_alive, source, connection.out);
    if (outcome == HttpEngine::Outcome::refused) {
      connection.close_after = connection.linger = true;
    } else if (outcome == HttpEngine::Outcome::deferred) {
      deferred.emplace(token, &connection);
      connection.token = token;
      connection.close_after = false;  // not before the answer
    }
  } catch (...) {
    refuse(connection, 500, "internal error");
  }
}

void HttpServer::Impl::refuse(Connection& connection, int status, const char* reason) {
  connection.close_after = connection.linger = true;
  render_error(status, reason, connection.out);
}

void HttpServer::Impl::render_error(int status, const char* reason, std::string& out) {
  engine.answer(
      "GET / HTTP/1.1\r\n", false, false,
      [&](const std::string&, const std::string&) { return http_error(status, reason); }, out);
}

void HttpServer::Impl::forget_request(Connection& connection) {
  connection.in.erase(0, connection.frame.needed);
  if (connection.in.empty()) give_back(connection.in);
  connection.frame = {};
}

void HttpServer::Impl::flush(Connection& connection, int64_t now) {
  while (connection.sent < connection.out.size()) {
    const ssize_t count = ::send(connection.fd, connection.out.data() + connection.sent,
                                 connection.out.size() - connection.sent, MSG_NOSIGNAL);
    if (count >= 0) {
      connection.sent += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      if (connection.phase != kWriting) enter(connection, kWriting, now);
      return;
    } else if (errno != EINTR) {
      return close(connection);
    }
  }
  connection.sent = 0;
  give_back(connection.out);
  if (connection.linger) {
    ::shutdown(connection.fd, SHUT_WR);
    enter(connection, kLingering, now);
  } else if (connection.close_after) {
    close(connection);
  } else if (connection.phase == kWriting) {
    serve(connection, now);  // what was buffered meanwhile
  }
}

void HttpServer::Impl::enter(Connection& connection, Phase phase, int64_t now) {
  lists[phase].splice(lists[phase].end(), lists[connection.phase], connection.self);
  connection.phase = phase;
  connection.deadline_ns = now + spans[phase];
  switch (phase) {
    case kWriting:
      return watch(connection, EPOLLOUT);
    case kDeferred:
      return watch(connection, EPOLLRDHUP);
    case kRunnable:
      return watch(connection, 0);
    case kReading:
    case kIdle:
    case kLingering:
    case kPhases:
      return watch(connection, EPOLLIN);
  }
}

void HttpServer::Impl::watch(Connection& connection, uint32_t interest) {
  if (connection.interest == interest) return;
  connection.interest = interest;
  epoll_event event{interest, {.u64 = uint64_t{connection.serial} << 32 | static_cast<uint32_t>(connection.fd)}};
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, connection.fd, &event);
}

void HttpServer::Impl::close(Connection& connection) {
  if (connection.token != 0) deferred.erase(connection.token);
  ::close(connection.fd);
  by_fd[static_cast<size_t>(connection.fd)] = nullptr;
  lists[connection.phase].erase(connection.self);
  open_now.store(--open, std::memory_order_relaxed);
}

void HttpServer::Impl::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(wake_event.get(), &one, sizeof one);
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const std::string& address, uint16_t port,
                                                       const HttpLimits& limits, HttpHandler handler) {
  auto impl = std::make_unique<Impl>(limits, std::move(handler));
  const bool everywhere = address.empty() || address == "::";
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  const bool is_v6 = everywhere || ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  if (!is_v6 && ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) {
    return Error{"listen on " + address + ": not a numeric IPv4 or IPv6 address", EINVAL};
  }

  const auto* const v6_address = reinterpret_cast<const sockaddr*>(&v6);
  const auto* const v4_address = reinterpret_cast<const sockaddr*>(&v4);
  const char* call = "";
  int failure = EAFNOSUPPORT;
  if (is_v6) failure = bind_and_listen(AF_INET6, v6_address, sizeof v6, everywhere, impl->listener, call);
  if (!is_v6 || (everywhere && (failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL))) {
    failure = bind_and_listen(AF_INET, v4_address, sizeof v4, false, impl->listener, call);
  }
  if (failure != 0) {
    const std::string shown = is_v6 ? "[" + (address.empty() ? "::" : address) + "]" : address;
    return system_error("listen on " + shown + ":" + std::to_string(port) + ": " + call, failure);
  }

  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(impl->listener.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    return system_error("getsockname of the HTTP listener", errno);
  }
  impl->port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                 : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  impl->epoll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  impl->wake_event = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (impl->epoll.get() < 0 || impl->wake_event.get() < 0) return system_error("epoll or eventfd for HTTP", errno);
  for (const int fd : {impl->listener.get(), impl->wake_event.get()}) {
    epoll_event event{EPOLLIN, {.u64 = static_cast<uint64_t>(fd)}};
    if (::epoll_ctl(impl->epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return system_error("epoll_ctl for HTTP", errno);
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port; }

void HttpServer::run() { impl_->run(); }

void HttpServer::stop() {
  impl_->stopping.store(true);
  impl_->wake();
}

void HttpServer::complete(uint64_t token, HttpResponse response) {
  {
    const std::lock_guard lock(impl_->completions_mutex);
    impl_->completions.emplace_back(token, std::move(response));
  }
  impl_->wake();
}

HttpCounters HttpServer::counters() const {
  HttpCounters now;
  now.accepted = impl_->accepted.load(std::memory_order_relaxed);
  now.requests = impl_->requests.load(std::memory_order_relaxed);
  now.evicted = impl_->evicted.load(std::memory_order_relaxed);
  now.cut = impl_->cut.load(std::memory_order_relaxed);
  now.open = impl_->open_now.load(std::memory_order_relaxed);
  return now;
}

}  // namespace pulse
