// Passwords' hashes as database servers keep them, of those kinds that ProxySQL logs users in with. Pure.
//
// ProxySQL trusts what it finds in mysql_users: of one that begins like caching_sha2_password's and isn't, it may crash
// (std::stol of the rounds throws) or refuse everybody. So each byte is looked at here.
#pragma once

#include <string_view>

namespace pulse {

// mysql_native_password: * and 40 digits of a hexadecimal number in capitals.
bool is_native_hash(std::string_view text);

// caching_sha2_password: "$A$00N$", 20 bytes of salt, which may be any but 0, '$' and beyond ASCII, and 43 characters
// of the digest. MySQL writes the rounds, in thousands, in hexadecimal, and ProxySQL reads them as decimal: so only 5
// to 9 thousand are taken; 5 is MySQL's default.
bool is_caching_sha2_hash(std::string_view text);

// PostgreSQL's SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, the last three in base64.
bool is_scram_verifier(std::string_view text);

// PostgreSQL's older "md5" and 32 hexadecimal digits. ProxySQL 3 logs nobody in with it: it takes the text for the
// password itself, and its SCRAM refuses it.
bool is_md5_verifier(std::string_view text);

}  // namespace pulse
