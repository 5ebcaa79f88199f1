// What a satellite's /status says of the modules that its ProxySQL can't pull any more. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "shm/segment/layout_satellites.h"
#include "src/base/result.h"

namespace pulse {

struct SatelliteReport {
  std::vector<StuckModule> stuck;  // without name, address and port
};

// Reads a status in JSON, bounded and checked: what can't be right is passed over. Ages in it become instants before
// `now_ns`. Nothing where it says nothing of origins: that Pulse is older than these reports. An error says what is
// wrong with the text, or that it isn't a satellite's.
Result<std::optional<SatelliteReport>> parse_satellite_report(std::string_view json, int64_t now_ns);

}  // namespace pulse
