#include "daemon/health/greeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/daemon/health/fake_server.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using namespace std::literals;
using ::testing::HasSubstr;

Deadline soon() { return Deadline::after(seconds(10)); }

TEST(GreetMysql, AHandshakeIsAGreeting) {
  for (const int family : {AF_INET, AF_INET6}) {
    const FakeServer peer(sends(kGreeting), family);
    const ActiveResult result = greet_mysql({family == AF_INET ? "127.0.0.1" : "::1", peer.port()}, soon());
    EXPECT_TRUE(result.greeted) << result.error;
    EXPECT_EQ(result.error, "");
    EXPECT_GT(result.took.count(), 0);
  }
}

TEST(GreetMysql, AnErrPacketIsAGreetingWithItsText) {
  const std::string code = "\x10\x04";
  for (const std::string& state : {std::string("#08004"), std::string()}) {
    const FakeServer peer(sends(packet("\xff" + code + state + "Too many\nconnections", 2)));
    const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, soon());
    EXPECT_TRUE(result.greeted);
    EXPECT_EQ(result.error, "Too many?connections (1040)");
  }
}

TEST(GreetMysql, AHandshakeMayComeInPieces) {
  const FakeServer peer([](int client, const std::atomic<bool>&) {
    for (const char byte : kGreeting) {
      ::send(client, &byte, 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  EXPECT_TRUE(greet_mysql({"127.0.0.1", peer.port()}, soon()).greeted);
}

TEST(GreetMysql, ASilentPeerIsHeldToTheDeadline) {
  const FakeServer peer([](int, const std::atomic<bool>& stopping) {
    while (!stopping) std::this_thread::sleep_for(milliseconds(1));
  });
  const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, Deadline::after(milliseconds(200)));
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("in time"));
  EXPECT_GE(result.took, milliseconds(200));
  EXPECT_LT(result.took, seconds(1));
}

TEST(GreetMysql, AByteNowAndThenDoesntExtendTheDeadline) {
  const std::string greeting = packet(std::string(4000, '\x0a'));
  for (const int gap_ms : {20, 1}) {
    const FakeServer peer([&](int client, const std::atomic<bool>& stopping) {
      for (const char byte : greeting) {
        if (stopping || ::send(client, &byte, 1, MSG_NOSIGNAL) != 1) return;
        std::this_thread::sleep_for(milliseconds(gap_ms));
      }
    });
    const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, Deadline::after(milliseconds(200)));
    EXPECT_FALSE(result.greeted);
    EXPECT_THAT(result.error, HasSubstr("in time"));
    EXPECT_LT(result.took, seconds(1));
  }
}

TEST(GreetMysql, APortNobodyListensOnRefuses) {
  const FakeServer peer(nullptr);
  const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, soon());
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("127.0.0.1:" + std::to_string(peer.port()) + ": Connection refused"));
}

TEST(GreetMysql, AResetIsNoGreeting) {
  const FakeServer peer([](int client, const std::atomic<bool>&) {
    const linger at_once{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  });
  const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, soon());
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("reset"));
}

TEST(GreetMysql, AClosedOrCutGreetingIsNone) {
  for (const size_t size : {size_t{0}, size_t{2}, size_t{4}, kGreeting.size() - 1}) {
    const FakeServer peer(sends(kGreeting.substr(0, size)));
    const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, soon());
    EXPECT_FALSE(result.greeted) << size;
    EXPECT_THAT(result.error, HasSubstr("closed the connection"));
  }
}

TEST(GreetMysql, GarbageIsNoGreeting) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("SSH-2.0-OpenSSH_9.2\r\n"),
        packet(std::string("\x09", 1) + "8.0" + std::string(60, '\0')), packet("\x0a no end of the version"),
        packet(kGreeting.substr(4), 1), packet("\xff"), packet(""), packet(std::string(5000, '\x0a'))}) {
    const FakeServer peer(sends(bytes));
    const ActiveResult result = greet_mysql({"127.0.0.1", peer.port()}, soon());
    EXPECT_FALSE(result.greeted) << bytes;
    EXPECT_THAT(result.error, HasSubstr("doesn't speak the MySQL protocol")) << bytes;
  }
}

