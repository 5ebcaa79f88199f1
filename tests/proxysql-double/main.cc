// A test double of ProxySQL: admin port, MySQL port, cluster and scheduler, with faults on request.
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/proxysql-double/control.h"
#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/options.h"
#include "tests/proxysql-double/server.h"

namespace {

using proxysql_double::Server;

int fail(const pulse::Error& error) {
  std::fprintf(stderr, "proxysql-double: %s\n", error.text.c_str());
  return EXIT_FAILURE;
}

// Before any thread starts: all inherit it, and only wait_for_end() takes the signals.
sigset_t block_end_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // the scheduler's children inherit this, as ProxySQL's do
  return signals;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = proxysql_double::parse_options(argc, argv);
  if (!options) return fail(options.error());
  if (options->die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const sigset_t signals = block_end_signals();

  auto server = Server::start(*options);
  if (!server) {
    fail(server.error());
    std::_Exit(EXIT_FAILURE);
  }
  if (!options->control_path.empty()) {
    if (auto started = start_control(**server, options->control_path); !started) {
      fail(started.error());
      std::_Exit(EXIT_FAILURE);
    }
  }
  int signal = 0;
  ::sigwait(&signals, &signal);
  proxysql_double::log_info("Received signal " + std::to_string(signal) + ", exiting");
  if (!options->control_path.empty()) ::unlink(options->control_path.c_str());
  // Threads may hang in a wedge: the kernel closes what they hold.
  std::_Exit(EXIT_SUCCESS);
} catch (const std::exception& failure) {
  std::fprintf(stderr, "proxysql-double: %s\n", failure.what());
  return EXIT_FAILURE;
}
