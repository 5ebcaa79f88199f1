// The answer to a MySQL server's greeting by mysql_native_password. Nothing but the C library, no heap: raw-beat has
// it.
#pragma once

#include <stdint.h>
#include <string.h>

namespace pulse::bench {

inline constexpr uint32_t kSha1Size = 20;

// SHA-1 of at most 55 bytes: one block is all that the login needs.
inline void sha1(const uint8_t* data, uint32_t size, uint8_t* digest) {
  uint8_t block[64] = {};
  memcpy(block, data, size);
  block[size] = 0x80;
  block[62] = static_cast<uint8_t>(size * 8 >> 8);
  block[63] = static_cast<uint8_t>(size * 8);
  const auto rotate = [](uint32_t word, int bits) { return word << bits | word >> (32 - bits); };
  uint32_t w[80];
  for (int i = 0; i < 16; ++i) {
    w[i] = static_cast<uint32_t>(block[4 * i]) << 24 | static_cast<uint32_t>(block[4 * i + 1]) << 16 |
           static_cast<uint32_t>(block[4 * i + 2]) << 8 | block[4 * i + 3];
  }
  for (int i = 16; i < 80; ++i) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  const uint32_t start[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint32_t a = start[0], b = start[1], c = start[2], d = start[3], e = start[4];
  for (int i = 0; i < 80; ++i) {
    const uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
    const uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
    const uint32_t next = rotate(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  const uint32_t sums[5] = {start[0] + a, start[1] + b, start[2] + c, start[3] + d, start[4] + e};
  for (uint32_t i = 0; i < kSha1Size; ++i) digest[i] = static_cast<uint8_t>(sums[i / 4] >> (24 - 8 * (i % 4)));
}

// What a client with that password, of at most 55 bytes, sends back for the 20 bytes of a greeting: 20 bytes.
inline void native_password(const char* password, const uint8_t* salt, uint8_t* answer) {
  uint8_t salted[2 * kSha1Size];
  memcpy(salted, salt, kSha1Size);
  uint8_t once[kSha1Size];
  sha1(reinterpret_cast<const uint8_t*>(password), static_cast<uint32_t>(strlen(password)), once);
  sha1(once, kSha1Size, salted + kSha1Size);
  sha1(salted, 2 * kSha1Size, answer);
  for (uint32_t i = 0; i < kSha1Size; ++i) answer[i] ^= once[i];
}

// What raw-beat and the benchmark's client say of themselves: long password, 4.1, transactions, native, plug-ins.
inline constexpr uint32_t kClientFlags = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x80000;

}  // namespace pulse::bench
