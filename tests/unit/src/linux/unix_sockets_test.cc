#include "src/linux/unix_sockets.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "src/base/unique_fd.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

TEST(UnixSockets, OneLine) {
  const std::string_view line = "ffff8881: 00000002 00000000 00010000 0001 01 28643 /run/admin.sock";
  EXPECT_EQ(28643U, listening_unix_inode(line, "/run/admin.sock"));
  EXPECT_EQ(0U, listening_unix_inode(line, "/run/admin"));
  EXPECT_EQ(
      0U, listening_unix_inode("ffff8881: 00000003 00000000 00000000 0001 03 28644 /run/admin.sock", "/run/admin.sock"))
      << "an accepted connection";
  EXPECT_EQ(0U, listening_unix_inode("ffff8881: 00000002 00000000 00010000 0001 01 28643", "/run/admin.sock"));
  EXPECT_EQ(0U, listening_unix_inode("Num       RefCount Protocol Flags    Type St Inode Path", "Path"));
  EXPECT_EQ(0U, listening_unix_inode("", ""));
}

TEST(UnixSockets, FindsTheOneThatListens) {
  const test::TempDir dir;
  const std::string path = dir / "socket";
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(0, ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  auto found = listening_unix_inodes(path, Deadline::after(milliseconds(1000)));
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(found->empty()) << "bound, and deaf";
  ASSERT_EQ(0, ::listen(fd.get(), 1));
  found = listening_unix_inodes(path, Deadline::after(milliseconds(1000)));
  struct stat file {};
  ASSERT_EQ(0, ::fstat(fd.get(), &file));
  ASSERT_TRUE(found);
  EXPECT_EQ(std::vector<uint32_t>{static_cast<uint32_t>(file.st_ino)}, *found);
}

}  // namespace
}  // namespace pulse
