// What `--help` prints: for the program, and for each of its commands. 80 columns at most.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pulse {

struct Command {
  const char* name;
  std::vector<std::string> takes;  // its argument is one of these; empty: none, or a name that isn't known here
  const char* help;                // all about it, but for the options that all commands have
};

// In the order of the help.
const std::vector<Command>& commands();

// Null if there is no such command.
const Command* find_command(std::string_view name);

std::string program_help();
std::string command_help(const Command& command);

// The long options that a help text names, each once.
std::vector<std::string> options_in(const std::string& help);

}  // namespace pulse
