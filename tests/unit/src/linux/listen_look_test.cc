#include "src/linux/listen_look.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "src/linux/interfaces.h"
#include "tests/loopback.h"
#include "tests/unit/src/linux/soon.h"

namespace pulse {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

UniqueFd listen_on(uint16_t port, const char* host, bool reuse = false) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  // What was closed leaves nothing that keeps the port.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const sockaddr_in address = test::loopback_address(port, host);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd.get(), 16), 0);
  return fd;
}

class ListenLookTest : public ::testing::TestWithParam<const char*> {
 protected:
  // What a reading says is what the whole table says.
  ListenState read() {
    const auto state = look_.read(soon());
    const auto whole = read_listen_state(interface_, soon());
    EXPECT_TRUE(state && whole);
    EXPECT_EQ(state->listening, whole->listening);
    EXPECT_EQ(state->sockets, whole->sockets);
    EXPECT_EQ(state->accept_queue, whole->accept_queue);
    EXPECT_EQ(state->accept_queue_max, whole->accept_queue_max);
    EXPECT_THAT(state->inodes, UnorderedElementsAreArray(whole->inodes));
    EXPECT_THAT(state->users, UnorderedElementsAreArray(whole->users));
    return *state;
  }

  const uint16_t port_ = test::free_port();
  const MysqlInterface interface_{GetParam(), port_};
  ListenLook look_{interface_};
};

// ProxySQL listens on what the file says, or on all addresses.
INSTANTIATE_TEST_SUITE_P(Addresses, ListenLookTest, ::testing::Values("127.0.0.1", "0.0.0.0"));

TEST_P(ListenLookTest, OneSocketIsAskedForAlone) {
  const UniqueFd server = listen_on(port_, GetParam());
  EXPECT_EQ(1u, read().sockets);
  const std::vector<UniqueFd> clients = [&] {
    std::vector<UniqueFd> made;
    for (int i = 0; i < 3; ++i) made.push_back(test::connect_loopback(port_));
    return made;
  }();
  EXPECT_EQ(3u, read().accept_queue);
  const UniqueFd accepted(::accept(server.get(), nullptr, nullptr));
  EXPECT_EQ(2u, read().accept_queue);
  EXPECT_EQ(1u, look_.whole_readings());
}

TEST_P(ListenLookTest, WhatIsClosedIsSeenAtOnceAndSoIsWhatComesInItsPlace) {
  UniqueFd server = listen_on(port_, GetParam());
  const ListenState before = read();
  server.reset();
  EXPECT_FALSE(read().listening);
  EXPECT_FALSE(read().listening);
  server = listen_on(port_, GetParam());
  const ListenState other = read();
  EXPECT_TRUE(other.listening);
  EXPECT_NE(before.inodes, other.inodes);
  // Between two looks, so that nobody has seen it closed.
  server.reset();
  server = listen_on(port_, GetParam());
  EXPECT_NE(other.inodes, read().inodes);
}

TEST_P(ListenLookTest, SeveralSocketsAreAllReadEachTime) {
  const UniqueFd one = listen_on(port_, GetParam(), true);
  UniqueFd two = listen_on(port_, GetParam(), true);
  EXPECT_THAT(read().inodes, SizeIs(2));
  EXPECT_THAT(read().inodes, SizeIs(2));
  two.reset();
  EXPECT_THAT(read().inodes, SizeIs(1));
}

// The kernel finds one of them. Who was known isn't there any more, so there may be others.
TEST_P(ListenLookTest, SeveralSocketsInThePlaceOfOneAreAllRead) {
  UniqueFd server = listen_on(port_, GetParam());
  EXPECT_EQ(1u, read().sockets);
  server.reset();
  const UniqueFd one = listen_on(port_, GetParam(), true);
  const UniqueFd two = listen_on(port_, GetParam(), true);
  EXPECT_THAT(read().inodes, SizeIs(2));
}

TEST_P(ListenLookTest, ASocketOfAllAddressesIsMetByEach) {
  const UniqueFd server = listen_on(port_, "0.0.0.0");
  EXPECT_EQ(1u, read().sockets);
  EXPECT_EQ(1u, read().sockets);
  EXPECT_EQ(1u, look_.whole_readings());
}

TEST(ListenLook, SocketsOfAnotherAddressCountForNothing) {
  const uint16_t port = test::free_port();
  const MysqlInterface interface { "127.0.0.1", port };
  ListenLook look(interface);
  UniqueFd own = listen_on(port, "127.0.0.1");
  const UniqueFd other = listen_on(port, "127.0.0.2");
  const auto first = look.read(soon());
  ASSERT_TRUE(first);
  EXPECT_THAT(first->inodes, SizeIs(1));
  own.reset();
  EXPECT_FALSE(look.read(soon())->listening);
}

TEST(ListenLook, ANameIsLookedForInTheWholeTable) {
  const uint16_t port = test::free_port();
  const MysqlInterface interface { "localhost", port };
  ListenLook look(interface);
  const UniqueFd server = listen_on(port, "127.0.0.1");
  EXPECT_TRUE(look.read(soon())->listening);
  EXPECT_TRUE(look.read(soon())->listening);
  EXPECT_EQ(2u, look.whole_readings());
  EXPECT_EQ(EINVAL, ListenerFinder().find(port, "localhost", soon()).error().code);
}

TEST(ListenLook, AnIpv6SocketIsFoundToo) {
  const UniqueFd server(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const uint16_t port = test::free_port();
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  if (::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    GTEST_SKIP() << "no IPv6 here";
  }
  ASSERT_EQ(0, ::listen(server.get(), 16));
  ListenerFinder finder;
  const auto found = finder.find(port, "::1", soon());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(1u, found->sockets);
  EXPECT_EQ(16u, found->accept_queue_max);
  EXPECT_FALSE(finder.find(port, "127.0.0.1", soon())->listening);
}

}  // namespace
}  // namespace pulse
