// The unix socket over which tests steer a double. One command a line, one JSON object a line back.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace pulse::test {

// Answers one command, without its end of line.
using RunCommand = std::function<std::string(const std::string& line)>;

// Binds `path` with mode 0600, replacing a socket that is left over, and serves it from one thread of its own until
// the process ends: commands run one after the other.
Result<void> start_control_socket(const std::string& path, RunCommand run);

// Words of a command; a word may hold spaces when (a part of) it is in double quotes.
std::vector<std::string> split_command(const std::string& line);

// key=value words after the first `skip`.
std::map<std::string, std::string> command_settings(const std::vector<std::string>& words, size_t skip);

}  // namespace pulse::test
