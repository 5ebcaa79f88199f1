#include "scheduler/status/status_command.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>

#include "scheduler/cli/command.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/state_access.h"
#include "scheduler/status/node_status.h"
#include "scheduler/status/status_text.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

// What to make of the status.
using Show = std::function<std::string(const StatusInput&)>;

struct StatusShown {
  std::string text;
  bool usable = false;  // the segment is there, and can be read
};

StatusShown show_status(const Options& options, const Show& show) {
  const Deadline deadline = Deadline::after(options.timeout.value_or(kCommandTimeout));
  arm_hard_timer(deadline);
  const NodeStatus node = read_node_status(options, deadline);
  return {show(node.input()), node.view.problem.empty() && node.view.absent.empty()};
}

// The terminal's size; 80x24 where it doesn't say.
winsize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2 || size.ws_col < 20) size = {24, 80, 0, 0};
  return size;
}

int watch_status(const Options& options) {
  if (::isatty(STDOUT_FILENO) == 0) {
    log_error("status --watch needs a terminal; without one, call status --json again and again");
    return kExitUsage;
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  constexpr timespec kEvery{1, 0};
  for (;;) {
    const winsize size = terminal_size();
    // Home, the lines each cleared to their end, then what is below: no flicker.
    const StatusShown shown = show_status(options, [&size](const StatusInput& input) {
      return "\x1b[H" + status_screen(input, size.ws_col, size.ws_row - 1U, "\x1b[K\n") + "\x1b[J";
    });
    std::fputs(shown.text.c_str(), stdout);
    std::fflush(stdout);
    const int number = ::sigtimedwait(&signals, nullptr, &kEvery);
    if (number > 0 && number != SIGWINCH) break;
  }
  std::puts("");
  return kExitOk;
}

}  // namespace

int run_status(const Options& options) {
  if (options.watch) return watch_status(options);
  const StatusShown shown = show_status(options, options.json ? status_json : status_text);
  std::fputs(shown.text.c_str(), stdout);
  return shown.usable ? kExitOk : kExitUnavailable;
}

namespace {

Result<Options> check_status(Options options) {
  if (options.watch && options.json) return Error{"--watch is for people, --json for programs: one of them"};
  return options;
}

constexpr std::array<Option, 3> kStatusOptions = {{
    {"watch", nullptr, "live, until Ctrl-C; needs a terminal\n", take_flag<&Options::watch>},
    {"json", nullptr, "the same as /status of the daemon, for programs\n", take_flag<&Options::json>},
    timeout_option(50, 60'000, "{} (10000)\n"),
}};

constexpr std::array<Exit, 2> kStatusExits = {
    {{nullptr, kExitOk}, {"the state segment can't be used: the text says why", kExitUnavailable}}};

}  // namespace

constinit const Command kStatusCommand = {
    .name = "status",
    .summary = "how this node is: state, probes, heartbeat, backends, jobs",
    .usage = "[--watch | --json] [OPTION...]",
    .about = R"(Shows how this node is, from the state segment and the kernel's socket table.
It never asks ProxySQL, so it answers at once while the admin interface hangs,
and the daemon need not run. For root, ProxySQL's user and members of
pulse.group.
)",
    .options = kStatusOptions,
    .more = R"(State, in the first line:
  beating             all is well
  starting            no beat has gone through yet
  failing             beats end with an error: see "last error"
  admin_unresponsive  the admin interface hangs; traffic flows on
  scheduler_silent    ProxySQL starts no beats: see its log, runtime_scheduler
  draining            a drain is under way, or has ended with ProxySQL left up
  maintenance         "maintenance on"
)",
    .exits = kStatusExits,
    .timeout_key = "timeout_ms",
    .check = check_status,
    .run = run_status,
};

}  // namespace pulse
