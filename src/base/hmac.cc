// HMAC() and EVP of OpenSSL 3 fetch an implementation, and start the library for it. SHA256_Update and its like do not;
// OpenSSL calls them deprecated since 3.0.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "src/base/hmac.h"

#include <openssl/sha.h>

#include <algorithm>

namespace pulse {

namespace {

using Digest = std::array<uint8_t, SHA256_DIGEST_LENGTH>;
using Block = std::array<uint8_t, SHA256_CBLOCK>;

Digest sha256(const Block& block, const void* rest, size_t length) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, block.data(), block.size());
  SHA256_Update(&context, rest, length);
  Digest digest{};
  SHA256_Final(digest.data(), &context);
  return digest;
}

Block masked(const Block& key, uint8_t mask) {
  Block block = key;
  for (uint8_t& byte : block) byte ^= mask;
  return block;
}

}  // namespace

std::array<uint8_t, 32> hmac_sha256(std::string_view key, std::string_view message) {
  Block padded{};
  if (key.size() <= padded.size()) {
    std::copy(key.begin(), key.end(), padded.begin());
  } else {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, key.data(), key.size());
    SHA256_Final(padded.data(), &context);
  }
  constexpr uint8_t kInner = 0x36, kOuter = 0x5C;
  const Digest inner = sha256(masked(padded, kInner), message.data(), message.size());
  return sha256(masked(padded, kOuter), inner.data(), inner.size());
}

}  // namespace pulse
