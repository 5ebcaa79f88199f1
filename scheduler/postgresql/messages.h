// PostgreSQL's protocol 3.0 as bytes: what a client sends, and what it takes apart of the server's. Pure.
//
// A client of our own, for a static program has no other: Debian's libpq.a wants archives of GSSAPI, LDAP and
// libpgcommon that Debian doesn't have. It knows what reading some rows needs and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pulse::pgsql {

inline constexpr size_t kMostMessageBytes = 1 << 20;  // more than any row of roles; a peer can't make us keep more

std::string ssl_request();
std::string startup(std::string_view user, std::string_view database);
std::string query(std::string_view statement);
std::string password(std::string_view text);  // in clear text, or md5's answer
std::string sasl_initial(std::string_view mechanism, std::string_view text);
std::string sasl_response(std::string_view text);
std::string terminate();

struct Message {
  char type = 0;
  std::string_view body;
};

// Cuts what was received into messages.
class MessageReader {
 public:
  void add(std::string_view bytes);
  // The next whole message, valid until add(); nothing if more bytes are needed. An error: it isn't the protocol, or
  // the message is too long, told from its first five bytes.
  Result<std::optional<Message>> next();

 private:
  std::string bytes_;
  size_t taken_ = 0;
};

// The fields of a body, from its front. After a failure all that follows fails, too.
class Fields {
 public:
  explicit Fields(std::string_view body) : rest_(body) {}

  uint8_t byte();
  uint16_t int16();
  uint32_t int32();
  std::string_view text();  // up to its 0
  std::string_view bytes(size_t count);
  std::string_view rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// "FATAL: role "x" does not exist (28000)" of an ErrorResponse's body.
std::string error_text(std::string_view body);

// The names of a RowDescription, the cells of a DataRow. Nothing if the body isn't one.
std::optional<std::vector<std::string_view>> row_description(std::string_view body);
std::optional<std::vector<std::optional<std::string_view>>> data_row(std::string_view body);

// The mechanisms of an AuthenticationSASL's body, after its number.
std::vector<std::string_view> sasl_mechanisms(std::string_view body);

}  // namespace pulse::pgsql
