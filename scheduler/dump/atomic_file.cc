#include "scheduler/dump/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace pulse {

namespace {

std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// None if this file system, or a process without /proc, can't have files without a name.
UniqueFd open_nameless(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (fd && ::access(proc_path(fd.get()).c_str(), F_OK) != 0) fd.reset();
  return fd;
}

}  // namespace

Result<WholeFile> WholeFile::create(const std::string& directory, const std::string& hidden, std::optional<gid_t> group,
                                    Way way) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) return system_error(directory, errno);
  if (!S_ISDIR(found.st_mode)) return system_error(directory, ENOTDIR);
  UniqueFd fd = way == Way::best ? open_nameless(directory) : UniqueFd();
  std::string path;
  if (!fd) {
    path = directory + "/" + hidden;
    fd = UniqueFd(::open(path.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0600));
    if (!fd) return system_error("make a file in " + directory, errno);
  }
  WholeFile file(directory, std::move(fd), std::move(path));
  if (group && (::fchown(file.fd(), static_cast<uid_t>(-1), *group) != 0 || ::fchmod(file.fd(), 0640) != 0)) {
    return system_error("give a file in " + directory + " to group " + std::to_string(*group), errno);
  }
  return file;
}

WholeFile::~WholeFile() {
  if (fd_ && !hidden_path_.empty()) ::unlink(hidden_path_.c_str());
}

Result<void> WholeFile::publish(const std::string& name) {
  const std::string path = directory_ + "/" + name;
  if (::fsync(fd_.get()) != 0) return system_error("write " + path + " to the disk", errno);
  if (const int error = give_name(path); error != 0) return system_error("name " + path, error);
  hidden_path_.clear();
  const UniqueFd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A directory that may not be read, or a file system without such a call, can't be asked for more.
  if (directory && ::fsync(directory.get()) != 0 && errno != EINVAL) {
    const int error = errno;
    ::unlink(path.c_str());
    return system_error("write " + directory_ + " to the disk", error);
  }
  return {};
}

// Returns the errno.
int WholeFile::give_name(const std::string& path) {
  if (hidden_path_.empty()) {
    const bool named = ::linkat(AT_FDCWD, proc_path(fd_.get()).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
    return named ? 0 : errno;
  }
  if (::renameat2(AT_FDCWD, hidden_path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL) return errno;  // else: this file system doesn't know the flag
  if (::access(path.c_str(), F_OK) == 0) return EEXIST;
  return ::rename(hidden_path_.c_str(), path.c_str()) == 0 ? 0 : errno;
}

}  // namespace pulse
