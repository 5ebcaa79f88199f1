#include "scheduler/cluster/cluster_rows.h"

#include <algorithm>

namespace pulse {

const ModuleRow* find_module(const std::vector<ModuleRow>& modules, std::string_view name) {
  const auto found =
      std::find_if(modules.begin(), modules.end(), [&](const ModuleRow& row) { return row.name == name; });
  return found == modules.end() ? nullptr : &*found;
}

bool is_empty_checksum(std::string_view checksum) {
  return checksum.find_first_not_of('0', checksum.rfind("0x", 0) == 0 ? 2 : 0) == std::string_view::npos;
}

bool is_live(const ServerRow& row, std::chrono::milliseconds timeout) {
  return row.in_runtime && row.updated_at > 0 && row.moved_ns != 0 && row.silent <= timeout;
}

bool is_dead(const ServerRow& row, std::chrono::milliseconds timeout) { return row.in_runtime && row.silent > timeout; }

}  // namespace pulse
