// Numeric addresses.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>

namespace pulse {

// Whether `host` is an IPv4 or IPv6 address, not a name.
inline bool is_address(const std::string& host) {
  unsigned char buffer[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, host.c_str(), buffer) == 1;
}

}  // namespace pulse
