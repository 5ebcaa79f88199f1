#include "src/base/http_round.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <functional>
#include <list>
#include <thread>

#include "src/base/unique_fd.h"
#include "tests/loopback.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

// A server that takes each connection's request and does as it is told with the connection.
class Peer {
 public:
  explicit Peer(std::function<void(int)> serve)
      : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = test::loopback_address(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(0, ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length));
    EXPECT_EQ(0, ::listen(listener_.get(), 64));
    EXPECT_EQ(0, ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length));
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        std::string request;
        char piece[4096];
        while (request.find("\r\n\r\n") == request.npos) {
          const ssize_t got = ::recv(client.get(), piece, sizeof piece, 0);
          if (got <= 0) break;
          request.append(piece, static_cast<size_t>(got));
        }
        requests_.push_back(request);
        serve_(client.get());
      }
    });
  }
  ~Peer() { stop(); }
  void stop() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  PeerAddress address() const { return {"127.0.0.1", port_}; }
  const std::list<std::string>& requests() const { return requests_; }  // after stop()

 private:
  const std::function<void(int)> serve_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::list<std::string> requests_;
  std::thread thread_;
};

std::function<void(int)> says(const std::string& text) {
  return [text](int client) { static_cast<void>(::send(client, text.data(), text.size(), MSG_NOSIGNAL)); };
}

// Says this, and keeps the connection until the peer ends it.
std::function<void(int)> says_and_stays(const std::string& text) {
  return [text](int client) {
    static_cast<void>(::send(client, text.data(), text.size(), MSG_NOSIGNAL));
    char rest = 0;
    static_cast<void>(::recv(client, &rest, 1, 0));
  };
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCONTENT-LENGTH:  " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class HttpRoundTest : public ::testing::Test {
 protected:
  std::vector<Result<std::string>> ask(const std::vector<PeerAddress>& peers) {
    return ask_all(peers, "/status", limits_, stop_.get());
  }
  RoundLimits limits_;
  UniqueFd stop_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

TEST_F(HttpRoundTest, EachAnswerStandsInItsPlace) {
  Peer one(says_and_stays(ok("one"))), two(says("HTTP/1.0 200 OK\r\n\r\ntwo, to the end")),
      refusing(says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
  const auto answers =
      ask({one.address(), two.address(), refusing.address(), one.address(), {"127.0.0.1", 1}, {"core-0", 8080}});
  ASSERT_EQ(6u, answers.size());
  EXPECT_EQ("one", *answers[0]);
  EXPECT_EQ("two, to the end", *answers[1]);
  EXPECT_THAT(answers[2].error().text, HasSubstr("HTTP status 503"));
  EXPECT_EQ("one", *answers[3]);
  EXPECT_EQ("127.0.0.1:1: Connection refused", answers[4].error().text);
  EXPECT_EQ("core-0:8080: not a numeric address", answers[5].error().text);
  one.stop();
  EXPECT_THAT(one.requests().front(), HasSubstr("GET /status HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_F(HttpRoundTest, ManyAreAskedAFewAtATime) {
  Peer peer(says(ok("x")));
  limits_.at_once = 3;
  const auto answers = ask(std::vector<PeerAddress>(20, peer.address()));
  ASSERT_EQ(20u, answers.size());
  for (const auto& answer : answers) EXPECT_TRUE(answer) << answer.error().text;
}

TEST_F(HttpRoundTest, WhoIsSilentOrSlowIsLateAndHoldsNobodyUp) {
  limits_.within = milliseconds(300);
  Peer silent(says_and_stays("")), half(says_and_stays("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")),
      good(says(ok("x")));
  const int64_t began = monotonic_ns();
  const auto answers = ask({silent.address(), half.address(), good.address()});
  EXPECT_LT(monotonic_ns() - began, 2'000'000'000);
  EXPECT_THAT(answers[0].error().text, HasSubstr("no answer within 300 ms"));
  EXPECT_THAT(answers[1].error().text, HasSubstr("no answer within 300 ms"));
  EXPECT_TRUE(answers[2]);
}

TEST_F(HttpRoundTest, AnAnswerIsBounded) {
  limits_.most_bytes = 100'000;
  Peer endless([](int client) {
    const std::string piece = "HTTP/1.1 200 OK\r\n\r\n" + std::string(64 * 1024, 'x');
    while (::send(client, piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_THAT(ask({endless.address()})[0].error().text, HasSubstr("too long"));
}

TEST_F(HttpRoundTest, EndsAtOnceWhenTheDaemonStops) {
  Peer silent(says_and_stays(""));
  limits_.within = seconds(30);
  std::thread stopper([&] {
    const uint64_t one = 1;
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_EQ(8, ::write(stop_.get(), &one, sizeof one));
  });
  const int64_t began = monotonic_ns();
  const auto answers = ask({silent.address(), silent.address()});
  EXPECT_LT(monotonic_ns() - began, 10'000'000'000);
  EXPECT_FALSE(answers[0]);
  EXPECT_FALSE(answers[1]);
  stopper.join();
}

TEST(HttpBodyTest, IsCompleteWithItsLengthOrItsEnd) {
  EXPECT_FALSE(body_of("", false).complete);
  EXPECT_FALSE(body_of("HTTP/1.1 200 OK\r\nA: b\r\n", false).complete);
  EXPECT_FALSE(body_of("HTTP/1.1 200 OK\r\n\r\nsome", false).complete) << "no length: to the end";
  EXPECT_EQ("some", *body_of("HTTP/1.1 200 OK\r\n\r\nsome", true).body);
  EXPECT_EQ("so", *body_of("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nsome", false).body);
  EXPECT_EQ("", *body_of("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\nC: d\r\n\r\n", false).body);
  for (const char* wrong : {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", "HTTP/1.1 200 OK\r\n", "",
                            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "220 smtp\r\n\r\n", "HTTP/1.1\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    const HttpBody body = body_of(wrong, true);
    EXPECT_TRUE(body.complete) << wrong;
    EXPECT_FALSE(body.body) << wrong;
  }
  EXPECT_TRUE(body_of(std::string(20'000, 'x'), false).complete) << "no headers' end in sight";
}

}  // namespace
}  // namespace pulse
