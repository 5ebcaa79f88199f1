// Numeric addresses, and HOST:PORT as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pulse {

// Whether `host` is an IPv4 or IPv6 address, not a name.
bool is_address(const std::string& host);

// "10.0.0.1:6032", "core-0:6032" or "[fd00::1]:6032": a host with a colon in it gets brackets.
std::string host_port_text(std::string_view host, int64_t port);

struct HostPort {
  std::string host;  // a name or an address, without brackets; never ""
  uint16_t port = 0;

  bool operator==(const HostPort&) const = default;
};

// Reads "HOST", "HOST:PORT", "[HOST]" or "[HOST]:PORT". More than one colon without brackets is an IPv6 address without
// a port. A port is a number from 1 to 65535, and so must `default_port` be where it is needed. Whether HOST is an
// address is not looked at.
std::optional<HostPort> parse_host_port(std::string_view text, int64_t default_port);

}  // namespace pulse
