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
#include "src/linux/user.h"

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
    // Best effort: whoever can't open the file has the socket alone.
    if (::fchown(fd.get(), static_cast<uid_t>(-1), *group) != 0 || ::fchmod(fd.get(), 0660) != 0) errno = 0;
  }
  if (!fd && errno == EEXIST) fd = UniqueFd(::open(path.c_str(), kFlags));
  return fd;
}

// Why `user` doesn't believe the lock file; "" if that user does.
std::string why_not_believed(const std::string& path, const struct stat& file, uid_t user, std::optional<gid_t> group) {
  const bool group_owns = group && file.st_gid == *group;
  if (file.st_uid == user || file.st_uid == 0 || group_owns) return "";
  return "the lock file " + path + " belongs to " + user_text(file.st_uid) + ", not to " + user_text(user) +
         ", root or pulse.group: it isn't used, beats exclude each other by a socket alone; remove the file";
}

// The same place has the same name in every mount namespace, and two places never have the same one, even if their
// paths read the same: several containers may share a network namespace.
std::string socket_name(const std::string& lock_path) {
  const size_t slash = lock_path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : lock_path.substr(0, slash + 1);
  struct stat place {};
  uint64_t hash = fnv1a(lock_path);
  if (::stat(directory.c_str(), &place) == 0) {
    hash = fnv1a(std::to_string(place.st_dev) + ":" + std::to_string(place.st_ino) + ":" +
                 lock_path.substr(slash == std::string::npos ? 0 : slash + 1));
  }
  char name[48];
  std::snprintf(name, sizeof name, "proxysql-pulse.%016llx", static_cast<unsigned long long>(hash));
  return name;
}

struct SocketAddress {
  sockaddr_un address{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

SocketAddress socket_address(const std::string& lock_path) {
  const std::string name = socket_name(lock_path);
  SocketAddress at;
  at.address.sun_family = AF_UNIX;
  name.copy(at.address.sun_path + 1, sizeof at.address.sun_path - 1);
  at.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return at;
}

// Who listens on the socket, by the numbers of this process's namespaces; nothing if nobody does any more, or if the
// queue is full. Never waits.
std::optional<ucred> listener(const SocketAddress& at) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred who{};
  socklen_t length = sizeof who;
  if (!fd || ::connect(fd.get(), at.get(), at.size) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) {
    return std::nullopt;
  }
  return who;
}

}  // namespace

Result<InstanceLock> InstanceLock::try_take(const std::string& state_path, std::optional<gid_t> group, bool create,
                                            const char* suffix) {
  const std::string path = state_path + suffix;
  InstanceLock lock;
  lock.file_ = open_lock_file(path, state_path, group, create);
  struct stat file {};
  bool usable = lock.file_ && ::fstat(lock.file_.get(), &file) == 0 && S_ISREG(file.st_mode);
  if (usable || (!lock.file_ && ::lstat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode))) {
    lock.problem_ = why_not_believed(path, file, ::geteuid(), group);
    usable = usable && lock.problem_.empty();
  }
  if (usable && ::flock(lock.file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      lock.file_.reset();
      return lock;
    }
    usable = false;  // a file system without flock
  }
  if (!usable) lock.file_.reset();
  auto socket = lock.take_socket(path);
  if (!socket && !usable) return socket.error();
  lock.taken_ = !socket || *socket;  // without sockets the file does
  if (!lock.taken_) lock.file_.reset();
  return lock;
}

// False: somebody else has it.
Result<bool> InstanceLock::take_socket(const std::string& lock_path) {
  const std::string what = "lock " + lock_path + ", or a socket in its place";
  const SocketAddress at = socket_address(lock_path);
  socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return system_error(what, errno);
  if (::bind(socket_.get(), at.get(), at.size) == 0) {
    // Nothing is ever accepted: who connects learns from the kernel whose it is. Without a queue it locks all the same.
    if (::listen(socket_.get(), 64) != 0) errno = 0;
    return true;
  }
  const int error = errno;
  socket_.reset();
  if (error != EADDRINUSE) return system_error(what, error);
  const auto holder = listener(at);
  if (holder && holder->uid != ::geteuid() && holder->uid != 0) other_holder_ = holder->uid;
  return false;
}

std::optional<pid_t> InstanceLock::process_of_holder(const std::string& state_path, const char* suffix) {
  const auto holder = listener(socket_address(state_path + suffix));
  if (!holder || holder->pid == 0) return std::nullopt;
  return holder->pid;
}

std::string other_holder_text(uid_t uid) {
  return user_text(uid) +
         " holds the beats' lock: two users' beats of one ProxySQL are never at once; let one user beat, or set "
         "pulse.group to a group of both";
}

std::string lock_file_problem(const std::string& state_path, uid_t owner, std::optional<gid_t> group) {
  const std::string path = state_path + ".lock";
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) return "";
  return why_not_believed(path, file, owner, group);
}

}  // namespace pulse
