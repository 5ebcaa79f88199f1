#include "src/linux/socket_table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "src/base/unique_fd.h"
#include "tests/unit/src/linux/soon.h"

namespace pulse {
namespace {

// /proc/net/tcp names every socket of the machine and can take seconds after a storm of connections.
// A real listening socket on a free port of the loopback address, and clients of it.
class Listener {
 public:
  explicit Listener(int family, int backlog = 16, bool any_address = false)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) {
      reinterpret_cast<sockaddr_in6&>(address).sin6_addr = any_address ? in6addr_any : in6addr_loopback;
    } else {
      reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(any_address ? INADDR_ANY : INADDR_LOOPBACK);
    }
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0) << std::strerror(errno);
    EXPECT_EQ(::listen(fd_.get(), backlog), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                     : reinterpret_cast<sockaddr_in&>(address).sin_port);
  }

  uint16_t port() const { return port_; }
  int fd() const { return fd_.get(); }

  // Established when it returns: over loopback connect(2) returns after the handshake.
  void connect(int family, int count) {
    for (int i = 0; i < count; ++i) {
      UniqueFd client(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port_);
      v6.sin6_addr = in6addr_loopback;
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port_);
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      const auto* const to = family == AF_INET6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
      ASSERT_EQ(::connect(client.get(), to, family == AF_INET6 ? sizeof v6 : sizeof v4), 0) << std::strerror(errno);
      clients_.push_back(std::move(client));
    }
  }
  void accept(int count) {
    for (int i = 0; i < count; ++i) accepted_.emplace_back(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  void close_listening() { fd_.reset(); }
  void close_clients() { clients_.clear(); }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
  std::vector<UniqueFd> clients_;
  std::vector<UniqueFd> accepted_;
};

bool ipv6_is_here() {
  const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

class SocketTableTest : public ::testing::TestWithParam<SocketSource> {
 protected:
  void expect_listen(uint16_t port, uint32_t sockets, uint32_t queue, uint32_t queue_max) {
    const auto state = read_listen_state(port, soon(), GetParam());
    ASSERT_TRUE(state) << state.error().text;
    EXPECT_EQ(state->listening, sockets > 0);
    EXPECT_EQ(state->sockets, sockets);
    EXPECT_EQ(state->accept_queue, queue);
    EXPECT_EQ(state->accept_queue_max, GetParam() == SocketSource::proc ? 0 : queue_max);
  }
  void expect_established(uint16_t port, uint32_t wanted) {
    // /proc/net/tcp names sockets twice, or not at all, while others on this machine come and go.
    const Deadline deadline = soon();
    auto count = count_established(port, deadline, GetParam());
    while (GetParam() != SocketSource::netlink && count && *count != wanted && !deadline.passed()) {
      count = count_established(port, deadline, GetParam());
    }
    ASSERT_TRUE(count) << count.error().text;
    EXPECT_EQ(*count, wanted);
  }
};

INSTANTIATE_TEST_SUITE_P(Sources, SocketTableTest,
                         ::testing::Values(SocketSource::automatic, SocketSource::netlink, SocketSource::proc));

// A client of 127.0.0.1 whose own address is another one of this host.
UniqueFd connect_from(const std::string& source, uint16_t port) {
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  EXPECT_EQ(1, ::inet_pton(AF_INET, source.c_str(), &address.sin_addr));
  EXPECT_EQ(0, ::bind(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)) << std::strerror(errno);
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)) << std::strerror(errno);
  return client;
}

// An address of this host that isn't a loopback one: "" without any.
std::string outer_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_LOOPBACK) != 0)
      continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr, text.data(), text.size());
    return text.data();
  }
  return "";
}

TEST_P(SocketTableTest, NamesTheOtherHostsThatAreConnected) {
  Listener listener(AF_INET);
  listener.connect(AF_INET, 2);
  const auto hosts = [&] {
    const auto found = remote_hosts(listener.port(), soon(), GetParam());
    EXPECT_TRUE(found) << found.error().text;
    return found ? *found : std::vector<std::string>{"?"};
  };
  EXPECT_EQ(std::vector<std::string>{}, hosts()) << "this one by a loopback address";
  const std::string outer = outer_address();
  if (outer.empty()) GTEST_SKIP() << "this host has loopback addresses alone";
  const UniqueFd first = connect_from(outer, listener.port());
  const UniqueFd second = connect_from(outer, listener.port());
  EXPECT_EQ(std::vector<std::string>{outer}, hosts()) << "each once";
}

