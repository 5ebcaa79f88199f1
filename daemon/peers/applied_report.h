// What another core's /status says about the configuration files that have been applied. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "shm/segment/layout_applied.h"
#include "src/base/result.h"

namespace pulse {

// Reads `core_files.modules[].applied[]` of a status in JSON, bounded and checked: modules that this program doesn't
// know and entries that can't be right are passed over. Nothing where there is no `core_files`: that Pulse is older
// than reports. An error says what is wrong with the text.
Result<std::optional<Applied>> parse_applied_report(std::string_view json);

}  // namespace pulse
