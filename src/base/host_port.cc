#include "src/base/host_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "src/base/number.h"

namespace pulse {

bool is_address(const std::string& host) {
  unsigned char buffer[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, host.c_str(), buffer) == 1;
}

std::string host_port_text(std::string_view host, int64_t port) {
  const bool brackets = host.find(':') != std::string_view::npos;
  std::string text(brackets ? "[" : "");
  return text.append(host).append(brackets ? "]:" : ":").append(std::to_string(port));
}

std::optional<HostPort> parse_host_port(std::string_view text, int64_t default_port) {
  std::string_view host = text;
  std::string_view rest;  // with its colon
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    rest = text.substr(host.size());
  }
  std::optional<int64_t> port = default_port;
  if (!rest.empty()) port = rest.front() == ':' ? to_number<int64_t>(rest.substr(1)) : std::nullopt;
  if (host.empty() || !port || *port < 1 || *port > 65'535) return std::nullopt;
  return HostPort{std::string(host), static_cast<uint16_t>(*port)};
}

}  // namespace pulse
