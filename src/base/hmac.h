// A keyed hash: who doesn't have the key can't tell what was hashed by trying.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pulse {

// HMAC-SHA256 (RFC 2104). Doesn't start OpenSSL, which would cost a short-lived program a millisecond.
std::array<uint8_t, 32> hmac_sha256(std::string_view key, std::string_view message);

}  // namespace pulse
