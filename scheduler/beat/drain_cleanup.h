// A beat beside a drain: it stands aside while one runs, and clears away what one has left behind.
#pragma once

#include <cstdint>

#include "scheduler/beat/beat_system.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

class DrainCleanup {
 public:
  DrainCleanup(BeatSystem& system, GuardedLayout& layout) : system_(system), layout_(layout) {}

  // While a drain runs, nothing else is done to ProxySQL: true, and counted. One that nobody works on any more is
  // judged in end(), once it is known which ProxySQL this is; its lock is held meanwhile.
  bool stands_aside();

  // Whether a drain was announced and hasn't been cleared away.
  bool found() const { return since_.ns != 0; }

  // Whether a drain has shut ProxySQL down: then it isn't an error that nobody answers.
  bool has_stopped_proxysql();

  // Clears a drain away that was another ProxySQL's than the one that started at `proxysql_started`, or whose process
  // was killed half-way.
  Result<void> end(const Config& config, BootTime proxysql_started, Deadline deadline);

 private:
  // Nothing if it can't be read.
  bool read(DrainRecord& record);

  BeatSystem& system_;
  GuardedLayout& layout_;
  BootTime since_{};
};

}  // namespace pulse
