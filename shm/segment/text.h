// Strings of fixed room in the segment.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace pulse {

template <size_t N>
std::string_view text(const std::array<char, N>& chars) {
  return {chars.data(), static_cast<size_t>(std::find(chars.begin(), chars.end(), '\0') - chars.begin())};
}

// Copies as much of `from` as fits, cut at a UTF-8 character's boundary, and clears the rest.
template <size_t N>
void set_text(std::array<char, N>& to, std::string_view from) {
  size_t length = std::min(from.size(), N - 1);
  while (length < from.size() && length > 0 && (static_cast<unsigned char>(from[length]) & 0xC0) == 0x80) --length;
  to.fill('\0');
  std::memcpy(to.data(), from.data(), length);
}

}  // namespace pulse
