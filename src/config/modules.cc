#include "src/config/modules.h"

#include <algorithm>

namespace pulse {

const FileModule* find_file_module(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFileModules), std::end(kFileModules), [&](const FileModule& module) {
    return name == module.name || name == module.checksum;
  });
  return found == std::end(kFileModules) ? nullptr : found;
}

}  // namespace pulse
