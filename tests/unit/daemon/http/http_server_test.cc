#include "daemon/http/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "src/base/clock.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// How long a test waits for what should come at once. Only a failing test waits that long.
constexpr milliseconds kPatience{10'000};

template <class Condition>
bool eventually(Condition condition) {
  const Deadline deadline = Deadline::after(kPatience);
  while (!condition()) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

class Client {
 public:
  explicit Client(uint16_t port, const char* address = "127.0.0.1") {
    sockaddr_in6 v6{};
    sockaddr_in v4{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    const bool is_v6 = ::inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
    if (!is_v6) ::inet_pton(AF_INET, address, &v4.sin_addr);
    fd_ = ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* const to = is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
    connected_ = ::connect(fd_, to, is_v6 ? sizeof v6 : sizeof v4) == 0;
  }
  Client(Client&& other) noexcept : fd_(other.fd_), connected_(other.connected_), buffer_(std::move(other.buffer_)) {
    other.fd_ = -1;
  }
  Client(const Client&) = delete;
  ~Client() { close(); }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd() const { return fd_; }
  bool connected() const { return connected_; }
  bool send(const std::string& text) const {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  // One answer, or what came of it by the end of the connection or of our patience.
  std::string answer(bool has_body = true) {
    size_t length = std::string::npos;
    while (true) {
      const size_t end = buffer_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const size_t field = buffer_.find("Content-Length: ");
        length = end + 4 + (has_body && field < end ? std::stoul(buffer_.substr(field + 16, 20)) : 0);
      }
      if (buffer_.size() >= length || !more(kPatience)) break;
    }
    std::string taken = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return taken;
  }

  std::string ask(const std::string& request) {
    send(request);
    return answer();
  }

  // Everything until the server closes. Fails the test if it doesn't.
  std::string rest() {
    while (more(kPatience)) {
    }
    EXPECT_TRUE(ended_) << "still open";
    return buffer_;
  }

  void shrink() { buffer_.shrink_to_fit(); }

  // Whether the server has closed, without waiting.
  bool closed() {
    while (more(milliseconds(0))) {
    }
    return ended_;
  }

 private:
  bool more(milliseconds patience) {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return false;
    char chunk[65536];
    const ssize_t count = ::recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (count > 0) buffer_.append(chunk, static_cast<size_t>(count));
    ended_ = ended_ || count == 0 || (count < 0 && errno == ECONNRESET);
    return count > 0;
  }

  int fd_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string buffer_;
};

// What the tests' handler does: "/echo" shows what it was given, "/defer" keeps the token, "/big" is larger than any
// socket buffer.
class HttpServerTest : public ::testing::Test {
 protected:
  void start(const std::string& address = "127.0.0.1") {
    auto listening =
        HttpServer::listen(address, 0, limits, [this](const HttpRequest& request) { return handle(request); });
    ASSERT_TRUE(listening) << listening.error().text;
    server = std::move(*listening);
    thread = std::thread([this] { server->run(); });
  }
  void TearDown() override { stop(); }
  void stop() {
    if (thread.joinable()) {
      server->stop();
      thread.join();
    }
  }

  std::optional<HttpResponse> handle(const HttpRequest& request) {
    if (request.path == "/defer" || (request.path == "/later" && defers)) {
      token.store(request.token);
      return std::nullopt;
    }
    if (request.path == "/count") return HttpResponse{200, std::to_string(count++)};
    if (request.path == "/throw") throw std::runtime_error("secret");
    if (request.path == "/big") return HttpResponse{200, std::string(32'000'000, 'x'), "text/plain"};
    if (request.path == "/down") return HttpResponse{503, "down", "text/plain", {{"Retry-After", "1"}}};
    if (request.path == "/method") return HttpResponse{405, {}, "text/plain", {{"Allow", "POST"}}};
    return HttpResponse{200, request.method + " " + request.path + " from " + request.remote_address +
                                 (request.remote_is_loopback ? " loopback" : " remote") +
                                 " x=" + std::string(request.header("x-THING")) + " body=" + request.body + "\n"};
  }

  Client client() { return Client(server->port()); }

  HttpLimits limits;
  std::unique_ptr<HttpServer> server;
  std::thread thread;
  std::atomic<uint64_t> token{0};
  std::atomic<bool> defers{false};
  int count = 0;
};

const std::string kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(HttpServerTest, AnswersAGet) {
  start();
  const std::string answer = client().ask("GET /a%20b?q=1 HTTP/1.1\r\nHost: h\r\nX-Thing:  yes%41 \r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answer, HasSubstr("GET /a b from 127.0.0.1 loopback x=yes%41 body=\n"));
}

TEST_F(HttpServerTest, HandlersStatusBodyAndHeadersAreKept) {
  start();
  const std::string down = client().ask("GET /down HTTP/1.1\r\n\r\n");
  EXPECT_THAT(down, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(down, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(down, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(down, HasSubstr("\r\n\r\ndown"));
  const std::string method = client().ask("GET /method HTTP/1.1\r\n\r\n");
  EXPECT_THAT(method, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(method, HasSubstr("Allow: POST\r\n"));
}

TEST_F(HttpServerTest, ListensOnAnIpv6Address) {
  start("::1");
  EXPECT_THAT(Client(server->port(), "::1").ask(kGet), HasSubstr("from ::1 loopback"));
  EXPECT_FALSE(Client(server->port(), "127.0.0.1").connected());
}

TEST_F(HttpServerTest, ListensOnBothFamiliesByDefault) {
  start("");
  EXPECT_THAT(Client(server->port(), "127.0.0.1").ask(kGet), HasSubstr("from 127.0.0.1 loopback"));
  EXPECT_THAT(Client(server->port(), "::1").ask(kGet), HasSubstr("from ::1 loopback"));
}

TEST_F(HttpServerTest, SaysWhyItCantListen) {
  start();
  const auto taken = HttpServer::listen("127.0.0.1", server->port(), limits, {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, EADDRINUSE);
  EXPECT_THAT(taken.error().text, HasSubstr("127.0.0.1:" + std::to_string(server->port())));
  EXPECT_FALSE(HttpServer::listen("localhost", 0, limits, {}));
}

TEST_F(HttpServerTest, HeadIsAGetWithoutTheBody) {
  start();
  Client probe = client();
  const std::string get = probe.ask(kGet);
  probe.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = probe.answer(false);
  EXPECT_EQ(head, get.substr(0, get.find("\r\n\r\n") + 4));
  EXPECT_EQ(probe.ask(kGet), get) << "no byte of a body may follow a HEAD's answer";
}

TEST_F(HttpServerTest, KeepsTheConnectionUnlessAskedNotTo) {
  start();
  Client kept = client();
  for (int i = 0; i < 20; ++i) EXPECT_THAT(kept.ask(kGet), Not(HasSubstr("Connection:")));
  EXPECT_EQ(server->counters().accepted, 1u);

  for (const char* const request :
       {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nconnection: TE , CLOSE\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n"}) {
    Client probe = client();
    probe.send(request);
    const std::string answer = probe.rest();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n")) << request;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << request;
  }

  Client old = client();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(old.ask("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), HasSubstr("Connection: keep-alive\r\n"));
  }
  EXPECT_FALSE(old.closed());
}

// What came before is known, and isn't read again.
TEST_F(HttpServerTest, TheSameRequestHasTheSameAnswerAgain) {
  start();
  for (const char* const request :
       {"GET /a%20b?q HTTP/1.1\r\nHost: h\r\nX-Thing: 1\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
        "GET /down HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /throw HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
        "GET /a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nyo",
        "GET /a HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n", "POST /a HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\n", "GARBAGE / HTTP/1.1\r\n\r\n"}) {
    const auto ask = [&] {
      Client probe = client();
      probe.send(request);
      return probe.rest();
    };
    const std::string first = ask();
    EXPECT_THAT(first, StartsWith("HTTP/1.1 "));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(first, ask()) << request;
  }
  EXPECT_THAT(Client(server->port()).ask(kGet), HasSubstr("from 127.0.0.1"));
}

TEST_F(HttpServerTest, AKnownRequestIsAskedAnew) {
  start("");
  Client probe = client();
  const auto body = [](const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); };
  for (int i = 0; i < 12; ++i) {
    const std::string answer = probe.ask("GET /count HTTP/1.1\r\n\r\n");
    EXPECT_EQ(std::to_string(i), body(answer));
    EXPECT_THAT(answer, HasSubstr("Content-Length: " + std::to_string(i < 10 ? 1 : 2) + "\r\n"));
  }
  EXPECT_EQ(12u, server->counters().requests);
  for (const char* const address : {"127.0.0.1", "::1", "127.0.0.1"}) {
    EXPECT_THAT(Client(server->port(), address).ask(kGet), HasSubstr(std::string("from ") + address + " loopback"));
  }
}

TEST_F(HttpServerTest, AKnownRequestMayBeDeferredThisTime) {
  start();
  EXPECT_THAT(client().ask("GET /later HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("/later"));
  EXPECT_THAT(client().ask("GET /later HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("/later"));
  defers = true;
  Client probe = client();
  probe.send("GET /later HTTP/1.1\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return token.load() != 0; }));
  EXPECT_FALSE(probe.closed());
  server->complete(token.load(), HttpResponse{200, "now"});
  EXPECT_THAT(probe.rest(), HasSubstr("\r\n\r\nnow"));
}

TEST_F(HttpServerTest, AnswersAClientThatHasEndedItsSending) {
  start();
  Client probe = client();
  probe.send(kGet);
  ::shutdown(probe.fd(), SHUT_WR);
  EXPECT_THAT(probe.rest(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  Client probe = client();
  const int64_t before = monotonic_ns();
  std::string all;
  for (int i = 0; i < 300; ++i) {
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 3\r\n\r\n" + std::to_string(100 + i);
  }
  probe.send(all);
  for (int i = 0; i < 300; ++i) {
    const std::string answer = probe.answer();
    EXPECT_THAT(answer, HasSubstr("POST /" + std::to_string(i) + " "));
    EXPECT_THAT(answer, HasSubstr("body=" + std::to_string(100 + i) + "\n"));
  }
  EXPECT_LT(monotonic_ns() - before, 2'000'000'000) << "turns are taken without waiting";
}

TEST_F(HttpServerTest, NothingAfterAClosingRequestIsAnswered) {
  start();
  Client probe = client();
  probe.send("GET /1 HTTP/1.1\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  const std::string answers = probe.rest();
  EXPECT_THAT(answers, HasSubstr("GET /1"));
  EXPECT_THAT(answers, Not(HasSubstr("GET /2")));
}

TEST_F(HttpServerTest, ARequestMayComeInAnyPieces) {
  start();
  const std::string request = "POST /p HTTP/1.1\r\nX-Thing: v\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t cut = 1; cut < request.size(); ++cut) {
    Client probe = client();
    probe.send(request.substr(0, cut));
    if (cut % 8 == 0) std::this_thread::sleep_for(milliseconds(1));  // let it be read by itself now and then
    probe.send(request.substr(cut));
    EXPECT_THAT(probe.answer(), HasSubstr("POST /p from 127.0.0.1 loopback x=v body=hello\n")) << cut;
  }
}

TEST_F(HttpServerTest, SendsContinueToThoseWhoWaitForIt) {
  start();
  Client probe = client();
  probe.send("POST /p HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(probe.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  probe.send("he");
  probe.send("llo");
  EXPECT_THAT(probe.answer(), HasSubstr("body=hello\n"));
}

TEST_F(HttpServerTest, RefusesWhatItCantFrame) {
  start();
  const std::string long_value(9000, 'v');
  const struct {
    std::string request;
    int status;
  } cases[] = {
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nA: b\r\n\r\nx", 400},
      {"NONSENSE / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: b\r\n\r\n", 400},
      {std::string("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24), 400},
      {"\x16\x03\x01\x02", 400},  // TLS: refused without the end of a header
      {"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
      {"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\nA: " + long_value + "\r\n\r\n", 431},
      {"GET /" + long_value, 431},
  };
  for (const auto& refused : cases) {
    Client probe = client();
    probe.send(refused.request);
    const std::string answer = probe.rest();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(refused.status) + " ")) << refused.request;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << refused.request;
    EXPECT_THAT(answer, HasSubstr("\r\n\r\n{\"status\":\"error\",\"message\":\"")) << refused.request;
  }
  EXPECT_THAT(client().ask(kGet), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, TheRefusalArrivesThoughTheBodyIsStillBeingSent) {
  start();
  Client probe = client();
  probe.send("POST / HTTP/1.1\r\nContent-Length: 16000000\r\n\r\n");
  EXPECT_TRUE(probe.send(std::string(16'000'000, 'x'))) << "a reset could overtake the answer";
  EXPECT_THAT(probe.answer(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, AcceptsTheLargestBodyAndHeader) {
  start();
  EXPECT_THAT(client().ask("POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n" + std::string(65'536, 'b')),
              HasSubstr("body=bbbb"));
  const std::string rest = " HTTP/1.1\r\n\r\n";
  EXPECT_THAT(client().ask("GET /" + std::string(8192 - 5 - rest.size(), 'p') + rest), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpServerTest, HeadersThatTurnOnFeaturesElsewhereChangeNothing) {
  start();
  const std::string plain = client().ask(kGet);
  EXPECT_EQ(client().ask("GET /a HTTP/1.1\r\nRange: bytes=0-1, 5-,,," + std::string(7000, ',') +
                         "\r\nAccept-Encoding: gzip, br\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "X-Forwarded-For: 8.8.8.8\r\nREMOTE_ADDR: 8.8.8.8\r\n\r\n"),
            plain);
}

TEST_F(HttpServerTest, AThrowingHandlerIsA500) {
  start();
  Client probe = client();
  const std::string answer = probe.ask("GET /throw HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, HasSubstr(R"({"status":"error","message":"internal error"})"));
  EXPECT_THAT(answer, Not(HasSubstr("secret")));
  EXPECT_THAT(probe.ask(kGet), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, CutsASilentConnection) {
  limits.header_deadline = milliseconds(300);
  start();
  const int64_t before = monotonic_ns();
  Client silent = client();
  EXPECT_EQ(silent.rest(), "");
  EXPECT_GE(monotonic_ns() - before, 300'000'000);
  EXPECT_LT(monotonic_ns() - before, 2'000'000'000);
}

TEST_F(HttpServerTest, CutsASenderThatTricklesAtTheDeadline) {
  limits.header_deadline = milliseconds(400);
  start();
  for (const char* const prefix : {"", "POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"}) {
    const int64_t before = monotonic_ns();
    Client slow = client();
    slow.send(prefix);
    const Deadline deadline = Deadline::after(kPatience);
    while (!slow.closed() && !deadline.passed()) {
      slow.send("G");
      std::this_thread::sleep_for(milliseconds(20));
    }
    EXPECT_GE(monotonic_ns() - before, 400'000'000);
    EXPECT_LT(monotonic_ns() - before, 2'000'000'000);
    EXPECT_THAT(slow.rest(), StartsWith("HTTP/1.1 408 "));
  }
  EXPECT_EQ(server->counters().cut, 2u);
}

TEST_F(HttpServerTest, AKeptConnectionHasTheDeadlineFromTheNextRequestsFirstByte) {
  limits.header_deadline = milliseconds(300);
  start();
  Client kept = client();
  kept.ask(kGet);
  pollfd waiting{kept.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 600), 0) << "an idle connection is not held to the header deadline";
  // The last bytes of one request, slow itself, come together with the first one of the next.
  kept.send(kGet.substr(0, 9));
  EXPECT_EQ(::poll(&waiting, 1, 200), 0);
  const int64_t before = monotonic_ns();
  kept.send(kGet.substr(9) + "G");
  EXPECT_THAT(kept.answer(), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(kept.rest(), StartsWith("HTTP/1.1 408 "));
  EXPECT_GE(monotonic_ns() - before, 300'000'000);
  EXPECT_LT(monotonic_ns() - before, 2'000'000'000);
}

TEST_F(HttpServerTest, ClosesAnIdleConnectionAfterAWhile) {
  limits.keep_alive_idle = milliseconds(300);
  start();
  Client kept = client();
  kept.ask(kGet);
  const int64_t before = monotonic_ns();
  EXPECT_EQ(kept.rest(), "");
  EXPECT_GE(monotonic_ns() - before, 200'000'000);
  EXPECT_LT(monotonic_ns() - before, 2'000'000'000);
}

TEST_F(HttpServerTest, CutsAPeerThatDoesntReadItsAnswer) {
  limits.write_deadline = milliseconds(300);
  start();
  Client deaf = client();
  deaf.send("GET /big HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server->counters().requests == 1; }));
  const int64_t before = monotonic_ns();
  Client probe = client();
  EXPECT_THAT(probe.ask(kGet), StartsWith("HTTP/1.1 200 OK"));
  ASSERT_TRUE(eventually([&] { return server->counters().cut == 1; }));
  EXPECT_GE(monotonic_ns() - before, 200'000'000);
  EXPECT_LT(monotonic_ns() - before, 2'000'000'000);
}

TEST_F(HttpServerTest, WritesALargeAnswerToAPeerThatReads) {
  limits.write_deadline = kPatience;
  start();
  Client probe = client();
  const std::string answer = probe.ask("GET /big HTTP/1.1\r\n\r\n");
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, 32'000'000u);
  EXPECT_THAT(probe.ask(kGet), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpServerTest, EvictsTheLongestWaitingHalfOpenConnectionFirst) {
  limits.max_connections = 8;
  limits.header_deadline = seconds(60);
  start();
  Client idle = client();
  idle.ask(kGet);
  std::vector<Client> half_open;
  for (int i = 0; i < 7; ++i) {
    half_open.push_back(client());
    half_open.back().send("GET /");
    ASSERT_TRUE(eventually([&] { return server->counters().open == static_cast<uint64_t>(i) + 2; }));
  }
  Client newcomer = client();
  EXPECT_THAT(newcomer.ask(kGet), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(half_open[0].rest(), "");
  for (size_t i = 1; i < half_open.size(); ++i) EXPECT_FALSE(half_open[i].closed()) << i;
  EXPECT_THAT(idle.ask(kGet), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(server->counters().evicted, 1u);
  EXPECT_EQ(server->counters().open, 8u);
}

TEST_F(HttpServerTest, EvictsIdleConnectionsIfThereAreNoOthersButNeverADeferredOne) {
  limits.max_connections = 2;
  start();
  Client waiting = client();
  waiting.send("GET /defer HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return token.load() != 0; }));
  Client idle = client();
  idle.ask(kGet);
  EXPECT_THAT(client().ask(kGet), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(idle.rest(), "");
  server->complete(token, HttpResponse{200, "done"});
  EXPECT_THAT(waiting.answer(), HasSubstr("done"));
}

TEST_F(HttpServerTest, ProbesPassThroughHundredsOfHalfOpenAndTricklingConnections) {
  start();
  std::vector<Client> hostile;
  for (int i = 0; i < 512; ++i) {
    hostile.push_back(client());
    if (i % 2 == 0) hostile.back().send("GET /healthz HTTP/1.1\r\nHost:");
  }
  std::atomic<bool> done{false};
  std::thread trickler([&] {
    std::vector<Client> slow;
    for (int i = 0; i < 64; ++i) slow.push_back(client());
    while (!done) {
      for (const Client& sender : slow) sender.send("G");
      for (int i = 0; i < 100 && !done; ++i) std::this_thread::sleep_for(milliseconds(10));
    }
  });
  int answered = 0;
  int64_t slowest = 0;
  for (int i = 0; i < 200; ++i) {
    const int64_t before = monotonic_ns();
    if (client().ask(kGet).starts_with("HTTP/1.1 200 OK")) ++answered;
    slowest = std::max(slowest, monotonic_ns() - before);
  }
  done = true;
  trickler.join();
  EXPECT_EQ(answered, 200);
  EXPECT_LT(slowest, 500'000'000);
  // And all of the hostile ones go within the deadline, which began at their accept.
  EXPECT_TRUE(eventually([&] { return server->counters().open == 0; }));
}

TEST_F(HttpServerTest, ProbesPassThroughMoreHostileConnectionsThanItHolds) {
  limits.max_connections = 64;
  limits.header_deadline = seconds(60);
  start();
  std::vector<Client> hostile;
  int answered = 0;
  for (int i = 0; i < 300; ++i) {
    hostile.push_back(client());
    hostile.back().send("GET /");
    if (i % 3 == 0 && client().ask(kGet).starts_with("HTTP/1.1 200 OK")) ++answered;
  }
  EXPECT_EQ(answered, 100);
  EXPECT_LE(server->counters().open, 64u);
}

TEST_F(HttpServerTest, ADeferredRequestIsAnsweredLaterWhileOthersGoOn) {
  start();
  Client waiting = client();
  waiting.send("POST /defer HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /after HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return token.load() != 0; }));
  for (int i = 0; i < 10; ++i) EXPECT_THAT(client().ask(kGet), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_FALSE(waiting.closed());
  std::thread completer([&] { server->complete(token, HttpResponse{202, "done", "text/plain"}); });
  const std::string answer = waiting.answer();
  completer.join();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 202 "));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\ndone"));
  EXPECT_THAT(waiting.answer(), HasSubstr("GET /after"));
  EXPECT_EQ(server->counters().requests, 12u) << "the handler is asked once";
}

TEST_F(HttpServerTest, ADeferredRequestOutlivesTheDeadlinesAndThenHonoursClose) {
  limits.header_deadline = limits.keep_alive_idle = limits.write_deadline = milliseconds(50);
  start();
  Client waiting = client();
  waiting.send("GET /defer HTTP/1.1\r\nConnection: close\r\n\r\n");
  pollfd nothing{waiting.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&nothing, 1, 300), 0);
  server->complete(token, HttpResponse{200, "done"});
  EXPECT_THAT(waiting.rest(), HasSubstr("done"));
}

TEST_F(HttpServerTest, DeadTokensAreIgnored) {
  start();
  server->complete(12345, HttpResponse{200, "nobody"});
  auto leaving = std::make_unique<Client>(client());
  leaving->send("GET /defer HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return token.load() != 0; }));
  leaving.reset();
  ASSERT_TRUE(eventually([&] { return server->counters().open == 0; })) << "its connection is given up at once";
  // A newcomer gets the same descriptor, but not the answer.
  Client newcomer = client();
  const uint64_t dead = token.load();
  newcomer.send("GET /defer HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return token.load() != dead; }));
  server->complete(dead, HttpResponse{200, "wrong"});
  server->complete(token, HttpResponse{200, "right"});
  server->complete(token, HttpResponse{200, "twice"});
  EXPECT_THAT(newcomer.answer(), HasSubstr("right"));
  const std::string next = newcomer.ask(kGet);
  EXPECT_THAT(next, HasSubstr("GET /a"));
  EXPECT_THAT(next, Not(HasSubstr("twice")));
}

TEST_F(HttpServerTest, CompletingFromInsideTheHandlerWorks) {
  auto listening = HttpServer::listen("127.0.0.1", 0, limits, [this](const HttpRequest& request) {
    server->complete(request.token, HttpResponse{200, "early"});
    return std::optional<HttpResponse>();
  });
  ASSERT_TRUE(listening);
  server = std::move(*listening);
  thread = std::thread([this] { server->run(); });
  EXPECT_THAT(client().ask(kGet), HasSubstr("early"));
}

TEST_F(HttpServerTest, StopsWithinATenthOfASecond) {
  start();
  Client half_open = client();
  Client waiting = client();
  waiting.send("GET /defer HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return token.load() != 0; }));
  const int64_t before = monotonic_ns();
  stop();
  EXPECT_LT(monotonic_ns() - before, 100'000'000);
}

TEST_F(HttpServerTest, WhatWasCompletedBeforeStopIsStillWritten) {
  auto listening = HttpServer::listen("127.0.0.1", 0, limits, [this](const HttpRequest& request) {
    server->complete(request.token, HttpResponse{200, "last"});
    server->stop();
    return std::optional<HttpResponse>();
  });
  ASSERT_TRUE(listening);
  server = std::move(*listening);
  thread = std::thread([this] { server->run(); });
  EXPECT_THAT(client().ask(kGet), HasSubstr("last"));
}

TEST_F(HttpServerTest, StopBeforeRunCounts) {
  auto listening = HttpServer::listen("127.0.0.1", 0, limits, {});
  ASSERT_TRUE(listening);
  (*listening)->stop();
  (*listening)->run();
}

// Leaves this process not one free descriptor but the one that `for_client` gives back.
class NoDescriptors {
 public:
  NoDescriptors() : spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    const int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(lowest_free);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(lowest_free);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void for_client() const { ::close(spare_); }

 private:
  int spare_;
  rlimit before_{};
};

TEST_F(HttpServerTest, ProbesPassWhenThereAreNoDescriptorsLeft) {
  limits.header_deadline = seconds(60);
  start();
  Client hostile = client();
  hostile.send("GET /");
  Client idle = client();
  idle.ask(kGet);
  // The first answer may come before the server's last accept(2), which has a descriptor for a moment.
  idle.ask(kGet);
  std::string answer;
  {
    const NoDescriptors none;
    none.for_client();
    answer = client().ask(kGet);
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(hostile.rest(), "");
  EXPECT_THAT(idle.ask(kGet), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(server->counters().evicted, 1u);
}

TEST_F(HttpServerTest, RefusesRatherThanSpinsWhenNoDescriptorCanBeGivenUp) {
  start();
  client().ask(kGet);
  ASSERT_TRUE(eventually([&] { return server->counters().open == 0; }));
  std::string answer = "none";
  {
    const NoDescriptors none;
    none.for_client();
    answer = client().rest();
  }
  EXPECT_EQ(answer, "");
  EXPECT_THAT(client().ask(kGet), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpServerTest, AnIdleConnectionCostsLittleMemory) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 3000) GTEST_SKIP() << "RLIMIT_NOFILE is " << files.rlim_cur;
  start();
  std::vector<Client> idle;
  idle.reserve(1000);
  client().ask(kGet);
  const size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < 1000; ++i) idle.push_back(client());
  for (Client& one : idle) one.ask(kGet);
  const std::string large = "POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + std::string(60'000, 'b');
  for (size_t i = 0; i < 10; ++i) {
    idle[i].send(large);
    idle[i].answer();
    idle[i].shrink();
  }
  const size_t after = ::mallinfo2().uordblks;
  EXPECT_EQ(server->counters().open, 1000u);
  // Some 200 bytes of it are the clients', which are in this process too.
  EXPECT_LT((after - before) / 1000, 800u);
}

}  // namespace
}  // namespace pulse
