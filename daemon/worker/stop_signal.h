// A descriptor that hangs up when a watched thread's call is cut, for waits that aren't on one socket of their own.
#pragma once

#include <sys/socket.h>

#include <array>

#include "daemon/worker/call_watch.h"
#include "src/base/unique_fd.h"

namespace pulse {

class StopSignal {
 public:
  explicit StopSignal(CallWatch& calls) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return;
    watched_ = UniqueFd(ends[0]);
    waited_for_ = UniqueFd(ends[1]);
    calls.expect_on(watched_.get());
  }

  // -1 if there are no descriptors left: then nothing but its deadline ends the wait.
  int fd() const { return waited_for_.get(); }

 private:
  UniqueFd watched_;
  UniqueFd waited_for_;
};

}  // namespace pulse
