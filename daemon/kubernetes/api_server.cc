#include "daemon/kubernetes/api_server.h"

#include <algorithm>
#include <cstring>

#include "src/base/host_port.h"

namespace pulse {

std::string ApiServer::url() const { return "https://" + host_port_text(host, port); }

Result<ApiServer> parse_api_url(const std::string& url) {
  const Error refused{"\"" + url + "\" is not https://HOST or https://HOST:PORT"};
  const std::string scheme = "https://";
  if (url.rfind(scheme, 0) != 0) return refused;
  std::string_view rest = std::string_view(url).substr(scheme.size());
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const bool brackets = !rest.empty() && rest.front() == '[';
  const auto server = parse_host_port(rest, ApiServer{}.port);
  const auto bad = [brackets](char c) {
    return c <= ' ' || c == '/' || c == '?' || c == '#' || c == '@' || c == '[' || c == ']' || (c == ':' && !brackets);
  };
  if (!server || std::any_of(server->host.begin(), server->host.end(), bad)) return refused;
  return ApiServer{server->host, server->port};
}

Result<ApiServer> find_api_server(const std::string& configured, const char* service_host, const char* service_port) {
  if (!configured.empty()) return parse_api_url(configured);
  if (service_host == nullptr || *service_host == '\0') {
    return Error{"KUBERNETES_SERVICE_HOST is not set, so this is no pod: set pulse.discovery.kubernetes.api"};
  }
  const bool brackets = std::strchr(service_host, ':') != nullptr;
  return parse_api_url(std::string("https://") + (brackets ? "[" : "") + service_host + (brackets ? "]" : "") +
                       (service_port == nullptr || *service_port == '\0' ? "" : std::string(":") + service_port));
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      static constexpr char kDigits[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      encoded.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return encoded;
}

}  // namespace pulse
