// GET /api/v1/namespaces/NAMESPACE/pods
#pragma once

#include <string>

#include "tests/kubernetes-double/http.h"
#include "tests/kubernetes-double/selector.h"
#include "tests/kubernetes-double/server.h"

namespace kubernetes_double {

// A PodList, or the Status that says why not.
Answer list_pods(Server& server, const Request& request, const std::string& pod_namespace, const Selector& selector);

// A valid PodList without items.
Answer empty_list(const Server& server);

}  // namespace kubernetes_double
