// Who listens on one of ProxySQL's interfaces, read again and again at little cost.
#pragma once

#include <cstdint>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"
#include "src/linux/socket_table.h"

namespace pulse {

// How long one socket is asked for alone, before all are read again.
constexpr nanoseconds kWholeAgain = std::chrono::seconds(15);

// Of one thread.
class ListenLook {
 public:
  // `interface` is not owned, and outlives this.
  explicit ListenLook(const MysqlInterface& interface) : interface_(interface) {}

  // As read_listen_state(). While the only socket that the latest whole reading found is the one that the kernel finds
  // by its address, that is all: nobody else can listen on that address then. With SO_REUSEPORT somebody can; another
  // program's socket is seen kWholeAgain later at most.
  Result<ListenState> read(Deadline deadline);

  // How often the whole table was read.
  uint64_t whole_readings() const { return whole_readings_; }

 private:
  const MysqlInterface& interface_;
  ListenerFinder finder_;
  uint32_t only_inode_ = 0;  // 0: nobody, or several
  Deadline whole_until_ = Deadline::after(nanoseconds(0));
  uint64_t whole_readings_ = 0;
};

}  // namespace pulse
