// FNV-1a, for identities that must be the same in every process. std::hash doesn't promise that.
#pragma once

#include <cstdint>
#include <string_view>

namespace pulse {

constexpr uint64_t fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace pulse
