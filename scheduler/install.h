// The command that copies the program itself, for an image that has no other program in it.
#pragma once

#include <string>

#include "scheduler/cli/command.h"
#include "src/base/result.h"

namespace pulse {

// Copies the file at `program` to DIRECTORY/proxysql-pulse, executable for all. Whoever starts that gets the old file
// or the whole new one. Returns its path.
Result<std::string> install_program(const std::string& program, const std::string& directory);

extern const Command kInstallCommand;

}  // namespace pulse
