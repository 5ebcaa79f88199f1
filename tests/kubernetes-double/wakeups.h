// Wakes the connections that wait for something to happen: a change of a pod, a fault, a bookmark.
#pragma once

#include <sys/eventfd.h>

#include <mutex>
#include <set>

#include "src/base/unique_fd.h"

namespace kubernetes_double {

class Wakeups;

// One waiter's descriptor: readable from a wakeup until take().
class Wakeup {
 public:
  explicit Wakeup(Wakeups& all);
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const { return fd_.get(); }
  // Before looking at what may have happened, so that nothing is missed.
  void take() const {
    eventfd_t count = 0;
    ::eventfd_read(fd_.get(), &count);
  }

 private:
  Wakeups& all_;
  const pulse::UniqueFd fd_;
};

// Thread-safe.
class Wakeups {
 public:
  void wake_all() {
    const std::lock_guard lock(mutex_);
    for (const int fd : fds_) ::eventfd_write(fd, 1);
  }

 private:
  friend class Wakeup;
  std::mutex mutex_;
  std::set<int> fds_;
};

inline Wakeup::Wakeup(Wakeups& all) : all_(all), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const std::lock_guard lock(all_.mutex_);
  all_.fds_.insert(fd_.get());
}

inline Wakeup::~Wakeup() {
  const std::lock_guard lock(all_.mutex_);
  all_.fds_.erase(fd_.get());
}

}  // namespace kubernetes_double
