// Whose the segment is.
#pragma once

#include <array>
#include <cstdint>

namespace pulse {

// One ProxySQL, told by its ports and by the file that configures it. The first beat writes it down; programs of
// another ProxySQL leave the segment alone. All zero: nobody's yet.
struct Owner {
  uint64_t config_path;  // config_path_hash() of `file`
  int64_t admin_port;    // 0: `admin_host` is a unix socket
  int64_t mysql_port;
  std::array<char, 256> admin_host;  // as configured
  std::array<char, 256> file;
  bool operator==(const Owner&) const = default;
};

}  // namespace pulse
