#include "daemon/http/connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

namespace pulse {
namespace {

constexpr RequestLimits kLimits{1024, 64};

in6_addr peer(const char* address) {
  sockaddr_storage from{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(from);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(from);
  if (::inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
    from.ss_family = AF_INET;
  } else {
    EXPECT_EQ(1, ::inet_pton(AF_INET6, address, &v6.sin6_addr)) << address;
    from.ss_family = AF_INET6;
  }
  return address_of(from);
}

TEST(HttpConnection, GivesOneRequestAfterTheOther) {
  Connection connection;
  connection.peer = peer("10.0.0.1");
  connection.in = "POST /a HTTP/1.1\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\nGE";
  RequestHead head;
  ASSERT_EQ(Framing::complete, connection.next_request(kLimits, head));
  const HttpRequest first = connection.request(head);
  EXPECT_EQ("abc", first.body);
  EXPECT_EQ("1", first.header("x-one"));
  EXPECT_EQ("10.0.0.1", first.remote_address);
  EXPECT_FALSE(first.remote_is_loopback);
  connection.forget_request();
  RequestHead second;
  ASSERT_EQ(Framing::complete, connection.next_request(kLimits, second));
  EXPECT_EQ("GET /b HTTP/1.1\r\n", second.request_line);
  connection.forget_request();
  EXPECT_EQ("GE", connection.in);
  EXPECT_EQ(Framing::incomplete, connection.next_request(kLimits, second));
  EXPECT_EQ("", connection.out);
}

TEST(HttpConnection, SendsContinueOnce) {
  Connection connection;
  connection.in = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  RequestHead head;
  EXPECT_EQ(Framing::incomplete, connection.next_request(kLimits, head));
  EXPECT_EQ("HTTP/1.1 100 Continue\r\n\r\n", connection.out);
  connection.in += "a";
  EXPECT_EQ(Framing::incomplete, connection.next_request(kLimits, head));
  EXPECT_EQ("HTTP/1.1 100 Continue\r\n\r\n", connection.out);
}

TEST(HttpConnection, KnowsLoopbackInBothFamilies) {
  const std::pair<const char*, bool> cases[] = {{"127.0.0.1", true},  {"127.9.9.9", true}, {"::1", true},
                                                {"128.0.0.1", false}, {"fd00::1", false},  {"::ffff:127.0.0.1", true}};
  for (const auto& [address, loopback] : cases) {
    Connection connection;
    connection.peer = peer(address);
    RequestHead head;
    EXPECT_EQ(loopback, connection.request(head).remote_is_loopback) << address;
  }
}

TEST(HttpConnection, SendsWhatTheSocketTakes) {
  int ends[2];
  ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
  UniqueFd other(ends[1]);
  Connection connection;
  connection.fd = UniqueFd(ends[0]);
  connection.out = std::string(8 << 20, 'x');
  EXPECT_EQ(Connection::Sent::blocked, connection.send());
  size_t got = 0;
  std::string chunk(1 << 20, '\0');
  for (auto sent = Connection::Sent::blocked; got < size_t{8 << 20};) {
    const ssize_t count = ::recv(other.get(), chunk.data(), chunk.size(), 0);
    if (count > 0) got += static_cast<size_t>(count);
    if (sent == Connection::Sent::blocked) sent = connection.send();
    ASSERT_NE(Connection::Sent::failed, sent);
  }
  EXPECT_EQ("", connection.out);
  other.reset();
  connection.out = "x";
  EXPECT_EQ(Connection::Sent::failed, connection.send());
}

}  // namespace
}  // namespace pulse
