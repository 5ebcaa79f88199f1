// Times as RFC 3339 writes them, in UTC. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pulse {

// Appends "2026-01-31T12:00:00Z". False, and nothing appended, for a time before 1970 or after 9999.
bool append_rfc3339(std::string& out, int64_t epoch_seconds);

// "2026-01-31T12:00:00Z", or "" where append_rfc3339() is false.
std::string rfc3339(int64_t epoch_seconds);

// "2026-01-31T12:00:00.000Z": with a fraction of `digits` digits, 1 to 9, cut and not rounded.
std::string rfc3339_fraction(int64_t epoch_ns, int digits);

// Reads "2026-01-31T12:00:00Z", in epoch seconds: UTC, without a fraction.
std::optional<int64_t> parse_rfc3339(std::string_view text);

}  // namespace pulse
