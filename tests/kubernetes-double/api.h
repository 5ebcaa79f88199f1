// The API: who may ask, what is asked, and lists of pods. Watches are in watch.h.
#pragma once

#include "src/base/unique_fd.h"
#include "tests/kubernetes-double/server.h"

namespace kubernetes_double {

// Serves one connection until its end.
void serve_connection(Server& server, pulse::UniqueFd socket);

}  // namespace kubernetes_double
