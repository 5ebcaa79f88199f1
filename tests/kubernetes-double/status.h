// Status objects, the API's way to say that something failed, worded as the real server words them.
#pragma once

#include <cstdint>
#include <string>

#include "tests/kubernetes-double/http.h"

namespace kubernetes_double {

// The JSON of a Status. `details` and `continue_token` are left out if empty; `details` is JSON.
std::string status_json(int code, const std::string& reason, const std::string& message,
                        const std::string& details = "", const std::string& continue_token = "");

Answer status_answer(int code, const std::string& reason, const std::string& message, const std::string& details = "",
                     const std::string& continue_token = "");

Answer unauthorized();
// `resource`: "pods", "leases" of the group coordination.k8s.io, or one of the group apps.
Answer forbidden(const std::string& account_namespace, const std::string& verb, const std::string& resource,
                 const std::string& in_namespace);
Answer bad_request(const std::string& message);
Answer not_found();
Answer too_many_requests(const std::string& retry_after_s);
Answer internal_error();
Answer unavailable();
// A resourceVersion that the server hasn't reached yet.
Answer too_large(uint64_t wanted, uint64_t current);
// A list whose snapshot is gone; its rest as it is now can be had with the token.
Answer continue_expired(const std::string& inconsistent_token);
// A watch from before history begins, as JSON.
std::string watch_expired(uint64_t wanted, uint64_t oldest);

}  // namespace kubernetes_double
