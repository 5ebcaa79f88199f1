#include "shm/segment/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>

#include "src/base/hash.h"

namespace pulse {

namespace {

// A lock that root creates, at a person's command, is to be the segment's owner's: else whoever beats couldn't open it.
// `path` is the segment's, or that with more behind a dot.
void give_to_owner_of_segment(int fd, std::string path) {
  if (::geteuid() != 0) return;
  struct stat segment {};
  while (::lstat(path.c_str(), &segment) != 0 || !S_ISREG(segment.st_mode)) {
    const size_t dot = path.rfind('.');
    if (dot == std::string::npos || dot < path.rfind('/') + 1) return;
    path.resize(dot);
  }
  if (::fchown(fd, segment.st_uid, segment.st_gid) != 0) errno = 0;  // best effort, as below
}

// Opens before it creates: in a sticky directory the kernel may refuse O_CREAT on another user's existing file.
UniqueFd open_lock_file(const std::string& path, const std::string& state_path, std::optional<gid_t> group,
                        bool create) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd(::open(path.c_str(), kFlags));
  if (fd || errno != ENOENT || !create) return fd;
  fd = UniqueFd(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, group ? 0660 : 0600));
  if (fd) give_to_owner_of_segment(fd.get(), state_path);
  if (fd && group) {
    // Best effort: whoever can't open the file uses the socket, and says so by its error if that fails too.
    if (::fchown(fd.get(), static_cast<uid_t>(-1), *group) != 0 || ::fchmod(fd.get(), 0660) != 0) errno = 0;
  }
  if (!fd && errno == EEXIST) fd = UniqueFd(::open(path.c_str(), kFlags));
  return fd;
}

}  // namespace

Result<InstanceLock> InstanceLock::try_take(const std::string& state_path, std::optional<gid_t> group, bool create,
                                            const char* suffix) {
  const std::string path = state_path + suffix;
  UniqueFd fd = open_lock_file(path, state_path, group, create);
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) return try_socket(path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return InstanceLock(std::move(fd));
  if (errno == EWOULDBLOCK) return InstanceLock(UniqueFd());
  return try_socket(path);  // a file system without flock
}

Result<InstanceLock> InstanceLock::try_socket(const std::string& lock_path) {
  const std::string what = "lock " + lock_path + ", or a socket in its place";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "proxysql-pulse.%016llx",
                                   static_cast<unsigned long long>(fnv1a(lock_path)));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error(what, errno);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return InstanceLock(std::move(fd));
  if (errno == EADDRINUSE) return InstanceLock(UniqueFd());
  return system_error(what, errno);
}

}  // namespace pulse
