// A command of proxysql-pulse as one row: its name, what help says of it, its options with their ranges, its function.
// The row stands in the command's own file. Rows are constants, so that they cost a beat nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/cli/command_line.h"
#include "src/base/exit_code.h"
#include "src/base/result.h"

namespace pulse {

enum class Completes { nothing, files, words };

// One option of a command, or of all.
struct Option {
  const char* name;   // without the dashes
  const char* value;  // what stands for the value in help; null: a flag
  const char* text;   // of help, lines end with "\n"; {} becomes the range
  // Takes the value over; it is "" for a flag. The error says what the option takes.
  Result<void> (*take)(Options& options, const Option& option, const std::string& value);
  int64_t least = 0;  // of a number
  int64_t most = 0;
  char letter = 0;  // the short form
  Completes completes = Completes::nothing;
  const char* words = "";  // that complete the value
};

// What an exit code means for one command.
struct Exit {
  const char* meaning;  // null: as in kExitCodes
  int code = -1;        // -1: `meaning` says it all
  int second = -1;      // more codes that mean the same
  int third = -1;
};

struct Command {
  const char* name;
  const char* summary;              // one line
  const char* usage;                // what follows the name, but for the options
  const char* about;                // lines end with "\n"
  std::span<const Option> options;  // its own
  const char* more = "";            // what follows the options
  std::span<const Exit> exits = {};
  std::span<const char* const> takes = {};  // its one argument is one of these
  bool takes_name = false;                  // `check` looks at its arguments
  bool takes_program = false;               // what follows "--"
  bool by_scheduler = false;                // a scheduler row's plain line of it is parsed at the least cost
  const char* timeout_key = nullptr;        // the key of the configuration that --timeout-ms stands for
  const char* completion = nullptr;         // lines of shell that complete its argument, see completion.cc
  // Null: nothing to check. The error says what the command takes.
  Result<Options> (*check)(Options options) = nullptr;
  // Returns the exit code.
  int (*run)(const Options& options) = nullptr;
};

// The program, as its help shows it.
struct Program {
  const char* about;
  const char* more;
  const char* exits;  // after the table of exit codes
  std::span<const Command* const> commands;
};

// Those of all commands: --config, --state, --group.
std::span<const Option> common_options();

// Null if there is no such command, or it has no such option.
const Command* find_command(const Program& program, std::string_view name);
const Option* find_option(std::span<const Option> options, std::string_view name);

// All options of the program, each name once.
std::vector<const Option*> all_options(const Program& program);

// For `take`: sets a member, or the timeout within the option's range.
template <bool Options::*kMember>
Result<void> take_flag(Options& options, const Option&, const std::string&) {
  options.*kMember = true;
  return {};
}
Result<void> take_timeout(Options& options, const Option& option, const std::string& value);

// The option --timeout-ms of a command, in milliseconds.
constexpr Option timeout_option(int64_t least, int64_t most, const char* text) {
  return {"timeout-ms", "N", text, take_timeout, least, most};
}

}  // namespace pulse
