// The lock that makes beats one at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

// A kernel lock (flock) on PATH.lock, released by the kernel whatever way its holder dies. It stands beside the
// segment and not on it, so that beats exclude each other even while the segment itself is unusable. Where the file
// can't be made (a read-only directory), a listening abstract unix socket named after the path does the same within
// this network namespace, which all beats of one ProxySQL share.
class InstanceLock {
 public:
  // Tries to take the lock of the segment at `state_path`; never waits: ask taken() of what comes back.
  // `group` and `create` as in SegmentOptions; a file that mustn't be created and isn't there is replaced by the
  // socket. What root creates belongs to the segment's owner, who has to take it too. Another `suffix` is another lock.
  // Fails only if neither kind of lock can be had; error().code is the errno.
  static Result<InstanceLock> try_take(const std::string& state_path, std::optional<gid_t> group, bool create = true,
                                       const char* suffix = ".lock");

  bool taken() const { return static_cast<bool>(fd_); }

 private:
  explicit InstanceLock(UniqueFd fd) : fd_(std::move(fd)) {}
  static Result<InstanceLock> try_socket(const std::string& lock_path);

  UniqueFd fd_;
};

}  // namespace pulse
