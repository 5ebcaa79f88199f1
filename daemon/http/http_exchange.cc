#include "daemon/http/http_exchange.h"

#include <sys/socket.h>

#include <cerrno>
#include <optional>

namespace pulse {
namespace {

constexpr int kRequestsPerTurn = 16;  // so that one connection that pipelines without end can't starve the others
constexpr int kCutsPerTurn = 64;      // the same for many connections whose deadline passes together

void add(std::atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

ConnectionTable::Spans spans_of(const HttpLimits& limits) {
  ConnectionTable::Spans spans{};
  spans[kReading] = spans[kLingering] = limits.header_deadline.count();
  spans[kIdle] = limits.keep_alive_idle.count();
  spans[kWriting] = limits.write_deadline.count();
  return spans;
}

}  // namespace

HttpExchange::HttpExchange(const HttpLimits& limits, HttpHandler handler, int epoll)
    : limits_(limits), handler_(std::move(handler)), table_(epoll, spans_of(limits)) {
  render_error(408, "request not complete in time", timeout_answer_);
}

void HttpExchange::admit(UniqueFd fd, const sockaddr_storage& from, int64_t now) {
  add(accepted_);
  if (table_.size() >= limits_.max_connections && !evict()) return;
  Connection* const connection = table_.add(std::move(fd), from, now);
  if (connection != nullptr) take(&HttpExchange::receive, *connection, now);
}

void HttpExchange::on_event(uint64_t data, int64_t now) {
  Connection* const connection = table_.find(data);
  if (connection != nullptr) take(&HttpExchange::advance, *connection, now);  // else closed earlier in this turn
}

void HttpExchange::take(Step step, Connection& connection, int64_t now) {
  const uint64_t event = ConnectionTable::event_of(connection);
  bool thrown = false;
  try {
    (this->*step)(connection, now);
  } catch (...) {  // out of memory, at this connection's request
    thrown = true;
  }
  Connection* const left = table_.find(event);
  if (left == nullptr) return;
  if (thrown) {
    close(*left);
  } else {
    table_.watch(*left);
  }
}

void HttpExchange::turn(int64_t now) {
  take_completions(now);
  run_runnable(now);
  expire(now);
}

int64_t HttpExchange::idle_until(int64_t now, int64_t latest) const {
  return table_.count(kRunnable) != 0 ? now : table_.next_deadline(latest);
}

void HttpExchange::complete(uint64_t token, HttpResponse response) {
  const std::lock_guard lock(completions_mutex_);
  completions_.emplace_back(token, std::move(response));
}

HttpCounters HttpExchange::counters() const {
  HttpCounters now;
  now.accepted = accepted_.load(std::memory_order_relaxed);
  now.requests = requests_.load(std::memory_order_relaxed);
  now.evicted = evicted_.load(std::memory_order_relaxed);
  now.cut = cut_.load(std::memory_order_relaxed);
  now.open = table_.size();
  return now;
}

bool HttpExchange::evict() {
  for (const Phase phase : {kLingering, kReading, kIdle, kWriting}) {
    Connection* const connection = table_.first(phase);
    if (connection == nullptr) continue;
    add(evicted_);
    close(*connection);
    return true;
  }
  return false;
}

void HttpExchange::take_completions(int64_t now) {
  std::vector<std::pair<uint64_t, HttpResponse>> taken;
  {
    const std::lock_guard lock(completions_mutex_);
    taken.swap(completions_);
  }
  for (const auto& [token, response] : taken) {
    const auto found = deferred_.find(token);
    if (found == deferred_.end()) continue;
    Connection& connection = *found->second;
    deferred_.erase(found);
    connection.token = 0;
    try {
      RequestHead head = parse_head(std::string_view(connection.in).substr(0, connection.frame.scanned + 4));
      answer(connection, head, &response);
      connection.forget_request();
    } catch (...) {
      close(connection);
      continue;
    }
    take(&HttpExchange::serve, connection, now);
  }
}

void HttpExchange::expire(int64_t now) {
  int left = kCutsPerTurn;
  for (size_t phase = 0; phase < kPhases; ++phase) {
    while (left > 0) {
      Connection* const connection = table_.overdue(static_cast<Phase>(phase), now);
      if (connection == nullptr) break;
      --left;
      if (phase == kReading && !connection->in.empty()) {
        ::send(connection->fd.get(), timeout_answer_.data(), timeout_answer_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      }
      add(cut_);
      close(*connection);
    }
  }
}

void HttpExchange::run_runnable(int64_t now) {
  for (size_t count = table_.count(kRunnable); count > 0; --count) {
    Connection* const connection = table_.first(kRunnable);
    if (connection == nullptr) return;
    take(&HttpExchange::serve, *connection, now);
  }
}

void HttpExchange::advance(Connection& connection, int64_t now) {
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

void HttpExchange::receive(Connection& connection, int64_t now) {
  const ssize_t count = ::recv(connection.fd.get(), chunk_.data(), chunk_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // What is left in `in` when the peer ends its sending is no complete request.
  if (count <= 0) return close(connection);
  connection.in.append(chunk_.data(), static_cast<size_t>(count));
  serve(connection, now);
}

void HttpExchange::discard_input(Connection& connection) {
  const ssize_t count = ::recv(connection.fd.get(), chunk_.data(), chunk_.size(), 0);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) close(connection);
}

// Answers the complete requests at the front of `in`, in their order, then writes.
void HttpExchange::serve(Connection& connection, int64_t now) {
  Phase next = connection.token != 0 ? kDeferred : kRunnable;
  // One more piece of a request doesn't renew its deadline, but a request that follows an answer has its own.
  bool same_request = connection.phase == kReading;
  for (int i = 0; next == kRunnable && i < kRequestsPerTurn && !connection.close_after; ++i) {
    RequestHead head;
    if (connection.in.empty()) {
      next = kIdle;
    } else if (KnownRequest* const known = known_.find(connection.in); known != nullptr) {
      answer_known(connection, *known);
      if (connection.token != 0) {
        next = kDeferred;
      } else {
        connection.forget_request();
      }
      same_request = false;
    } else if (!next_request(connection, head)) {
      next = kReading;
    } else {
      answer(connection, head, nullptr);
      if (connection.token != 0) {
        next = kDeferred;
      } else {
        connection.forget_request();
      }
      same_request = false;
    }
  }
  if (!connection.close_after && !(next == kReading && same_request)) table_.enter(connection, next, now);
  flush(connection, now);
}

// Whether a complete request is at the front of `in`; if so, `head` describes it. Refuses what can't become one.
bool HttpExchange::next_request(Connection& connection, RequestHead& head) {
  const Framing framing = connection.next_request({limits_.max_header_bytes, limits_.max_body_bytes}, head);
  if (framing == Framing::refused) refuse(connection, head.refused, head.reason);
  return framing == Framing::complete;
}

// What answer() does, for one that came before.
void HttpExchange::answer_known(Connection& connection, KnownRequest& known) {
  connection.frame = {known.head.size() - 4, known.head.size()};
  connection.sign(known.request);
  const std::optional<HttpResponse> made = ask(known.request);
  if (!made) {
    deferred_.emplace(known.request.token, &connection);
    connection.token = known.request.token;
    return;
  }
  if (!known.keep_alive) connection.close_after = true;
  if (known.write(*made, connection.out)) return;
  const size_t before = connection.out.size();
  const auto source = [&made](const std::string&, const std::string&) -> std::optional<HttpResponse> { return *made; };
  const std::string_view line = std::string_view(known.head).substr(0, known.head.find("\r\n") + 2);
  engine_.answer(line, known.http_1_0, known.keep_alive, source, connection.out);
  known.learn(*made, std::string_view(connection.out).substr(before));
}

// The handler's answer; nothing if it defers it.
std::optional<HttpResponse> HttpExchange::ask(HttpRequest& request) {
  request.token = ++last_token_;
  add(requests_);
  try {
    return handler_(request);
  } catch (...) {
    return http_error(500, "internal error");
  }
}

// Appends the answer to the request at the front of `in` to `out`, or sets `token` if the handler defers it. `ready` is
// the answer of a request that was deferred before.
void HttpExchange::answer(Connection& connection, RequestHead& head, const HttpResponse* ready) {
  HttpRequest request;
  const HttpEngine::Source source = [&](const std::string& method,
                                        const std::string& path) -> std::optional<HttpResponse> {
    if (ready != nullptr) return *ready;
    request = connection.request(head);
    request.is_head = method == "HEAD";
    request.method = request.is_head ? "GET" : method;
    request.path = path;
    return ask(request);
  };
  if (!head.keep_alive) connection.close_after = true;
  try {
    const auto outcome = engine_.answer(head.request_line, head.http_1_0, head.keep_alive, source, connection.out);
    if (outcome == HttpEngine::Outcome::refused) {
      connection.close_after = connection.linger = true;
    } else if (outcome == HttpEngine::Outcome::deferred) {
      deferred_.emplace(request.token, &connection);
      connection.token = request.token;
      connection.close_after = false;  // not before the answer
    } else if (ready == nullptr && request.method == "GET" && !request.is_head && head.content_length == 0) {
      const std::string_view text = std::string_view(connection.in).substr(0, connection.frame.needed);
      known_.remember(text, std::move(request), head.http_1_0, head.keep_alive);
    }
  } catch (...) {
    refuse(connection, 500, "internal error");
  }
}

void HttpExchange::refuse(Connection& connection, int status, const char* reason) {
  connection.close_after = connection.linger = true;
  render_error(status, reason, connection.out);
}

void HttpExchange::render_error(int status, const char* reason, std::string& out) {
  engine_.answer(
      "GET / HTTP/1.1\r\n", false, false,
      [&](const std::string&, const std::string&) { return http_error(status, reason); }, out);
}

void HttpExchange::flush(Connection& connection, int64_t now) {
  switch (connection.send()) {
    case Connection::Sent::failed:
      return close(connection);
    case Connection::Sent::blocked:
      if (connection.phase != kWriting) table_.enter(connection, kWriting, now);
      return;
    case Connection::Sent::all:
      break;
  }
  if (connection.linger) {
    ::shutdown(connection.fd.get(), SHUT_WR);
    table_.enter(connection, kLingering, now);
  } else if (connection.close_after) {
    close(connection);
  } else if (connection.phase == kWriting) {
    serve(connection, now);  // what was buffered meanwhile
  }
}

void HttpExchange::close(Connection& connection) {
  if (connection.token != 0) deferred_.erase(connection.token);
  table_.remove(connection);
}

}  // namespace pulse