TEST(GreetMysql, TheAddressMustBeNumeric) {
  EXPECT_THAT(greet_mysql({"localhost", 1}, soon()).error, HasSubstr("not a numeric address"));
}

std::string be32(size_t number) {
  std::string text;
  for (int i = 3; i >= 0; --i) text += static_cast<char>(number >> (8 * i) & 0xff);
  return text;
}

// Reads the request for TLS, and answers.
FakeServer::Behaviour answers(const std::string& bytes, std::string* asked = nullptr) {
  return [=](int client, const std::atomic<bool>&) {
    char request[16] = {};
    const ssize_t size = ::recv(client, request, 8, MSG_WAITALL);
    if (asked != nullptr && size > 0) asked->assign(request, static_cast<size_t>(size));
    ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  };
}

std::string error_message(const std::string& fields) { return "E" + be32(fields.size() + 4) + fields; }

TEST(GreetPgsql, YesAndNoAreGreetings) {
  for (const char* answer : {"S", "N"}) {
    std::string asked;
    {
      const FakeServer peer(answers(answer, &asked));
      const ActiveResult result = greet_pgsql({"127.0.0.1", peer.port()}, soon());
      EXPECT_TRUE(result.greeted) << result.error;
      EXPECT_EQ("", result.error);
    }
    EXPECT_EQ(std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), asked) << "SSLRequest";
  }
}

TEST(GreetPgsql, AnErrorIsAGreetingWithItsText) {
  const std::string fields = "SFATAL\0C53300\0Mtoo many\nclients\0\0"s;
  const FakeServer peer(answers(error_message(fields)));
  const ActiveResult result = greet_pgsql({"127.0.0.1", peer.port()}, soon());
  EXPECT_TRUE(result.greeted);
  EXPECT_EQ("too many?clients", result.error);
  const FakeServer terse(answers(error_message("C53300\0"s)));
  EXPECT_EQ("an error without a text", greet_pgsql({"127.0.0.1", terse.port()}, soon()).error);
}

TEST(GreetPgsql, AnythingElseIsNone) {
  for (const std::string& bytes : {kGreeting, std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), "E" + be32(3),
                                   "E" + be32(1 << 20) + "MXX", std::string("R")}) {
    const FakeServer peer(answers(bytes));
    const ActiveResult result = greet_pgsql({"127.0.0.1", peer.port()}, soon());
    EXPECT_FALSE(result.greeted) << bytes;
    EXPECT_THAT(result.error, HasSubstr("doesn't speak the PostgreSQL protocol")) << bytes;
  }
}

TEST(GreetPgsql, AServerThatClosesOrSaysNothingIsNone) {
  for (const std::string& bytes : {std::string(), std::string("E\0", 2), error_message("MXX").substr(0, 7)}) {
    const FakeServer peer(answers(bytes));
    const ActiveResult result = greet_pgsql({"127.0.0.1", peer.port()}, soon());
    EXPECT_FALSE(result.greeted);
    EXPECT_THAT(result.error, HasSubstr("closed the connection"));
  }
  const FakeServer silent([](int, const std::atomic<bool>& stopping) {
    while (!stopping) std::this_thread::sleep_for(milliseconds(1));
  });
  const ActiveResult result = greet_pgsql({"127.0.0.1", silent.port()}, Deadline::after(milliseconds(200)));
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("in time"));
  EXPECT_LT(result.took, seconds(1));
  const FakeServer nobody(nullptr);
  EXPECT_TRUE(greet_pgsql({"127.0.0.1", nobody.port()}, soon()).refused);
}

}  // namespace
}  // namespace pulse
