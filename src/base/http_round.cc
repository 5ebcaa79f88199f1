#include "src/base/http_round.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "src/base/host_port.h"
#include "src/base/number.h"
#include "src/base/unique_fd.h"

namespace pulse {

namespace {

constexpr size_t kMostHeader = 16 * 1024;

// One request, from connecting to its last byte.
class Exchange {
 public:
  Exchange(const PeerAddress& peer, const std::string& path, const RoundLimits& limits)
      : name_(host_port_text(peer.host, peer.port)),
        limits_(limits),
        deadline_(Deadline::after(limits.within)),
        out_("GET " + path + " HTTP/1.1\r\nHost: " + name_ +
             "\r\nUser-Agent: proxysql-pulse\r\nAccept: application/json\r\nConnection: close\r\n\r\n") {
    connect(peer);
  }

  bool ended() const { return result_.has_value(); }
  Result<std::string> take() { return std::move(*result_); }
  Deadline deadline() const { return deadline_; }
  pollfd wants() const { return {fd_.get(), static_cast<short>(out_.empty() ? POLLIN : POLLOUT), 0}; }

  void go_on() {
    if (!connected_) {
      int failure = 0;
      socklen_t length = sizeof failure;
      ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
      if (failure != 0) return fail(std::strerror(failure));
      connected_ = true;
    }
    if (!out_.empty()) {
      const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return fail(std::strerror(errno));
      if (sent > 0) out_.erase(0, static_cast<size_t>(sent));
      return;
    }
    char piece[16 * 1024];
    const ssize_t got = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return fail(std::strerror(errno));
    in_.append(piece, static_cast<size_t>(got));
    if (in_.size() > limits_.most_bytes) return fail("its answer is too long");
    HttpBody answer = body_of(in_, got == 0);
    if (!answer.complete) return;
    if (!answer.body) return fail(answer.body.error().text);
    result_ = std::move(answer.body);
  }

  void fail(const std::string& why) { result_ = Error{name_ + ": " + why}; }

 private:
  void connect(const PeerAddress& peer) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(peer.port);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(peer.port);
    const bool is_v6 = ::inet_pton(AF_INET6, peer.host.c_str(), &v6.sin6_addr) == 1;
    if (!is_v6 && ::inet_pton(AF_INET, peer.host.c_str(), &v4.sin_addr) != 1) return fail("not a numeric address");
    fd_ = UniqueFd(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return fail(std::string("open a socket: ") + std::strerror(errno));
    const auto* const to = is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
    if (::connect(fd_.get(), to, is_v6 ? sizeof v6 : sizeof v4) != 0 && errno != EINPROGRESS) {
      fail(std::strerror(errno));
    }
  }

  const std::string name_;
  const RoundLimits limits_;
  const Deadline deadline_;
  UniqueFd fd_;
  bool connected_ = false;
  std::string out_;
  std::string in_;
  std::optional<Result<std::string>> result_;
};

}  // namespace

HttpBody body_of(std::string_view answer, bool ended) {
  const auto refused = [](const char* why) { return HttpBody{true, Error{why}}; };
  const size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (ended) return refused("it ended the connection before its answer");
    if (answer.size() > kMostHeader) return refused("its answer has no end of headers");
    return {};
  }
  std::string_view head = answer.substr(0, end);
  const std::string_view body = answer.substr(end + 4);
  const std::string_view line = head.substr(0, head.find("\r\n"));
  // "HTTP/1.1 200 OK"
  if (!line.starts_with("HTTP/1.") || line.size() < 12) return refused("it doesn't speak HTTP");
  if (line.substr(8, 4) != " 200") {
    return {true, Error{"HTTP status " + std::string(line.substr(9, 3))}};
  }
  std::optional<size_t> length;
  while (head.size() > line.size()) {
    const size_t begin = head.rfind("\r\n");
    if (begin == std::string_view::npos) break;
    const std::string_view header = head.substr(begin + 2);
    head = head.substr(0, begin);
    const size_t colon = header.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string name(header.substr(0, colon));
    std::string_view value = header.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    if (::strcasecmp(name.c_str(), "Transfer-Encoding") == 0) return refused("its answer comes in chunks");
    if (::strcasecmp(name.c_str(), "Content-Length") != 0) continue;
    length = to_number<size_t>(value);
    if (!length) return refused("its answer has a malformed Content-Length");
  }
  if (length && body.size() >= *length) return {true, std::string(body.substr(0, *length))};
  if (!ended) return {};
  if (length) return refused("its answer ended before it was complete");
  return {true, std::string(body)};
}

std::vector<Result<std::string>> ask_all(const std::vector<PeerAddress>& peers, const std::string& path,
                                         const RoundLimits& limits, int stop_fd) {
  std::vector<Result<std::string>> answers(peers.size(), Error{"not asked: the daemon stops"});
  struct Running {
    size_t at;
    Exchange exchange;
  };
  std::vector<std::unique_ptr<Running>> running;
  size_t next = 0;
  while (next < peers.size() || !running.empty()) {
    for (; next < peers.size() && running.size() < limits.at_once; ++next) {
      running.push_back(std::make_unique<Running>(Running{next, Exchange(peers[next], path, limits)}));
    }
    std::vector<pollfd> waits = {{stop_fd, POLLIN, 0}};
    int timeout_ms = static_cast<int>(limits.within.count());
    for (const auto& each : running) {
      if (each->exchange.ended()) timeout_ms = 0;
      waits.push_back(each->exchange.ended() ? pollfd{-1, 0, 0} : each->exchange.wants());
      timeout_ms = std::min(timeout_ms, each->exchange.deadline().poll_timeout_ms());
    }
    const int ready = ::poll(waits.data(), waits.size(), timeout_ms);
    if (ready < 0 && errno != EINTR) break;
    if (waits[0].revents != 0) break;
    for (size_t i = 0; i < running.size(); ++i) {
      Exchange& exchange = running[i]->exchange;
      if (!exchange.ended() && ready > 0 && waits[i + 1].revents != 0) exchange.go_on();
      if (!exchange.ended() && exchange.deadline().passed()) {
        exchange.fail("no answer within " + std::to_string(limits.within.count()) + " ms");
      }
      if (exchange.ended()) answers[running[i]->at] = exchange.take();
    }
    std::erase_if(running, [](const auto& each) { return each->exchange.ended(); });
  }
  return answers;
}

}  // namespace pulse
