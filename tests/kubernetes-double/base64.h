// The URL-safe base64 without padding of tokens (RFC 4648, section 5), and random bytes for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kubernetes_double {

std::string base64url(std::string_view bytes);

// Nothing if the text isn't base64url.
std::optional<std::string> parse_base64url(std::string_view text);

// Cryptographic randomness, as real tokens have it.
std::string random_bytes(size_t size);

// A random UUID in its usual notation.
std::string random_uuid();

}  // namespace kubernetes_double
