#include "scheduler/status/check_config.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "scheduler/cli/command.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/state_access.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/config/advice.h"
#include "src/config/drain_steps.h"

namespace pulse {

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
  std::fflush(stdout);  // where both go to one place, no warning comes into the middle of a line
  for (const std::string& warning : loaded->warnings) log_warning(warning);
  if (const auto file = read_cnf(options.config)) {
    for (const std::string& advice : advise(*loaded, *file)) log_warning(advice);
  }
  if (const std::string problem = grace_problem(loaded->config); !problem.empty()) {
    log_error(problem);
    return kExitConfig;
  }
  return loaded->jobs ? kExitOk : kExitConfig;
}

namespace {

constexpr std::array<Option, 1> kCheckConfigOptions = {timeout_option(50, 60'000, "{} (10000)\n")};

constexpr std::array<Exit, 2> kCheckConfigExits = {
    {{"all is right", kExitOk}, {"the file, line and key that aren't", kExitConfig}}};

}  // namespace

constinit const Command kCheckConfigCommand = {
    .name = "check-config",
    .summary = "what is made of the configuration file, or is wrong in it",
    .usage = "[OPTION...]",
    .about = R"(Prints each effective value with where it comes from (file and line, variable,
option), the jobs, and what terminationGracePeriodSeconds a drain needs.
Changes nothing, asks nobody. Passwords are never printed.
)",
    .options = kCheckConfigOptions,
    .exits = kCheckConfigExits,
    .timeout_key = "timeout_ms",
    .run = run_check_config,
};

}  // namespace pulse
