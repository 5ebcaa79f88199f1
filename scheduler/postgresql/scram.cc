#include "scheduler/postgresql/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <array>
#include <cstdint>
#include <optional>

#include "src/base/number.h"

namespace pulse::pgsql {

namespace {

constexpr size_t kKey = 32;
constexpr int kMostIterations = 1'000'000;  // a second of work or so; PostgreSQL's default is 4096
using Key = std::array<unsigned char, kKey>;

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
std::string_view text_of(const Key& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }

std::string base64(std::string_view text) {
  std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), bytes(text), static_cast<int>(text.size()));
  encoded.pop_back();
  return encoded;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 1024) return std::nullopt;
  std::string decoded(text.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()), bytes(text), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  decoded.resize(static_cast<size_t>(length) - padding);
  return decoded;
}

Key hmac(std::string_view key, std::string_view text) {
  Key out{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text), text.size(), out.data(), &length);
  return out;
}

Key sha256(std::string_view text) {
  Key out{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &length, EVP_sha256(), nullptr);
  return out;
}

// "r=...", "s=...": the value of the attribute that `message` begins with, which is taken off.
std::optional<std::string_view> take_attribute(std::string_view& message, char name) {
  if (message.size() < 2 || message[0] != name || message[1] != '=') return std::nullopt;
  const size_t end = std::min(message.find(','), message.size());
  const std::string_view value = message.substr(2, end - 2);
  message.remove_prefix(std::min(end + 1, message.size()));
  return value;
}

std::string md5_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_md5(), nullptr) != 1) return "";
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace

Scram::Scram(std::string password, std::string nonce) : password_(std::move(password)), nonce_(std::move(nonce)) {}

// The user's name is that of the startup message; PostgreSQL passes over the one here.
std::string Scram::first() const { return "n,,n=,r=" + nonce_; }

Result<std::string> Scram::answer(std::string_view server_first) {
  std::string_view rest = server_first;
  const auto nonce = take_attribute(rest, 'r');
  const auto salt_text = take_attribute(rest, 's');
  const auto iterations_text = take_attribute(rest, 'i');
  const auto salt = salt_text ? from_base64(*salt_text) : std::nullopt;
  const int iterations = iterations_text ? to_number<int>(*iterations_text).value_or(0) : 0;
  if (!nonce || !salt || iterations < 1) return Error{"not a SCRAM message"};
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) return Error{"a SCRAM nonce that isn't ours"};
  if (iterations > kMostIterations) return Error{"SCRAM with " + std::to_string(iterations) + " iterations"};

  Key salted{};
  if (PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()), bytes(*salt),
                        static_cast<int>(salt->size()), iterations, EVP_sha256(), kKey, salted.data()) != 1) {
    return Error{"OpenSSL has no PBKDF2 with SHA-256"};
  }
  const Key client_key = hmac(text_of(salted), "Client Key");
  const Key stored_key = sha256(text_of(client_key));
  const std::string without_proof = "c=biws,r=" + std::string(*nonce);
  const std::string signed_text = "n=,r=" + nonce_ + "," + std::string(server_first) + "," + without_proof;
  Key proof = hmac(text_of(stored_key), signed_text);
  for (size_t i = 0; i < kKey; ++i) proof[i] ^= client_key[i];
  server_signature_ = base64(text_of(hmac(text_of(hmac(text_of(salted), "Server Key")), signed_text)));
  return without_proof + ",p=" + base64(text_of(proof));
}

bool Scram::proves(std::string_view server_final) const {
  const auto signature = take_attribute(server_final, 'v');
  return signature && !server_signature_.empty() && signature->size() == server_signature_.size() &&
         CRYPTO_memcmp(signature->data(), server_signature_.data(), signature->size()) == 0;
}

std::string md5_answer(std::string_view user, std::string_view password, std::string_view salt) {
  const std::string inner = md5_hex(std::string(password).append(user));
  const std::string outer = md5_hex(inner + std::string(salt));
  return inner.empty() || outer.empty() ? "" : "md5" + outer;
}

std::string random_nonce() {
  std::string raw(18, '\0');
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) return "";
  return base64(raw);
}

}  // namespace pulse::pgsql
