#include "scheduler/users/hashes.h"

#include <algorithm>
#include <cstdint>

#include "src/base/number.h"

namespace pulse {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Is>
bool all(std::string_view text, Is is) {
  return std::all_of(text.begin(), text.end(), is);
}

// `bytes` in base64, with its padding.
bool is_base64(std::string_view text, size_t bytes) {
  if (text.size() != (bytes + 2) / 3 * 4) return false;
  const size_t padding = (3 - bytes % 3) % 3;
  const std::string_view digits = text.substr(0, text.size() - padding);
  return all(digits, [](char c) { return is_digit(c) || is_letter(c) || c == '+' || c == '/'; }) &&
         all(text.substr(digits.size()), [](char c) { return c == '='; });
}

}  // namespace

bool is_native_hash(std::string_view text) {
  return text.size() == 41 && text.front() == '*' &&
         all(text.substr(1), [](char c) { return is_digit(c) || (c >= 'A' && c <= 'F'); });
}

bool is_caching_sha2_hash(std::string_view text) {
  constexpr std::string_view kHead = "$A$00";
  constexpr size_t kSalt = 20, kDigest = 43, kBeforeSalt = kHead.size() + 2;
  if (text.size() != kBeforeSalt + kSalt + kDigest || !text.starts_with(kHead)) return false;
  if (text[5] < '5' || text[5] > '9' || text[6] != '$') return false;
  return all(text.substr(kBeforeSalt, kSalt), [](unsigned char c) { return c > 0 && c < 0x80 && c != '$'; }) &&
         all(text.substr(kBeforeSalt + kSalt),
             [](char c) { return is_digit(c) || is_letter(c) || c == '.' || c == '/'; });
}

bool is_scram_verifier(std::string_view text) {
  constexpr std::string_view kHead = "SCRAM-SHA-256$";
  constexpr size_t kKey = 32, kMostSalt = 64;
  if (!text.starts_with(kHead)) return false;
  text.remove_prefix(kHead.size());
  const auto iterations = take_number<uint32_t>(text);
  if (!iterations || *iterations == 0 || *iterations > INT32_MAX || !text.starts_with(':')) return false;
  text.remove_prefix(1);
  const size_t dollar = text.find('$');
  const size_t colon = text.find(':');
  if (dollar == std::string_view::npos || colon == std::string_view::npos || colon < dollar) return false;
  const std::string_view salt = text.substr(0, dollar);
  bool is_salt = false;
  for (size_t bytes = 1; bytes <= kMostSalt && !is_salt; ++bytes) is_salt = is_base64(salt, bytes);
  return is_salt && is_base64(text.substr(dollar + 1, colon - dollar - 1), kKey) &&
         is_base64(text.substr(colon + 1), kKey);
}

bool is_md5_verifier(std::string_view text) {
  return text.size() == 35 && text.starts_with("md5") &&
         all(text.substr(3), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

}  // namespace pulse
