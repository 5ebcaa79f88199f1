#include "daemon/options.h"

#include <getopt.h>

#include <array>
#include <string>

namespace pulse {

namespace {

constexpr const char* kHelp =
    R"(Usage: proxysql-pulsed [OPTION...]

Answers health probes of one ProxySQL over HTTP, finds out who the members of
the cluster are, and who leads. It never asks ProxySQL's admin interface. It
stays in the foreground and reads its configuration once: restart it after a
change.

  -c, --config FILE      proxysql.cnf with the group pulse (/etc/proxysql.cnf)
      --state FILE       the state segment's file (/dev/shm/proxysql-pulse)
      --group NAME|GID   the group that shares that file (pulse.group)
      --listen ADDRESS   where to answer (pulse.daemon.listen_address, all)
      --port N           on which port (pulse.daemon.port, 8080)
  -h, --help             this text
  -V, --version          the version

Answers: /healthz/started, /healthz/ready, /healthz/live, /status, /metrics.
Changes something, with the token of pulse.daemon.token_file or, without that
file, for trusted users on loopback: /shutdown, POST /resync, POST /maintenance.
  curl -s localhost:8080/status

Signals: SIGTERM, SIGINT end it (pulse.drain.on_sigterm: after a drain);
SIGUSR1 logs the status. Is the file right? proxysql-pulse check-config

Exit codes: 0 stopped; 64 usage; 69 the port can't be listened on; 78 bad
configuration.
)";

}  // namespace

bool drains_on_sigterm(const Config& config, const char* invocation_id) {
  return config.drain.on_sigterm && (invocation_id == nullptr || *invocation_id == '\0');
}

Result<DaemonOptions> parse_options(int argc, char** argv, char** environment) {
  DaemonOptions options;
  options.overrides = overrides_from_environment(environment);
  // Each of the first ones stands for the key of the group pulse named beside it.
  struct Flag {
    const char* name;
    const char* key;
  };
  constexpr std::array<Flag, 4> kFlags = {
      {{"state", "state"}, {"group", "group"}, {"listen", "daemon.listen_address"}, {"port", "daemon.port"}}};
  constexpr int kFirstFlag = 256;
  std::array<option, kFlags.size() + 4> known{};
  size_t count = 0;
  for (const Flag& flag : kFlags) {
    known[count] = {flag.name, required_argument, nullptr, kFirstFlag + static_cast<int>(count)};
    ++count;
  }
  known[count++] = {"config", required_argument, nullptr, 'c'};
  known[count++] = {"help", no_argument, nullptr, 'h'};
  known[count++] = {"version", no_argument, nullptr, 'V'};
  ::optind = 0;  // from the beginning, also a second time
  for (int found = 0; (found = ::getopt_long(argc, argv, ":c:hV", known.data(), nullptr)) != -1;) {
    const int at = ::optind - 1;
    switch (found) {
      case 'c':
        options.config = ::optarg;
        break;
      case 'h':
        options.text = kHelp;
        break;
      case 'V':
        options.text = "proxysql-pulsed " PULSE_VERSION "\n";
        break;
      case ':':
        return Error{std::string(argv[at]) + " takes a value; see proxysql-pulsed --help"};
      case '?':
        return Error{std::string("unknown option ") + argv[at] + "; see proxysql-pulsed --help"};
      default: {
        const Flag& flag = kFlags[static_cast<size_t>(found - kFirstFlag)];
        options.overrides.push_back({flag.key, ::optarg, std::string("--") + flag.name});
      }
    }
  }
  if (::optind < argc) return Error{std::string("unexpected argument ") + argv[::optind]};
  return options;
}

}  // namespace pulse
