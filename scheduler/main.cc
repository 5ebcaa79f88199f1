// proxysql-pulse: the one-shot that ProxySQL's scheduler starts, and its commands for people.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "scheduler/beat/beat.h"
#include "scheduler/drain/drain.h"
#include "scheduler/drain/undrain.h"
#include "scheduler/dump/dump.h"
#include "scheduler/job/guard.h"
#include "scheduler/status/switches.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace {

// Whoever starts us without one of the standard descriptors must not find its log lines in the state segment.
void keep_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", O_RDWR);
  }
}

int run(const pulse::Options& options) {
  if (options.command == "beat") return options.dry_run ? pulse::run_dry_beat(options) : pulse::run_beat(options);
  if (options.command == "guard" || options.command == "job") return pulse::run_guard(options);
  if (options.command == "status") return pulse::run_status(options);
  if (options.command == "maintenance") return pulse::run_maintenance(options);
  if (options.command == "resync") return pulse::run_resync(options);
  if (options.command == "drain") return pulse::run_drain(options);
  if (options.command == "undrain") return pulse::run_undrain(options);
  if (options.command == "dump") return pulse::run_dump(options);
  return pulse::run_check_config(options);
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  const auto options = pulse::parse_options(argc, argv);
  if (!options) {
    pulse::log_error(options.error().text);
    return pulse::kExitUsage;
  }
  if (options->text) {
    std::fputs(options->text->c_str(), stdout);
    return pulse::kExitOk;
  }
  const int code = run(*options);
  // No destructors, here or in the libraries: the kernel takes back all there is, and nothing can block any more.
  std::fflush(stdout);
  ::_exit(code);
}
