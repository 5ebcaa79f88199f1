// The command line of proxysql-pulse.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/dump/dump_format.h"
#include "src/base/result.h"
#include "src/config/load.h"

namespace pulse {

struct Options {
  std::string command;                 // "beat", "status", ...; "" when only help or the version was asked for
  std::vector<std::string> arguments;  // what follows the command, such as "on" of maintenance
  std::string config = kDefaultConfigPath;
  std::optional<std::string> state;
  std::optional<std::string> group;
  std::optional<std::chrono::milliseconds> timeout;
  std::vector<std::string> program;  // what follows "--", of guard
  bool leader_only = false;
  bool dry_run = false;
  bool json = false;
  bool no_shutdown = false;
  bool watch = false;
  bool force = false;                           // sync-users' own, as the next one
  bool any_node = false;                        // also where another node leads
  std::optional<std::string> module_diff;       // doctor's
  DumpTable table{"stats_mysql_query_digest"};  // dump's own, as the next two
  DumpFormat format = DumpFormat::csv;
  std::string output = "/tmp";        // a directory, or "-" for standard output
  std::optional<std::string> text;    // help or version, to be printed
  const char* timeout_key = nullptr;  // the key of the configuration that the timeout stands for; null: none

  // What the flags lay over the file, and before it what the environment does.
  std::vector<Override> overrides() const;
};

struct Program;

// Parses argv by the table of the program's commands. The error's text says what to do; the exit code for it is 64.
Result<Options> parse_options(const Program& program, int argc, const char* const* argv);

}  // namespace pulse
