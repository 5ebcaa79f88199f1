#include "scheduler/cli/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <locale>
#include <sstream>
#include <string_view>

#define CXXOPTS_NO_REGEX  // its regular expressions are slow to set up
// It alone would ask C++'s locales what a letter is, and bring all of them into the static program.
#define isalnum(character, locale) isalnum(static_cast<unsigned char>(character))
#include <cxxopts.hpp>
#undef isalnum

#include "scheduler/cli/command.h"
#include "scheduler/cli/help.h"

namespace pulse {

namespace {

Error usage(const std::string& text) { return Error{text + "; see proxysql-pulse --help"}; }

// "guard", "job and guard"
template <class Has>
std::string names_of(const Program& program, Has has) {
  std::string names;
  for (const Command* command : program.commands) {
    if (has(*command)) names += (names.empty() ? "" : " and ") + std::string(command->name);
  }
  return names;
}

Result<void> check_arguments(const Command& command, const Options& options) {
  if (command.takes_name) return {};
  std::string allowed;
  bool known = command.takes.empty() && options.arguments.empty();
  for (const char* argument : command.takes) {
    known |= options.arguments.size() == 1 && options.arguments.front() == argument;
    allowed += (allowed.empty() ? "" : " or ") + std::string(argument);
  }
  if (known) return {};
  return usage(options.command + " takes " + (allowed.empty() ? "no further argument" : "one argument: " + allowed));
}

Result<Options> check(const Command& command, Options options) {
  if (auto arguments = check_arguments(command, options); !arguments) return arguments.error();
  options.timeout_key = command.timeout_key;
  if (command.check == nullptr) return options;
  auto checked = command.check(std::move(options));
  return checked ? checked : usage(checked.error().text);
}

// What another command takes and this one doesn't.
Error misplaced(const Program& program, const Command& command, const char* option) {
  const std::string names =
      names_of(program, [&](const Command& other) { return find_option(other.options, option) != nullptr; });
  const std::string dashed = "--" + std::string(option);
  if (std::count(names.begin(), names.end(), ' ') > 2) return usage(command.name + std::string(" takes no ") + dashed);
  return usage(dashed + " goes with " + names);
}

// Reads the plain line that a scheduler row has, "beat [--config FILE] [--state FILE] [--group NAME]" or "job NAME" and
// the like, without cxxopts: to set that up costs more than all the rest of a skipped beat. Null for any other line,
// also for a wrong one.
const Command* take_plain_line(const Program& program, int argc, const char* const* argv, Options& options) {
  if (argc < 2) return nullptr;
  const Command* const command = find_command(program, argv[1]);
  if (command == nullptr || !command->by_scheduler) return nullptr;
  Options plain = options;
  plain.command = argv[1];
  int i = 2;
  if (command->takes_name) {
    if (argc < 3 || *argv[2] == '-') return nullptr;
    plain.arguments.emplace_back(argv[i++]);
  }
  for (; i < argc; ++i) {
    std::string_view name = argv[i];
    if (!name.starts_with("--")) return nullptr;
    name.remove_prefix(2);
    const size_t equals = name.find('=');
    const Option* option = find_option(common_options(), name.substr(0, equals));
    if (option == nullptr) option = find_option(command->options, name.substr(0, equals));
    if (option == nullptr) return nullptr;
    std::string value;
    if (option->value != nullptr) {
      if (equals != std::string_view::npos) {
        value = name.substr(equals + 1);
      } else if (i + 1 < argc && *argv[i + 1] != '-') {
        value = argv[++i];
      }
      if (value.empty()) return nullptr;
    } else if (equals != std::string_view::npos) {
      return nullptr;
    }
    if (!option->take(plain, *option, value)) return nullptr;
  }
  if (!command->takes_program && !plain.program.empty()) return nullptr;
  options = std::move(plain);
  return command;
}

// Takes over what was given. The errors are those of the options and of the command together.
Result<Options> take_parsed(const Program& program, const cxxopts::ParseResult& parsed, Options options) {
  if (options.command.empty()) return usage("no command given");
  const Command* const command = find_command(program, options.command);
  if (command == nullptr) return usage("unknown command \"" + options.command + "\"");
  std::optional<Error> elsewhere;
  for (const Option* option : all_options(program)) {
    if (parsed.count(option->name) == 0) continue;
    const Option* own = find_option(command->options, option->name);
    const bool common = find_option(common_options(), option->name) != nullptr;
    if (own == nullptr && !common && !elsewhere) elsewhere = misplaced(program, *command, option->name);
    if (own == nullptr) own = option;
    const std::string value = own->value == nullptr ? "" : parsed[own->name].as<std::string>();
    if (auto taken = own->take(options, *own, value); !taken) return usage(taken.error().text);
  }
  if (parsed.count("argument") != 0) options.arguments.push_back(parsed["argument"].as<std::string>());
  options.arguments.insert(options.arguments.end(), parsed.unmatched().begin(), parsed.unmatched().end());
  const bool with_program = !options.program.empty();
  auto checked = check(*command, std::move(options));
  if (!checked) return checked;
  if (with_program && !command->takes_program) {
    const auto takes = [](const Command& other) { return other.takes_program; };
    return usage("only " + names_of(program, takes) + " takes a command after --");
  }
  if (elsewhere) return *elsewhere;
  return checked;
}

}  // namespace

std::vector<Override> Options::overrides() const {
  std::vector<Override> list = overrides_from_environment(environ);
  if (state) list.push_back({"state", *state, "--state"});
  if (group) list.push_back({"group", *group, "--group"});
  if (timeout && timeout_key != nullptr) {
    list.push_back({timeout_key, std::to_string(timeout->count()), "--timeout-ms"});
  }
  return list;
}

Result<Options> parse_options(const Program& program, int argc, const char* const* argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) != "--") continue;
    options.program.assign(argv + i + 1, argv + argc);
    argc = i;
  }
  if (const Command* command = take_plain_line(program, argc, argv, options); command != nullptr) {
    return check(*command, std::move(options));
  }
  cxxopts::Options parser("proxysql-pulse");  // what it says for help is in help.cc
  auto add = parser.add_options();
  for (const Option* option : all_options(program)) {
    const std::string name = (option->letter == 0 ? "" : std::string{option->letter, ','}) + option->name;
    if (option->value == nullptr) {
      add(name, "");
    } else {
      add(name, "", cxxopts::value<std::string>());
    }
  }
  for (const char* name : {"h,help", "V,version"}) add(name, "");
  for (const char* name : {"command", "argument"}) add(name, "", cxxopts::value<std::string>());
  parser.parse_positional({"command", "argument"});
  try {
    const cxxopts::ParseResult parsed = parser.parse(argc, argv);
    if (parsed.count("command") != 0) options.command = parsed["command"].as<std::string>();
    if (parsed.count("help") != 0) {
      const Command* const command = find_command(program, options.command);
      if (command == nullptr && !options.command.empty()) {
        return usage("unknown command \"" + options.command + "\"");
      }
      options.text = command == nullptr ? program_help(program) : command_help(*command);
      return options;
    }
    if (parsed.count("version") != 0) {
      options.text = "proxysql-pulse " PULSE_VERSION "\n";
      return options;
    }
    return take_parsed(program, parsed, std::move(options));
  } catch (const std::exception& failure) {
    return usage(failure.what());
  }
}

}  // namespace pulse
