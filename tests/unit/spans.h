// Spans of time as the segment has them.
#pragma once

#include <cstdint>

namespace pulse {

inline constexpr int64_t kMs = 1'000'000;  // in nanoseconds
inline constexpr int64_t kSecond = 1'000'000'000;

}  // namespace pulse
