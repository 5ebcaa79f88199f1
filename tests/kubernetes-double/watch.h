// GET /api/v1/namespaces/NAMESPACE/pods?watch=1
#pragma once

#include <optional>
#include <string>

#include "tests/kubernetes-double/connection.h"
#include "tests/kubernetes-double/http.h"
#include "tests/kubernetes-double/selector.h"
#include "tests/kubernetes-double/server.h"

namespace kubernetes_double {

// Streams events until the time is over or the client leaves. `number` is the request's in the journal, `fault` the
// one that struck it. Says whether the connection goes on; if not, it has been ended.
bool serve_watch(Server& server, Connection& connection, const Request& request, uint64_t number,
                 const std::string& pod_namespace, const Selector& selector, const std::optional<Fault>& fault);

// Keeps the connection open and silent until the client leaves or the faults are cleared.
void stay_silent(Server& server, Connection& connection);

}  // namespace kubernetes_double
