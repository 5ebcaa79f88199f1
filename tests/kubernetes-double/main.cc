// A test double of the Kubernetes API server, as far as a watcher of pods needs it, with faults on request.
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>

#include "tests/control_socket.h"
#include "tests/kubernetes-double/api.h"
#include "tests/kubernetes-double/control.h"
#include "tests/kubernetes-double/options.h"
#include "tests/kubernetes-double/server.h"

namespace {

using kubernetes_double::Options;
using kubernetes_double::Server;

int fail(const pulse::Error& error) {
  std::fprintf(stderr, "kubernetes-double: %s\n", error.text.c_str());
  return EXIT_FAILURE;
}

// Before any thread starts: all inherit it, and only main() takes the signals.
sigset_t block_end_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Renamed into place: whoever finds the file finds the whole number.
pulse::Result<void> write_port_file(const std::string& path, uint16_t port) {
  if (path.empty()) return {};
  const std::string unfinished = path + ".tmp";
  std::error_code failure;
  if (!(std::ofstream(unfinished) << port << "\n").flush()) return pulse::system_error("write " + unfinished, errno);
  std::filesystem::rename(unfinished, path, failure);
  if (failure) return pulse::system_error("rename " + unfinished, failure.value());
  return {};
}

pulse::Result<void> start(Server& server) {
  const Options& options = server.options;
  if (auto created = kubernetes_double::Account::create(server.account, options.account, options.service_namespace,
                                                        server.certificates.authority.pem());
      !created) {
    return created;
  }
  const auto serve = [&server](pulse::UniqueFd socket) { serve_connection(server, std::move(socket)); };
  if (auto started = server.listener.start(options.listen, options.port, serve); !started) return started;
  const auto run = [&server](const std::string& line) { return run_control_command(server, line); };
  if (!options.control_path.empty()) {
    if (auto started = pulse::test::start_control_socket(options.control_path, run); !started) return started;
  }
  return write_port_file(options.port_file, server.listener.port());
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = kubernetes_double::parse_options(argc, argv);
  if (!options) return fail(options.error());
  if (options->die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const sigset_t signals = block_end_signals();

  Server server(*options);
  if (auto started = start(server); !started) {
    fail(started.error());
    std::_Exit(EXIT_FAILURE);
  }
  const bool is_v6 = options->listen.find(':') != std::string::npos;
  std::fprintf(stderr, "kubernetes-double: serving https://%s%s%s:%u\n", is_v6 ? "[" : "", options->listen.c_str(),
               is_v6 ? "]" : "", server.listener.port());
  int signal = 0;
  ::sigwait(&signals, &signal);
  if (!options->control_path.empty()) ::unlink(options->control_path.c_str());
  // Threads still serve connections: the kernel closes what they hold.
  std::_Exit(EXIT_SUCCESS);
} catch (const std::exception& failure) {
  std::fprintf(stderr, "kubernetes-double: %s\n", failure.what());
  return EXIT_FAILURE;
}
