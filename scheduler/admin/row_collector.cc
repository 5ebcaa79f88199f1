#include "scheduler/admin/row_collector.h"

#include <errmsg.h>

namespace pulse {

namespace {

constexpr size_t kMostBytes = 24 << 20;
constexpr size_t kOfAnAllocation = 16;
constexpr size_t kOfARow =
    3 * sizeof(std::vector<std::string>) + kOfAnAllocation;  // the vector of rows grows by copies
constexpr size_t kOfACell = sizeof(std::string);

}  // namespace

Result<void> RowCollector::columns(const std::vector<std::string_view>& names) {
  names_.assign(names.begin(), names.end());
  return {};
}

Result<void> RowCollector::row(const std::vector<std::optional<std::string_view>>& cells) {
  std::vector<std::string>& kept = rows_.emplace_back(cells.size());
  bytes_ += kOfARow + cells.size() * kOfACell;
  for (size_t i = 0; i < cells.size(); ++i) {
    kept[i] = cells[i].value_or("");
    if (kept[i].capacity() >= kOfACell / 2) bytes_ += kept[i].capacity() + kOfAnAllocation;
  }
  if (!is_full()) return {};
  return Error{"the answer doesn't end (over 24 MiB)", CR_MALFORMED_PACKET};
}

bool RowCollector::is_full() const { return bytes_ > kMostBytes; }

}  // namespace pulse