TEST_P(SocketTableTest, SeesTheAcceptQueueFillAndEmpty) {
  Listener other(AF_INET);
  other.connect(AF_INET, 2);
  Listener listener(AF_INET, 16);
  expect_listen(listener.port(), 1, 0, 16);
  listener.connect(AF_INET, 5);
  expect_listen(listener.port(), 1, 5, 16);
  listener.accept(3);
  expect_listen(listener.port(), 1, 2, 16);
  listener.accept(2);
  expect_listen(listener.port(), 1, 0, 16);
  listener.close_listening();
  expect_listen(listener.port(), 0, 0, 0);
}

TEST_P(SocketTableTest, AQueuedConnectionThatItsClientClosedIsStillQueued) {
  Listener listener(AF_INET);
  listener.connect(AF_INET, 4);
  listener.close_clients();
  expect_listen(listener.port(), 1, 4, 16);
}

TEST_P(SocketTableTest, CountsClientsOnceAndOnTheServersSideOnly) {
  Listener other(AF_INET);
  other.connect(AF_INET, 2);
  Listener listener(AF_INET);
  expect_established(listener.port(), 0);
  listener.connect(AF_INET, 5);
  listener.accept(3);
  expect_established(listener.port(), 5);
  listener.close_clients();
  expect_established(listener.port(), 0);
}

TEST_P(SocketTableTest, KnowsIpv6) {
  if (!ipv6_is_here()) GTEST_SKIP() << "no IPv6 here";
  Listener listener(AF_INET6, 7);
  listener.connect(AF_INET6, 3);
  listener.accept(1);
  expect_listen(listener.port(), 1, 2, 7);
  expect_established(listener.port(), 3);
}

TEST_P(SocketTableTest, CountsAnIpv4ClientOfAnIpv6SocketOnce) {
  if (!ipv6_is_here()) GTEST_SKIP() << "no IPv6 here";
  Listener listener(AF_INET6, 7, true);
  listener.connect(AF_INET, 2);
  listener.connect(AF_INET6, 1);
  expect_listen(listener.port(), 1, 3, 7);
  listener.accept(1);
  expect_listen(listener.port(), 1, 2, 7);
  expect_established(listener.port(), 3);
}

// More than fits into one datagram of the kernel's, or one read of the file.
TEST_P(SocketTableTest, CountsHundreds) {
  Listener listener(AF_INET, 300);
  listener.connect(AF_INET, 300);
  expect_listen(listener.port(), 1, 300, 300);
  expect_established(listener.port(), 300);
}

TEST_P(SocketTableTest, GivesUpAtADeadlineThatHasPassed) {
  const Listener listener(AF_INET);
  const auto state = read_listen_state(listener.port(), Deadline::after(milliseconds(-1)), GetParam());
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ETIMEDOUT);
}

TEST_P(SocketTableTest, NamesListeningSocketsAsProcDoes) {
  Listener other(AF_INET);
  Listener listener(AF_INET);
  struct stat socket {};
  ASSERT_EQ(0, ::fstat(listener.fd(), &socket));
  const auto inodes = listening_inodes(listener.port(), soon(), GetParam());
  ASSERT_TRUE(inodes) << inodes.error().text;
  EXPECT_EQ((std::vector<uint32_t>{static_cast<uint32_t>(socket.st_ino)}), *inodes);
  listener.close_listening();
  EXPECT_TRUE(listening_inodes(listener.port(), soon(), GetParam())->empty());
}

TEST_P(SocketTableTest, KeepsThoseApartThatListenElsewhere) {
  const auto sockets = [&](uint16_t port, const std::string& address) {
    const auto state = read_listen_state(port, soon(), GetParam(), address);
    EXPECT_TRUE(state) << state.error().text;
    EXPECT_EQ(state ? state->sockets : 0, listening_inodes(port, soon(), GetParam(), address)->size());
    return state ? state->sockets : 0;
  };
  Listener one(AF_INET);
  EXPECT_EQ(1u, sockets(one.port(), "127.0.0.1"));
  EXPECT_EQ(0u, sockets(one.port(), "127.0.0.2"));
  EXPECT_EQ(1u, sockets(one.port(), "localhost"));
  Listener all(AF_INET, 16, true);
  EXPECT_EQ(1u, sockets(all.port(), "127.0.0.2"));
  if (!ipv6_is_here()) return;
  Listener one6(AF_INET6);
  EXPECT_EQ(1u, sockets(one6.port(), "::1"));
  EXPECT_EQ(0u, sockets(one6.port(), "::2"));
  EXPECT_EQ(0u, sockets(one6.port(), "127.0.0.1"));
  Listener all6(AF_INET6, 16, true);
  EXPECT_EQ(1u, sockets(all6.port(), "127.0.0.1"));
}

}  // namespace
}  // namespace pulse
