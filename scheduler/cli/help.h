// What `--help` prints: for the program, and for each of its commands. 80 columns at most. Made of the commands' rows.
#pragma once

#include <string>
#include <vector>

#include "scheduler/cli/command.h"

namespace pulse {

std::string program_help(const Program& program);
std::string command_help(const Command& command);

// The long options that a help text names, each once.
std::vector<std::string> options_in(const std::string& help);

}  // namespace pulse
