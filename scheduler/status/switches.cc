#include "scheduler/status/switches.h"

#include <cstdio>

#include "scheduler/run/hard_timer.h"
#include "scheduler/run/state_access.h"
#include "shm/status/snapshot.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

enum class For { all, satellites };

// Runs `access` on the layout of a writable segment and returns the exit code.
template <class Access>
int with_segment(const Options& options, For for_whom, Access access) {
  arm_hard_timer(Deadline::after(options.timeout.value_or(kCommandTimeout)));
  OpenedSegment opened = open_segment(options, true);
  if (for_whom == For::satellites && opened.config.is_core()) {
    log_error(options.command + " is for satellites, and the configuration says that this is a core");
    return kExitUsage;
  }
  if (!opened.segment) {
    log_error(opened.segment.error().text);
    return kExitUnavailable;
  }
  if (!guarded([&] { access(opened.segment->layout()); })) {
    log_error("the state segment " + opened.config.state + " was cut short");
    return kExitUnavailable;
  }
  return kExitOk;
}

}  // namespace

int run_maintenance(const Options& options) {
  const bool on = options.arguments.front() == "on";
  return with_segment(options, For::all, [&](Layout& layout) {
    switch_maintenance(layout, on);
    std::puts(on ? "maintenance is on: /healthz/ready answers 503 until proxysql-pulse maintenance off"
                 : "maintenance is off");
  });
}

int run_resync(const Options& options) {
  return with_segment(options, For::satellites, [](Layout& layout) {
    layout.resync_requested.fetch_add(1, std::memory_order_relaxed);
    std::puts("asked for: the next beat puts proxysql_servers back to the configuration file's entries and loads it");
  });
}

}  // namespace pulse
