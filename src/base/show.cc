#include "src/base/show.h"

#include <algorithm>
#include <cstdio>

namespace pulse {

std::string show_span(int64_t span_ns) {
  const int64_t span = std::max<int64_t>(0, span_ns);
  const double seconds = static_cast<double>(span) / 1e9;
  if (seconds < 120) return show_seconds(span);
  char text[32];
  if (seconds < 7200) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.0f h", seconds / 3600);
  }
  return text;
}

std::string show_seconds(int64_t span_ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(span_ns) / 1e9);
  return text;
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  std::string text = std::to_string(count) + " ";
  if (count == 1) return text.append(one);
  return many.empty() ? text.append(one).append("s") : text.append(many);
}

}  // namespace pulse
