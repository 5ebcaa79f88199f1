#include "scheduler/cluster/cluster_rows.h"

#include <algorithm>

#include "src/base/clock.h"

namespace pulse {

const ModuleRow* find_module(const std::vector<ModuleRow>& modules, std::string_view name) {
  const auto found =
      std::find_if(modules.begin(), modules.end(), [&](const ModuleRow& row) { return row.name == name; });
  return found == modules.end() ? nullptr : &*found;
}

bool is_live(const ServerRow& row, int64_t now_s, std::chrono::milliseconds timeout) {
  return row.in_runtime && row.updated_at > 0 && (now_s - row.updated_at) * 1000 <= timeout.count();
}

bool is_dead(const ServerRow& row, int64_t now_s, int64_t now_ns, std::chrono::milliseconds timeout) {
  if (row.updated_at > 0) return (now_s - row.updated_at) * 1000 > timeout.count();
  return row.in_runtime && row.first_seen_ns != 0 && now_ns - row.first_seen_ns > nanoseconds(timeout).count();
}

}  // namespace pulse
