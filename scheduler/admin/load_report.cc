#include "scheduler/admin/load_report.h"

#include <cstdint>

#include "src/base/number.h"

namespace pulse {

namespace {

// The number behind "NAME: "; 0 if there is none.
int64_t count_of(std::string_view info, std::string_view name) {
  const size_t at = info.find(name);
  if (at == std::string_view::npos) return 0;
  info.remove_prefix(at + name.size());
  return to_number<int64_t>(info.substr(0, info.find_first_not_of("0123456789"))).value_or(0);
}

}  // namespace

std::string refused_variables(std::string_view info) {
  const int64_t rejected = count_of(info, "Rejected: ");
  const int64_t unknown = count_of(info, "Unknown: ");
  if (rejected <= 0 && unknown <= 0) return "";
  std::string text = rejected > 0 ? std::to_string(rejected) + " rejected" : "";
  if (unknown > 0) text += (text.empty() ? "" : " and ") + std::to_string(unknown) + " unknown";
  return text + " of " + std::to_string(count_of(info, "Records: ")) + " variables";
}

}  // namespace pulse
