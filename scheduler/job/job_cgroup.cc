#include "scheduler/job/job_cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "src/base/hash.h"

namespace pulse {

namespace {

// The signal handler's.
std::atomic<int> g_kill{-1};

void kill_by(int fd) {
  if (fd >= 0 && ::write(fd, "1", 1) != 1) errno = 0;  // what can't be killed so is killed one by one
}

// Where this process's cgroup is a directory; "" if it is none that can be seen.
std::string own_directory() {
  std::array<char, 4096> text;
  const UniqueFd fd(::open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
  const ssize_t length = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  const std::string own(own_cgroup({text.data(), static_cast<size_t>(std::max<ssize_t>(0, length))}));
  if (own.empty()) return "";
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs system {};
    if (::statfs(root, &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC) return root + (own == "/" ? "" : own);
  }
  return "";
}

// One name for each lock, wherever its path is mounted.
std::string name_of(const std::string& lock_path) {
  struct stat place {};
  const std::string directory = lock_path.substr(0, lock_path.rfind('/') + 1);
  if (::stat(directory.empty() ? "." : directory.c_str(), &place) != 0) place = {};
  char name[64];
  std::snprintf(name, sizeof name, "proxysql-pulse-job-%016llx",
                static_cast<unsigned long long>(
                    fnv1a(lock_path + ":" + std::to_string(place.st_dev) + ":" + std::to_string(place.st_ino))));
  return name;
}

}  // namespace

std::string_view own_cgroup(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.substr(0, 3) == "0::") return line.substr(3);
  }
  return "";
}

std::optional<JobCgroup> JobCgroup::make(const std::string& lock_path, Deadline deadline) {
  const std::string parent = own_directory();
  if (parent.empty()) return std::nullopt;
  const std::string path = parent + "/" + name_of(lock_path);
  const bool left_over = ::mkdir(path.c_str(), 0755) != 0;
  if (left_over && errno != EEXIST) return std::nullopt;
  UniqueFd procs(::open((path + "/cgroup.procs").c_str(), O_RDWR | O_CLOEXEC));
  UniqueFd kill(::open((path + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs || !kill) {
    ::rmdir(path.c_str());
    return std::nullopt;
  }
  JobCgroup cgroup(path, std::move(procs), std::move(kill));
  if (left_over) {
    cgroup.kill();
    // Only an empty one can be removed, which is the cheapest way to see that it is.
    bool removed = false;
    while (!(removed = ::rmdir(path.c_str()) == 0) && errno == EBUSY && !deadline.passed()) ::poll(nullptr, 0, 1);
    cgroup.path_.clear();
    if (!removed) return std::nullopt;
    return make(lock_path, deadline);
  }
  g_kill.store(cgroup.kill_.get());
  return cgroup;
}

JobCgroup::~JobCgroup() {
  if (path_.empty()) return;
  g_kill.store(-1);
  ::rmdir(path_.c_str());
}

size_t JobCgroup::kill() const {
  std::array<char, 16384> pids;
  const ssize_t length = ::pread(procs_.get(), pids.data(), pids.size(), 0);
  kill_by(kill_.get());
  return static_cast<size_t>(std::count(pids.begin(), pids.begin() + std::max<ssize_t>(0, length), '\n'));
}

void JobCgroup::kill_current() { kill_by(g_kill.load()); }

}  // namespace pulse
