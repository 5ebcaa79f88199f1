#include "scheduler/status/switches.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "scheduler/run/hard_timer.h"
#include "scheduler/run/state_access.h"
#include "scheduler/status/status_text.h"
#include "shm/segment/boot.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/config/drain_steps.h"
#include "src/linux/socket_table.h"

namespace pulse {

namespace {

// No command waits for anything but the kernel; this is the bound for when a disk or a terminal hangs.
constexpr milliseconds kCommandTimeout{10000};

struct Opened {
  Config config;
  std::string state_path;
  Result<Segment> segment;
};

// The segment as the command line or the configuration names it. A configuration that can't be read is said and
// doesn't keep `status` from showing what there is.
Opened open_segment(const Options& options, bool writable) {
  install_bus_guard();
  Config config;
  config.state = options.state.value_or(config.state);
  auto loaded = load_config(options.config, options.overrides());
  if (loaded) {
    config = loaded->config;
  } else {
    log_warning(loaded.error().text);
  }
  SegmentOptions segment;
  segment.path = config.state;
  segment.group = config.group;
  segment.writable = writable;
  segment.create = false;  // a file of this person's user would shut the beats' user out
  segment.root_may = true;
  return {config, config.state, Segment::open(segment)};
}

// Runs `access` on the layout of a writable segment and returns the exit code.
template <class Access>
int with_segment(const Options& options, Access access) {
  arm_hard_timer(Deadline::after(options.timeout.value_or(kCommandTimeout)));
  Opened opened = open_segment(options, true);
  if (options.command == "resync" && opened.config.is_core()) {
    log_error("resync is for satellites, and the configuration says that this is a core");
    return kExitUsage;
  }
  if (!opened.segment) {
    log_error(opened.segment.error().text);
    return kExitUnavailable;
  }
  if (!guarded([&] { access(opened.segment->layout()); })) {
    log_error("the state segment " + opened.state_path + " was cut short");
    return kExitUnavailable;
  }
  return kExitOk;
}

PortView look_at_port(const Config& config, Deadline deadline) {
  PortView port;
  port.how = "socket table";
  const auto listening = read_listen_state(static_cast<uint16_t>(config.daemon.mysql_port), deadline,
                                           SocketSource::automatic, config.daemon.mysql_host);
  port.known = static_cast<bool>(listening);
  port.answers = port.ever_answered = port.known && listening->listening;
  port.looked_at_ns = port.since_ns = boottime_ns();
  if (!port.answers) port.reason = port.known ? "nothing listens there" : listening.error().text;
  return port;
}

}  // namespace

namespace {

// What to make of the status.
using Show = std::function<std::string(const StatusInput&)>;

struct StatusShown {
  std::string text;
  bool usable = false;  // the segment is
};

StatusShown show_status(const Options& options, const Show& show) {
  arm_hard_timer(Deadline::after(options.timeout.value_or(kCommandTimeout)));
  Opened opened = open_segment(options, false);
  const Config& config = opened.config;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const Policy policy = make_policy(config, host);
  StateView view;
  if (opened.segment) {
    view = read_state(*opened.segment, machine_boot_id(), policy.backoff(), boottime_ns());
    read_members(*opened.segment, machine_boot_id(), view);
    read_jobs(*opened.segment, machine_boot_id(), boottime_ns(), view);
  } else {
    view.problem = opened.segment.error().text;
  }
  const PortView port = look_at_port(config, Deadline::after(milliseconds(500)));
  const auto clients =
      count_established(static_cast<uint16_t>(config.daemon.mysql_port), Deadline::after(milliseconds(500)));
  Memory memory;
  const int64_t now = boottime_ns();
  // How long nobody has seen a beat is reckoned from the segment's creation; the clock may have been set since.
  const int64_t age = std::max<int64_t>(0, clock_ns(CLOCK_REALTIME) - view.created_realtime_ns);
  const Verdict verdict = decide(view, port, policy, memory, now - age, now);
  const StatusInput input{view, verdict, port, config, clients ? static_cast<int64_t>(*clients) : -1, now};
  return {show(input), view.problem.empty()};
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

int run_maintenance(const Options& options) {
  const bool on = options.arguments.front() == "on";
  return with_segment(options, [&](Layout& layout) {
    switch_maintenance(layout, on);
    std::puts(on ? "maintenance is on: /healthz/ready answers 503 until proxysql-pulse maintenance off"
                 : "maintenance is off");
  });
}

int run_resync(const Options& options) {
  return with_segment(options, [](Layout& layout) {
    layout.resync_requested.fetch_add(1, std::memory_order_relaxed);
    std::puts("asked for: the next beat puts proxysql_servers back to the configuration file's entries and loads it");
  });
}

int run_check_config(const Options& options) {
  arm_hard_timer(Deadline::after(options.timeout.value_or(kCommandTimeout)));
  auto loaded = load_config(options.config, options.overrides());
  if (!loaded) {
    log_error(loaded.error().text);
    return kExitConfig;
  }
  size_t key_width = 0, value_width = 0;
  const std::vector<Setting> settings = list_settings(*loaded);
  for (const Setting& setting : settings) {
    key_width = std::max(key_width, setting.key.size());
    value_width = std::max(value_width, setting.value.size());
  }
  for (const Setting& setting : settings) {
    std::printf("%-*s = %-*s  # %s\n", static_cast<int>(key_width), setting.key.c_str(), static_cast<int>(value_width),
                setting.value.c_str(), setting.source.c_str());
  }
  for (const ServerEntry& entry : loaded->config.bootstrap) {
    std::printf("# bootstrap entry of proxysql_servers: %s:%u\n", entry.hostname.c_str(), entry.port);
  }
  std::printf("# a drain takes %lld s at most: terminationGracePeriodSeconds must be %lld or more\n",
              static_cast<long long>(std::chrono::ceil<std::chrono::seconds>(loaded->config.drain.timeout).count()),
              static_cast<long long>(least_grace(loaded->config).count()));
  if (loaded->jobs) {
    for (const Job& job : *loaded->jobs) {
      std::printf("pulse.jobs: %s  # %s:%d\n", describe(job).c_str(), options.config.c_str(), job.line);
    }
  }
  for (const std::string& warning : loaded->warnings) log_warning(warning);
  if (const std::string problem = grace_problem(loaded->config); !problem.empty()) {
    log_error(problem);
    return kExitConfig;
  }
  return loaded->jobs ? kExitOk : kExitConfig;
}

}  // namespace pulse
