// MySQL's client/server protocol: packets as bytes, no I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tests/proxysql-double/answer.h"

namespace proxysql_double {

// MySQL's command bytes.
constexpr uint8_t kQuit = 1;
constexpr uint8_t kInitDb = 2;
constexpr uint8_t kQuery = 3;
constexpr uint8_t kFieldList = 4;
constexpr uint8_t kPing = 14;
constexpr uint8_t kPrepare = 22;
constexpr uint8_t kExecute = 23;
constexpr uint8_t kSetOption = 27;
constexpr uint8_t kResetConnection = 31;

constexpr uint16_t kStatusInTransaction = 0x0001;
constexpr uint16_t kStatusAutocommit = 0x0002;
constexpr uint16_t kStatusNoIndexUsed = 0x0200;  // ProxySQL's admin answers carry this bit

struct Packet {
  uint8_t sequence = 0;
  std::string payload;
};

// Takes the first whole packet off `buffer`; nothing if it isn't complete yet.
std::optional<Packet> take_packet(std::string& buffer);

// `payload` with its header, split into several packets when longer than 16 MB. Advances `sequence`.
std::string frame(uint8_t& sequence, std::string_view payload);

// Twenty bytes without NUL, from the kernel's generator.
std::string new_salt();

std::string greeting_payload(std::string_view version, uint32_t connection_id, std::string_view salt,
                             std::string_view plugin);
std::string auth_switch_payload(std::string_view salt);

struct Login {
  std::string user;
  std::string token;
  std::string schema;
  std::string plugin;
};
std::optional<Login> parse_login(std::string_view payload);

std::string ok_payload(int64_t affected, uint16_t status, std::string_view info);
std::string error_payload(int code, std::string_view sqlstate, std::string_view message);

// The whole answer as framed packets, beginning with `sequence`. Not for connection_lost.
std::string encode(const Answer& answer, uint8_t sequence, uint16_t status);

// The same in pieces, so that a result of any size takes no memory. False as soon as `send` says so.
using Send = std::function<bool(std::string_view piece)>;
bool encode_in_pieces(const Answer& answer, uint8_t sequence, uint16_t status, const Send& send);

// Appends a text row, framed. Advances `sequence`.
void append_row(std::string& out, uint8_t& sequence, const Row& row);

// mysql_native_password. `password` is clear text or '*' and 40 hex digits.
std::string native_password_token(std::string_view password, std::string_view salt);
bool native_password_matches(std::string_view token, std::string_view salt, std::string_view password);

// The reading side, for the checks between nodes.
struct Greeting {
  std::string version;
  std::string salt;
};
std::optional<Greeting> parse_greeting(std::string_view payload);
std::string login_payload(std::string_view user, std::string_view password, std::string_view salt);
std::string parse_error_message(std::string_view payload);
uint64_t take_lenenc_int(std::string_view& bytes);
Value take_lenenc_value(std::string_view& bytes);

}  // namespace proxysql_double
