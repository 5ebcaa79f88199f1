#include "scheduler/status/switches.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <array>
#include <cstdio>
#include <string>

#include "scheduler/cli/command.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/state_access.h"
#include "shm/status/snapshot.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

enum class For { all, satellites };

// Runs `access` on the layout of a writable segment, and its path, and returns the exit code.
template <class Access>
int with_segment(const Options& options, For for_whom, Access access) {
  arm_hard_timer(Deadline::after(options.timeout.value_or(kCommandTimeout)));
  OpenedSegment opened = open_segment(options, true);
  if (for_whom == For::satellites && !opened.config.is_satellite()) {
    log_error(options.command + " is for satellites, and the configuration says that this is a " +
              opened.config.role_name());
    return kExitUsage;
  }
  if (!opened.segment) {
    log_error(opened.segment.error().text);
    return kExitUnavailable;
  }
  if (!guarded([&] { access(opened.segment->layout(), opened.config.state); })) {
    log_error("the state segment " + opened.config.state + " was cut short");
    return kExitUnavailable;
  }
  return kExitOk;
}

// Whether what the file holds is lost when the host reboots.
bool is_in_memory(const std::string& path) {
  struct statfs on {};
  return ::statfs(path.c_str(), &on) == 0 && on.f_type == TMPFS_MAGIC;
}

}  // namespace

int run_maintenance(const Options& options) {
  const bool on = options.arguments.front() == "on";
  return with_segment(options, For::all, [&](Layout& layout, const std::string& state) {
    switch_maintenance(layout, on);
    if (!on) {
      std::puts("maintenance is off");
      return;
    }
    std::printf("maintenance is on: /healthz/ready answers 503 until proxysql-pulse maintenance off%s\n",
                is_in_memory(state) ? (", or a reboot: " + state + " is in memory").c_str() : "");
  });
}

int run_resync(const Options& options) {
  return with_segment(options, For::satellites, [](Layout& layout, const std::string& /*state*/) {
    layout.resync_requested.fetch_add(1, std::memory_order_relaxed);
    std::puts("asked for: the next beat puts proxysql_servers back to the configuration file's entries and loads it");
  });
}

namespace {

constexpr std::array<Option, 1> kSwitchOptions = {timeout_option(50, 60'000, "{} (10000)\n")};
constexpr std::array<const char*, 2> kOnOff = {"on", "off"};

constexpr const char* kNoSegment = "the state segment can't be used";
constexpr std::array<Exit, 2> kMaintenanceExits = {{{nullptr, kExitOk}, {kNoSegment, kExitUnavailable}}};
constexpr std::array<Exit, 3> kResyncExits = {
    {{"asked for", kExitOk}, {"this is a core", kExitUsage}, {kNoSegment, kExitUnavailable}}};

}  // namespace

constinit const Command kMaintenanceCommand = {
    .name = "maintenance",
    .summary = "\"on\" takes this node out of service, \"off\" puts it back",
    .usage = "on|off [OPTION...]",
    .about = R"(on: /healthz/ready answers 503, so that load balancers take this node out.
Nothing is closed or stopped, beats go on. off: back to what is really the
case. It is remembered in the state segment, so it survives ProxySQL and the
daemon.
)",
    .options = kSwitchOptions,
    .exits = kMaintenanceExits,
    .takes = kOnOff,
    .timeout_key = "timeout_ms",
    .run = run_maintenance,
};

constinit const Command kResyncCommand = {
    .name = "resync",
    .summary = "the next beat of a satellite starts from the file's cores",
    .usage = "[OPTION...]",
    .about = R"(On a satellite: the next beat puts the file's entries and the discovered cores
into proxysql_servers, removes dead ones and loads it to runtime. For one that
follows wrong cores, or none. The table is never empty meanwhile, traffic isn't
touched.
)",
    .options = kSwitchOptions,
    .exits = kResyncExits,
    .timeout_key = "timeout_ms",
    .run = run_resync,
};

}  // namespace pulse
