// The daemon's command line.
#pragma once

#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/config/load.h"

namespace pulse {

struct DaemonOptions {
  std::string config = kDefaultConfigPath;
  std::vector<Override> overrides;
  std::string text;  // help or version, to be printed
};

// Whether SIGTERM to this daemon starts a drain: if drain.on_sigterm says so, and nobody but the end of ProxySQL's own
// pod or container can be meant by it. `invocation_id` is the environment's INVOCATION_ID, null without one: systemd
// sets it, and sends SIGTERM also for a restart of the daemon or an upgrade of its package, which ProxySQL is to
// outlive.
bool drains_on_sigterm(const Config& config, const char* invocation_id);

// Reads the command line, and the PULSE_* variables of `environment`, which the command line has precedence over. An
// error is what is wrong with the command line.
Result<DaemonOptions> parse_options(int argc, char** argv, char** environment);

}  // namespace pulse
