// The commands of the control socket. README.md lists them.
#pragma once

#include <string>

#include "tests/kubernetes-double/server.h"

namespace kubernetes_double {

// Runs one command and returns its answer: {"ok":true,...} or {"ok":false,"error":"..."}.
std::string run_control_command(Server& server, const std::string& line);

}  // namespace kubernetes_double
