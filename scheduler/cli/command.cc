#include "scheduler/cli/command.h"

#include <algorithm>
#include <array>

#include "src/base/number.h"

namespace pulse {

namespace {

Result<void> take_config(Options& options, const Option&, const std::string& value) {
  options.config = value;
  return {};
}

Result<void> take_state(Options& options, const Option&, const std::string& value) {
  if (value.empty() || value.front() != '/') return Error{"--state takes an absolute path"};
  options.state = value;
  return {};
}

Result<void> take_group(Options& options, const Option&, const std::string& value) {
  options.group = value;
  return {};
}

constexpr std::array<Option, 3> kCommon = {{
    {.name = "config",
     .value = "FILE",
     .text = "proxysql.cnf with the group pulse (/etc/proxysql.cnf)\n",
     .take = take_config,
     .letter = 'c',
     .completes = Completes::files},
    {.name = "state",
     .value = "FILE",
     .text = "the state segment's file (/dev/shm/proxysql-pulse)\n",
     .take = take_state,
     .completes = Completes::files},
    {.name = "group",
     .value = "NAME|GID",
     .text = "the group that shares that file (pulse.group)\n",
     .take = take_group},
}};

}  // namespace

std::span<const Option> common_options() { return kCommon; }

const Command* find_command(const Program& program, std::string_view name) {
  const auto found = std::find_if(program.commands.begin(), program.commands.end(),
                                  [&](const Command* command) { return command->name == name; });
  return found == program.commands.end() ? nullptr : *found;
}

const Option* find_option(std::span<const Option> options, std::string_view name) {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const Option& option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::vector<const Option*> all_options(const Program& program) {
  std::vector<const Option*> all;
  const auto add = [&all](std::span<const Option> options) {
    for (const Option& option : options) {
      const std::string_view name = option.name;
      if (std::none_of(all.begin(), all.end(), [&](const Option* known) { return known->name == name; })) {
        all.push_back(&option);
      }
    }
  };
  add(common_options());
  for (const Command* command : program.commands) add(command->options);
  return all;
}

Result<void> take_timeout(Options& options, const Option& option, const std::string& value) {
  const auto span = to_number<int64_t>(value);
  if (!span || *span < option.least || *span > option.most) {
    return Error{"--timeout-ms takes a whole number from " + std::to_string(option.least) + " to " +
                 std::to_string(option.most)};
  }
  options.timeout = std::chrono::milliseconds(*span);
  return {};
}

}  // namespace pulse
