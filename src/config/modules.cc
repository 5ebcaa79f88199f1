#include "src/config/modules.h"

#include <algorithm>

namespace pulse {

const FileModule* find_file_module(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFileModules), std::end(kFileModules), [&](const FileModule& module) {
    return name == module.name || name == module.checksum;
  });
  return found == std::end(kFileModules) ? nullptr : found;
}

const FileModule* find_row_module(std::string_view checksum) {
  const FileModule* module = find_file_module(checksum);
  const bool has_rows = module != nullptr && !module->tables.empty() && !module->pgsql;
  return has_rows && checksum == module->checksum ? module : nullptr;
}

}  // namespace pulse
