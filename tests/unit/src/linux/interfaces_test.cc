#include "src/linux/interfaces.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "src/base/unique_fd.h"
#include "tests/temp_dir.h"
#include "tests/unit/src/linux/soon.h"

namespace pulse {
namespace {

// A listening unix socket, with clients.
class UnixListener {
 public:
  explicit UnixListener(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    path.copy(address_.sun_path, sizeof address_.sun_path - 1);
    EXPECT_EQ(0, ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_));
    EXPECT_EQ(0, ::listen(fd_.get(), 8));
  }
  void connect() {
    UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_));
    ends_.push_back(std::move(client));
    ends_.emplace_back(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  void leave() { ends_.clear(); }

 private:
  UniqueFd fd_;
  sockaddr_un address_{};
  std::vector<UniqueFd> ends_;
};

TEST(Interfaces, AreShownAsTheyAreWritten) {
  EXPECT_EQ("10.0.0.1:6033", show(MysqlInterface{"10.0.0.1", 6033}));
  EXPECT_EQ("[::1]:6033", show(MysqlInterface{"::1", 6033}));
  EXPECT_EQ("/tmp/proxysql.sock", show(MysqlInterface{"/tmp/proxysql.sock", 0}));
}

TEST(Interfaces, ClientsOfAUnixSocketAreCounted) {
  const test::TempDir dir;
  const std::string path = dir / "proxysql.sock";
  const std::vector<MysqlInterface> all = {{path, 0}, {dir / "nobody.sock", 0}};
  EXPECT_FALSE(read_listen_state(all[0], soon())->listening);
  UnixListener listener(path);
  EXPECT_TRUE(read_listen_state(all[0], soon())->listening);
  EXPECT_EQ(1U, listening_inodes(all, soon())->size());
  EXPECT_EQ(0U, *count_established(all, soon()));
  listener.connect();
  listener.connect();
  EXPECT_EQ(2U, *count_established(all, soon()));
  listener.leave();
  EXPECT_EQ(0U, *count_established(all, soon()));
}

TEST(Interfaces, OnePortAtTwoAddressesCountsOnce) {
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(0, ::bind(server.get(), reinterpret_cast<sockaddr*>(&address), length));
  ASSERT_EQ(0, ::listen(server.get(), 8));
  ASSERT_EQ(0, ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &length));
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length));
  const int64_t port = ntohs(address.sin_port);
  EXPECT_EQ(1U, *count_established(std::vector<MysqlInterface>{{"127.0.0.1", port}, {"::1", port}}, soon()));
}

}  // namespace
}  // namespace pulse
