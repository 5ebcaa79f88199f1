// The lock that makes beats one at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

// Two kernel locks in one, both released by the kernel whatever way their holder dies.
//
// - flock on the file PATH.lock. It stands beside the segment and not on it, so that beats exclude each other even
//   while the segment itself is unusable.
// - A listening abstract unix socket, named after the file's place. Every program of this network namespace meets it,
//   whoever may open the file: two users whose files are closed to each other still exclude each other. It also serves
//   alone where the file can't be had (a read-only directory) or mustn't be believed.
//
// A file that belongs neither to this user, root nor the group is nobody's to believe: its owner, or whoever may read
// it, could hold it for ever. It is left alone, and problem() says whose it is.
class InstanceLock {
 public:
  // Tries to take the lock of the segment at `state_path`; never waits: ask taken() of what comes back.
  // `group` and `create` as in SegmentOptions; a file that mustn't be created and isn't there is replaced by the
  // socket. What root creates belongs to the segment's owner, who has to take it too. Another `suffix` is another lock.
  // Fails only if neither kind of lock can be had; error().code is the errno.
  static Result<InstanceLock> try_take(const std::string& state_path, std::optional<gid_t> group, bool create = true,
                                       const char* suffix = ".lock");

  // The process that holds the lock of the segment at `state_path`, by its number in this process's pid namespace.
  // Nothing if nobody does, if that process isn't one of this namespace (another container's), or if it can't be told:
  // the socket's queue is full, or the holder is of another network namespace. Never waits.
  static std::optional<pid_t> process_of_holder(const std::string& state_path, const char* suffix = ".lock");

  bool taken() const { return taken_; }
  // The user who holds it, if it isn't taken and that is another user than this one and root; only the socket says so.
  std::optional<uid_t> other_holder() const { return other_holder_; }
  // What is wrong with the lock file, for a person; "" if nothing is. The lock holds all the same.
  const std::string& problem() const { return problem_; }

 private:
  InstanceLock() = default;
  Result<bool> take_socket(const std::string& lock_path);

  UniqueFd file_;
  UniqueFd socket_;
  bool taken_ = false;
  std::optional<uid_t> other_holder_;
  std::string problem_;
};

// Why the lock file beside the segment at `state_path` isn't believed by the segment's owner, for a reader that takes
// no lock; "" if it is, or if there is none. `owner` is the user who beats: the segment's. One system call.
std::string lock_file_problem(const std::string& state_path, uid_t owner, std::optional<gid_t> group);

// What a person is told of beats that find the lock with another user.
std::string other_holder_text(uid_t uid);

}  // namespace pulse
