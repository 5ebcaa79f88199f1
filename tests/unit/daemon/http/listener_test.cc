#include "daemon/http/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>

#include <cerrno>

namespace pulse {
namespace {

using Kind = Listener::Accepted::Kind;

UniqueFd connect_to(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(0, ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to));
  return fd;
}

bool is_ended(const UniqueFd& fd) {
  pollfd event{fd.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&event, 1, 10'000) == 1 && ::recv(fd.get(), &byte, 1, 0) <= 0;
}

TEST(Listener, GivesEachConnectionOnce) {
  auto listener = Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(listener) << listener.error().text;
  EXPECT_NE(0, listener->port());
  EXPECT_EQ(Kind::none, listener->accept().kind);
  const UniqueFd client = connect_to(listener->port());
  const Listener::Accepted accepted = listener->accept();
  ASSERT_EQ(Kind::connection, accepted.kind);
  EXPECT_TRUE(accepted.fd);
  EXPECT_EQ(AF_INET, accepted.from.ss_family);
  EXPECT_EQ(Kind::none, listener->accept().kind);
}

TEST(Listener, RefusesTheNextByClosingIt) {
  auto listener = Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(listener) << listener.error().text;
  EXPECT_FALSE(listener->refuse_next()) << "nobody waits";
  const UniqueFd client = connect_to(listener->port());
  EXPECT_TRUE(listener->refuse_next());
  EXPECT_TRUE(is_ended(client));
  EXPECT_EQ(Kind::none, listener->accept().kind);
}

TEST(Listener, SaysWhyItCantListen) {
  auto first = Listener::open("127.0.0.1", 0);
  ASSERT_TRUE(first) << first.error().text;
  const auto second = Listener::open("127.0.0.1", first->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(EADDRINUSE, second.error().code);
  EXPECT_EQ("listen on 127.0.0.1:" + std::to_string(first->port()) + ": bind: Address already in use",
            second.error().text);
  EXPECT_EQ("listen on name: not a numeric IPv4 or IPv6 address", Listener::open("name", 0).error().text);
}

}  // namespace
}  // namespace pulse
