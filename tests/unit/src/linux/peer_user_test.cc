#include "src/linux/peer_user.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/unique_fd.h"
#include "tests/loopback.h"

namespace pulse {
namespace {

// A connection between two addresses of this machine: the client's end and the server's.
struct Pair {
  UniqueFd client;
  UniqueFd server;
};

Pair connect_pair(const char* from, bool v6 = false) {
  Pair pair;
  sockaddr_in6 address6{};
  address6.sin6_family = AF_INET6;
  address6.sin6_addr = in6addr_loopback;
  sockaddr_in address = test::loopback_address(0);
  auto* const to = v6 ? reinterpret_cast<sockaddr*>(&address6) : reinterpret_cast<sockaddr*>(&address);
  socklen_t length = v6 ? sizeof address6 : sizeof address;
  const int family = v6 ? AF_INET6 : AF_INET;
  const UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), to, length) != 0 || ::listen(listener.get(), 1) != 0) return pair;
  ::getsockname(listener.get(), to, &length);
  pair.client = UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!v6) {
    sockaddr_in own = test::loopback_address(0);
    ::inet_pton(AF_INET, from, &own.sin_addr);
    if (::bind(pair.client.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return pair;
  }
  if (::connect(pair.client.get(), to, length) != 0) return pair;
  pair.server = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return pair;
}

class PeerUserTest : public ::testing::TestWithParam<SocketSource> {
 protected:
  static Deadline soon() { return Deadline::after(std::chrono::seconds(5)); }
};

TEST_P(PeerUserTest, IsWhoOpenedTheSocket) {
  for (const bool v6 : {false, true}) {
    const Pair pair = connect_pair("127.0.0.1", v6);
    if (v6 && !pair.server) continue;  // a host without IPv6
    ASSERT_TRUE(static_cast<bool>(pair.server));
    EXPECT_TRUE(is_plain_loopback(pair.server.get()));
    const auto user = user_at_other_end(pair.server.get(), soon(), GetParam());
    ASSERT_TRUE(static_cast<bool>(user)) << user.error().text;
    EXPECT_EQ(::geteuid(), *user);
  }
}

TEST_P(PeerUserTest, OfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  int status[2] = {-1, -1};
  ASSERT_EQ(0, ::pipe(status));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(4321) != 0 || ::setuid(4321) != 0) ::_exit(1);
    const Pair pair = connect_pair("127.0.0.1");
    const auto user = user_at_other_end(pair.server.get(), soon(), GetParam());
    ::_exit(user && *user == 4321 ? 0 : 2);
  }
  int ended = -1;
  ASSERT_EQ(child, ::waitpid(child, &ended, 0));
  EXPECT_EQ(0, ended);
  ::close(status[0]);
  ::close(status[1]);
}

// The kernel shows the socket of a process that has closed it as root's.
TEST_P(PeerUserTest, WhoHasGoneIsNobody) {
  Pair pair = connect_pair("127.0.0.1");
  ASSERT_EQ(4, ::send(pair.client.get(), "POST", 4, 0));
  pair.client.reset();
  const auto user = user_at_other_end(pair.server.get(), soon(), GetParam());
  ASSERT_FALSE(static_cast<bool>(user)) << *user;
  EXPECT_EQ(ENOENT, user.error().code);
}

TEST_P(PeerUserTest, AMeshsProxyIsNoPlainLoopback) {
  const Pair pair = connect_pair("127.0.0.6");
  ASSERT_TRUE(static_cast<bool>(pair.server));
  EXPECT_FALSE(is_plain_loopback(pair.server.get()));
  EXPECT_TRUE(static_cast<bool>(user_at_other_end(pair.server.get(), soon(), GetParam())));
}

TEST_P(PeerUserTest, AnErrorForWhatIsNoConnection) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(is_plain_loopback(socket.get()));
  EXPECT_FALSE(static_cast<bool>(user_at_other_end(socket.get(), soon(), GetParam())));
  EXPECT_FALSE(is_plain_loopback(-1));
}

INSTANTIATE_TEST_SUITE_P(Sources, PeerUserTest, ::testing::Values(SocketSource::netlink, SocketSource::proc),
                         [](const auto& source) {
                           return source.param == SocketSource::netlink ? std::string("netlink") : std::string("proc");
                         });

}  // namespace
}  // namespace pulse
