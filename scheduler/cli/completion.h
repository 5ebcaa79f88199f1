// The scripts that complete command lines in a shell, and the command that prints them.
#pragma once

#include <string>

#include "scheduler/cli/command.h"

namespace pulse {

// For bash, or for zsh by way of its bashcompinit. Made of the commands' rows. Pure.
std::string completion_script(const Program& program, bool zsh);

extern const Command kCompletionCommand;

}  // namespace pulse
