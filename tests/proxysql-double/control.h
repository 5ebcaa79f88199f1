// The unix socket over which tests plant faults and look inside. One command a line, one JSON object a line back.
#pragma once

#include <string>

#include "src/base/result.h"

namespace proxysql_double {

struct Server;

// Runs one command and returns its answer: {"ok":true,...} or {"ok":false,"error":"..."}. README.md lists them.
std::string run_control_command(Server& server, const std::string& line);

// Binds `path` with mode 0600, replacing a socket that is left over, and serves it from a thread of its own.
pulse::Result<void> start_control(Server& server, const std::string& path);

}  // namespace proxysql_double
