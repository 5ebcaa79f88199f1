// How a PostgreSQL client proves that it has the password: SCRAM-SHA-256 (RFC 5802, 7677), without channel binding, and
// md5. Pure but for OpenSSL's functions of hashes.
#pragma once

#include <string>
#include <string_view>

#include "src/base/result.h"

namespace pulse::pgsql {

inline constexpr const char* kScramSha256 = "SCRAM-SHA-256";

// One login. The password is used as it is: SASLprep would change none that is ASCII.
class Scram {
 public:
  // `nonce`: printable ASCII without a comma, never used twice.
  Scram(std::string password, std::string nonce);

  std::string first() const;
  // The answer to the server's first message. An error: that isn't one, or it wants more work than is sound.
  Result<std::string> answer(std::string_view server_first);
  // Whether the server's last message proves that it has the password's verifier, too.
  bool proves(std::string_view server_final) const;

 private:
  std::string password_;
  std::string nonce_;
  std::string server_signature_;  // base64
};

// "md5" and the digest that the server asks for with this salt of 4 bytes; "" if OpenSSL has no MD5 (FIPS).
std::string md5_answer(std::string_view user, std::string_view password, std::string_view salt);

// 24 printable random characters; "" if the system has no randomness.
std::string random_nonce();

}  // namespace pulse::pgsql
