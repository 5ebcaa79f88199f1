// proxysql-pulse: the one-shot that ProxySQL's scheduler starts, and its commands for people.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "scheduler/cli/command_line.h"
#include "scheduler/commands.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace {

// Whoever starts us without one of the standard descriptors must not find its log lines in the state segment.
void keep_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", O_RDWR);
  }
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  const auto options = pulse::parse_options(pulse::program(), argc, argv);
  if (!options) {
    pulse::log_error(options.error().text);
    return pulse::kExitUsage;
  }
  if (options->text) {
    std::fputs(options->text->c_str(), stdout);
    return pulse::kExitOk;
  }
  int code = pulse::kExitStatement;
  try {
    code = pulse::find_command(pulse::program(), options->command)->run(*options);
  } catch (const std::bad_alloc&) {
    pulse::log_error("out of memory: the answers of the admin interface, or the file, need more than 64 MiB");
  }
  // No destructors, here or in the libraries: the kernel takes back all there is, and nothing can block any more.
  std::fflush(stdout);
  ::_exit(code);
}
