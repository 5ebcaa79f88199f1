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

// Reads the command line, and the PULSE_* variables of `environment`, which the command line has precedence over. An
// error is what is wrong with the command line.
Result<DaemonOptions> parse_options(int argc, char** argv, char** environment);

}  // namespace pulse
