// Where the Kubernetes API is, and what an URL of it needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace pulse {

struct ApiServer {
  std::string host;  // a name or an address, without brackets
  uint16_t port = 443;

  std::string url() const;  // "https://[fd00::1]:6443"
};

// "https://HOST", "https://HOST:PORT", with brackets around an IPv6 address; a slash may follow.
Result<ApiServer> parse_api_url(const std::string& url);

// `configured`, else what a pod's environment says: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, null if not
// set.
Result<ApiServer> find_api_server(const std::string& configured, const char* service_host, const char* service_port);

// Everything but letters, digits and "-._~" as %XX, for a value in a query.
std::string percent_encode(std::string_view text);

}  // namespace pulse
