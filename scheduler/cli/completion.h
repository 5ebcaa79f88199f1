// The scripts that complete command lines in a shell.
#pragma once

#include <string>

namespace pulse {

// For bash, or for zsh by way of its bashcompinit. Names of jobs are those that check-config finds in the file that the
// line names. Pure.
std::string completion_script(bool zsh);

}  // namespace pulse
