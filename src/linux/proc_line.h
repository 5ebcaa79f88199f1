// Lines of files below /proc/net.
#pragma once

#include <algorithm>
#include <string_view>

namespace pulse {

// Takes the text up to the next blank, and the blanks before it, off `line`.
inline std::string_view take_field(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(field.size());
  return field;
}

}  // namespace pulse
