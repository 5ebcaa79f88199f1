#include "daemon/options.h"

#include <exception>
#include <utility>

#define CXXOPTS_NO_REGEX
#include <cxxopts.hpp>

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
Changes something, for loopback or with the token of pulse.daemon.token_file:
/shutdown, POST /resync, POST /maintenance.
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
  cxxopts::Options parser("proxysql-pulsed");
  auto add = parser.add_options();
  add("c,config", "", cxxopts::value<std::string>()->default_value(kDefaultConfigPath));
  // Each stands for the key of the group pulse named beside it.
  const std::pair<const char*, const char*> flags[] = {
      {"state", "state"}, {"group", "group"}, {"listen", "daemon.listen_address"}, {"port", "daemon.port"}};
  for (const auto& [flag, key] : flags) add(flag, "", cxxopts::value<std::string>());
  for (const char* name : {"h,help", "V,version"}) add(name, "");
  try {
    const cxxopts::ParseResult parsed = parser.parse(argc, argv);
    if (!parsed.unmatched().empty()) return Error{"unexpected argument " + parsed.unmatched().front()};
    if (parsed.count("help") != 0) options.text = kHelp;
    if (parsed.count("version") != 0) options.text = "proxysql-pulsed " PULSE_VERSION "\n";
    options.config = parsed["config"].as<std::string>();
    for (const auto& [flag, key] : flags) {
      if (parsed.count(flag) != 0)
        options.overrides.push_back({key, parsed[flag].as<std::string>(), std::string("--") + flag});
    }
  } catch (const std::exception& failure) {
    return Error{std::string(failure.what()) + "; see proxysql-pulsed --help"};
  }
  return options;
}

}  // namespace pulse
