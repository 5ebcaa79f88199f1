#include "shm/segment/segment.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <new>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"
#include "src/linux/user.h"

namespace pulse {

namespace {

// What boost's mapped_region asks of a mappable object, over a descriptor that was opened by us: boost's own
// file_mapping opens by name and would follow a symbolic link.
class Mappable {
 public:
  explicit Mappable(int fd, bool writable) : fd_(fd), writable_(writable) {}
  boost::interprocess::mapping_handle_t get_mapping_handle() const { return {fd_, false}; }
  boost::interprocess::mode_t get_mode() const {
    return writable_ ? boost::interprocess::read_write : boost::interprocess::read_only;
  }

 private:
  int fd_;
  bool writable_;
};

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<UniqueFd> unnamed_file(const std::string& path, std::string& temporary) {
  UniqueFd fd(::open(directory_of(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  // Not every file system has O_TMPFILE (overlayfs on older kernels): a name of our own then, removed after the link.
  temporary = path + ".new." + std::to_string(::getpid()) + "." + std::to_string(monotonic_ns());
  fd = UniqueFd(::open(temporary.c_str(), O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) {
    const int error = errno;
    temporary.clear();
    return system_error("create the state segment " + path, error);
  }
  return fd;
}

Result<void> fill(int fd, const SegmentOptions& options) {
  const std::string what = "create the state segment " + options.path;
  // Real blocks, not a hole: on a full disk the failure comes here and not as a SIGBUS in the middle of a beat.
  if (const int error = ::posix_fallocate(fd, 0, sizeof(Layout)); error != 0) return system_error(what, error);
  if (options.group && ::fchown(fd, static_cast<uid_t>(-1), *options.group) != 0) {
    return system_error(what + ": give it to group " + std::to_string(*options.group), errno);
  }
  if (::fchmod(fd, options.group ? 0660 : 0600) != 0) return system_error(what, errno);
  const uint64_t magic = kMagic;
  const uint32_t version_and_size[] = {kLayoutVersion, sizeof(Layout)};
  const int64_t created = clock_ns(CLOCK_REALTIME);
  static_assert(offsetof(Layout, layout_version) == 8 && offsetof(Layout, created_realtime_ns) == 16);
  if (::pwrite(fd, &magic, sizeof magic, 0) != sizeof magic ||
      ::pwrite(fd, version_and_size, sizeof version_and_size, 8) != sizeof version_and_size ||
      ::pwrite(fd, &created, sizeof created, 16) != sizeof created) {
    return system_error(what, errno);
  }
  if (options.owner) {
    Section<Owner> owner{};
    owner.publish(*options.owner);
    if (::pwrite(fd, &owner, sizeof owner, offsetof(Layout, owner)) != sizeof owner) return system_error(what, errno);
  }
  return {};
}

// Returns without a word if another process was faster.
Result<void> create(const SegmentOptions& options) {
  std::string temporary;
  auto fd = unnamed_file(options.path, temporary);
  if (!fd) return fd.error();
  Result<void> filled = fill(fd->get(), options);
  if (filled) {
    const std::string source = temporary.empty() ? "/proc/self/fd/" + std::to_string(fd->get()) : temporary;
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, options.path.c_str(), temporary.empty() ? AT_SYMLINK_FOLLOW : 0) !=
            0 &&
        errno != EEXIST) {
      filled = system_error("link the state segment to its name " + options.path, errno);
    }
  }
  if (!temporary.empty()) ::unlink(temporary.c_str());
  return filled;
}

Error not_a_file(const std::string& path) {
  return Error{"the state segment " + path + " is not a regular file: remove it, or name another path", EPROTO};
}

Result<UniqueFd> open_or_create(const SegmentOptions& options) {
  const int flags = (options.writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  for (int tries = 0;; ++tries) {
    UniqueFd fd(::open(options.path.c_str(), flags));
    if (fd) return fd;
    const int error = errno;
    if (error == ELOOP) {
      return Error{"the state segment " + options.path + " is a symbolic link: remove it, or name another path", ELOOP};
    }
    if (error == EISDIR) return not_a_file(options.path);
    if (error != ENOENT || !options.create || tries == 2) {
      // A beat whose state is elsewhere looks here each time: strerror() would bring in all that locales need.
      if (error == ENOENT) {
        return Error{"open the state segment " + options.path +
                         ": No such file or directory (no beat has run yet, or another path is in use)",
                     ENOENT};
      }
      std::string advice;
      struct stat file {};
      if (error == EACCES && ::lstat(options.path.c_str(), &file) == 0) {
        advice = " (it belongs to " + user_text(file.st_uid) +
                 ": remove it, or set pulse.group to a group that both users share)";
      }
      Error failed = system_error("open the state segment " + options.path, error);
      failed.text += advice;
      return failed;
    }
    if (auto created = create(options); !created) return created.error();
  }
}

Result<void> check(const struct stat& file, const SegmentOptions& options) {
  const std::string what = "the state segment " + options.path;
  if (!S_ISREG(file.st_mode)) return not_a_file(options.path);
  const bool group_owns = options.group && file.st_gid == *options.group;
  const bool root_opens = options.root_may && ::geteuid() == 0;
  if (file.st_uid != ::geteuid() && file.st_uid != 0 && !group_owns && !root_opens) {
    return Error{what + " belongs to " + user_text(file.st_uid) + ", group " + std::to_string(file.st_gid) +
                     ": neither this user, root nor pulse.group; remove it, or set pulse.group to the shared group",
                 EACCES};
  }
  return {};
}

Result<void> check_header(int fd, off_t size, const std::string& path) {
  const std::string what = "the state segment " + path;
  struct {
    uint64_t magic;
    uint32_t version;
    uint32_t size;
  } header{};
  const ssize_t got = ::pread(fd, &header, sizeof header, 0);
  if (got < 0) return system_error("read " + what, errno);
  if (got != sizeof header || header.magic != kMagic) {
    return Error{what + " is not one: remove the file, or name another path", EPROTO};
  }
  if (header.version != kLayoutVersion) {
    return Error{what + " has layout version " + std::to_string(header.version) + ", this program uses " +
                     std::to_string(kLayoutVersion) + ": stop the programs of the other version, then remove the file",
                 EPROTO};
  }
  if (size != static_cast<off_t>(sizeof(Layout)) || header.size != sizeof(Layout)) {
    return Error{what + " has " + std::to_string(size) + " bytes instead of " + std::to_string(sizeof(Layout)) +
                     ": remove the file, the next beat makes a new one",
                 EPROTO};
  }
  return {};
}

}  // namespace

Result<Segment> Segment::open(const SegmentOptions& options) {
  auto fd = open_or_create(options);
  if (!fd) return fd.error();
  struct stat file {};
  if (::fstat(fd->get(), &file) != 0) return system_error("stat the state segment " + options.path, errno);
  if (auto checked = check(file, options); !checked) return checked.error();
  if (auto checked = check_header(fd->get(), file.st_size, options.path); !checked) return checked.error();
  try {
    boost::interprocess::mapped_region region(
        Mappable(fd->get(), options.writable),
        options.writable ? boost::interprocess::read_write : boost::interprocess::read_only, 0, sizeof(Layout), nullptr,
        MAP_SHARED);
    struct statfs system {};
    const bool in_memory = ::fstatfs(fd->get(), &system) == 0 && system.f_type == TMPFS_MAGIC;
    return Segment(std::move(region), file, in_memory);
  } catch (const boost::interprocess::interprocess_exception& failure) {
    return Error{"map the state segment " + options.path + ": " + failure.what(), ENOMEM};
  }
}

bool Segment::is_current(const std::string& path) const {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0 || file.st_dev != device_ || file.st_ino != inode_ ||
      file.st_size != static_cast<off_t>(sizeof(Layout))) {
    return false;
  }
  bool is_one = false;  // somebody may have written over its beginning
  const bool mapped = guarded([&] { is_one = layout().magic == kMagic && layout().layout_version == kLayoutVersion; });
  return mapped && is_one;
}

}  // namespace pulse
