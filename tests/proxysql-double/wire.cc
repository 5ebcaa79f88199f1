#include "tests/proxysql-double/wire.h"

#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace proxysql_double {
namespace {

constexpr size_t kLargestPayload = 0xFFFFFF;
constexpr uint8_t kCharsetUtf8 = 33;

// Without SSL, COMPRESS, SESSION_TRACK and DEPRECATE_EOF; else what ProxySQL offers.
constexpr uint32_t kServerCapabilities = 0x000FF20F;
constexpr uint32_t kConnectWithDb = 0x00000008;
constexpr uint32_t kProtocol41 = 0x00000200;
constexpr uint32_t kSecureConnection = 0x00008000;
constexpr uint32_t kPluginAuth = 0x00080000;
constexpr uint32_t kPluginAuthLenencData = 0x00200000;

void put_int(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

uint64_t get_int(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count && at + i < bytes.size(); ++i) {
    value |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  }
  return value;
}

void put_lenenc_int(std::string& out, uint64_t value) {
  if (value < 251) {
    put_int(out, value, 1);
  } else if (value <= 0xFFFF) {
    out.push_back('\xFC');
    put_int(out, value, 2);
  } else if (value <= 0xFFFFFF) {
    out.push_back('\xFD');
    put_int(out, value, 3);
  } else {
    out.push_back('\xFE');
    put_int(out, value, 8);
  }
}

void put_lenenc_string(std::string& out, std::string_view text) {
  put_lenenc_int(out, text.size());
  out.append(text);
}

std::string take_terminated(std::string_view& bytes) {
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  std::string text(bytes.substr(0, end));
  bytes.remove_prefix(std::min(end + 1, bytes.size()));
  return text;
}

// Every column of ProxySQL's admin results is a VARCHAR(15) in utf8.
std::string column_payload(std::string_view name) {
  std::string payload;
  for (const std::string_view part : {std::string_view("def"), std::string_view(), std::string_view(),
                                      std::string_view(), name, std::string_view()}) {
    put_lenenc_string(payload, part);
  }
  put_int(payload, 0x0C, 1);
  put_int(payload, kCharsetUtf8, 2);
  put_int(payload, 15, 4);
  put_int(payload, 0xFD, 1);
  put_int(payload, 1, 2);
  put_int(payload, 0x1F, 1);
  put_int(payload, 0, 2);
  return payload;
}

std::string eof_payload(uint16_t status) {
  std::string payload("\xFE\x00\x00", 3);
  put_int(payload, status, 2);
  return payload;
}

bool send_rows(const ResultSet& set, uint8_t& sequence, uint16_t status, const Send& send) {
  constexpr size_t kPiece = 64 << 10;
  std::string count;
  put_lenenc_int(count, set.columns.size());
  std::string out = frame(sequence, count);
  for (const std::string& column : set.columns) out += frame(sequence, column_payload(column));
  out += frame(sequence, eof_payload(status));
  const auto send_full_piece = [&] {
    if (out.size() < kPiece) return true;
    const bool sent = send(out);
    out.clear();
    return sent;
  };
  for (const Row& row : set.rows) {
    append_row(out, sequence, row);
    if (!send_full_piece()) return false;
  }
  for (Row row; set.more && set.more(row);) {
    append_row(out, sequence, row);
    if (!send_full_piece()) return false;
  }
  out += frame(sequence, eof_payload(status));
  return send(out);
}

using Digest = std::array<unsigned char, SHA_DIGEST_LENGTH>;

Digest sha1(std::string_view bytes) {
  Digest digest{};
  ::SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::string as_text(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

std::string exclusive_or(std::string_view left, std::string_view right) {
  std::string out(left);
  for (size_t i = 0; i < out.size() && i < right.size(); ++i) out[i] = static_cast<char>(out[i] ^ right[i]);
  return out;
}

bool is_password_hash(std::string_view password) {
  return password.size() == 41 && password[0] == '*' && std::all_of(password.begin() + 1, password.end(), [](char c) {
           return std::isxdigit(static_cast<unsigned char>(c)) != 0;
         });
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

}  // namespace

std::optional<Packet> take_packet(std::string& buffer) {
  if (buffer.size() < 4) return std::nullopt;
  const size_t length = get_int(buffer, 0, 3);
  if (buffer.size() < 4 + length) return std::nullopt;
  Packet packet{static_cast<uint8_t>(buffer[3]), buffer.substr(4, length)};
  buffer.erase(0, 4 + length);
  return packet;
}

std::string frame(uint8_t& sequence, std::string_view payload) {
  std::string out;
  size_t at = 0;
  for (bool more = true; more;) {
    const size_t length = std::min(payload.size() - at, kLargestPayload);
    put_int(out, length, 3);
    put_int(out, sequence++, 1);
    out.append(payload.substr(at, length));
    at += length;
    more = length == kLargestPayload;
  }
  return out;
}

std::string new_salt() {
  std::string salt(20, '\0');
  [[maybe_unused]] const ssize_t filled = ::getrandom(salt.data(), salt.size(), 0);
  for (char& c : salt) c = static_cast<char>(33 + (static_cast<unsigned char>(c) % 90));
  return salt;
}

std::string greeting_payload(std::string_view version, uint32_t connection_id, std::string_view salt,
                             std::string_view plugin) {
  std::string payload("\x0A");
  payload.append(version).push_back('\0');
  put_int(payload, connection_id, 4);
  payload.append(salt.substr(0, 8)).push_back('\0');
  put_int(payload, kServerCapabilities & 0xFFFF, 2);
  put_int(payload, kCharsetUtf8, 1);
  put_int(payload, kStatusAutocommit, 2);
  put_int(payload, kServerCapabilities >> 16, 2);
  put_int(payload, 21, 1);
  payload.append(10, '\0');
  payload.append(salt.substr(8)).push_back('\0');
  payload.append(plugin).push_back('\0');
  return payload;
}

std::string auth_switch_payload(std::string_view salt) {
  std::string payload("\xFE");
  payload.append("mysql_native_password").push_back('\0');
  payload.append(salt).push_back('\0');
  return payload;
}

std::optional<Login> parse_login(std::string_view payload) {
  if (payload.size() < 33) return std::nullopt;
  const auto capabilities = static_cast<uint32_t>(get_int(payload, 0, 4));
  if ((capabilities & kProtocol41) == 0) return std::nullopt;
  payload.remove_prefix(32);
  Login login;
  login.user = take_terminated(payload);
  if ((capabilities & kPluginAuthLenencData) != 0) {
    login.token = take_lenenc_value(payload).value_or("");
  } else if ((capabilities & kSecureConnection) != 0) {
    const size_t length = get_int(payload, 0, 1);
    payload.remove_prefix(std::min<size_t>(1, payload.size()));
    login.token = std::string(payload.substr(0, length));
    payload.remove_prefix(std::min(length, payload.size()));
  } else {
    login.token = take_terminated(payload);
  }
  if ((capabilities & kConnectWithDb) != 0) login.schema = take_terminated(payload);
  if ((capabilities & kPluginAuth) != 0) login.plugin = take_terminated(payload);
  return login;
}

std::string ok_payload(int64_t affected, uint16_t status, std::string_view info) {
  std::string payload(1, '\0');
  put_lenenc_int(payload, static_cast<uint64_t>(affected));
  put_lenenc_int(payload, 0);
  put_int(payload, status, 2);
  put_int(payload, 0, 2);
  if (!info.empty()) put_lenenc_string(payload, info);
  return payload;
}

std::string error_payload(int code, std::string_view sqlstate, std::string_view message) {
  std::string payload("\xFF");
  put_int(payload, static_cast<uint64_t>(code), 2);
  payload.push_back('#');
  payload.append(sqlstate).append(message);
  return payload;
}

std::string encode(const Answer& answer, uint8_t sequence, uint16_t status) {
  std::string out;
  encode_in_pieces(answer, sequence, status, [&out](std::string_view piece) {
    out += piece;
    return true;
  });
  return out;
}

bool encode_in_pieces(const Answer& answer, uint8_t sequence, uint16_t status, const Send& send) {
  switch (answer.kind) {
    case Answer::Kind::ok: {
      const std::string packet = frame(sequence, ok_payload(answer.affected, status, answer.text));
      return send(answer.twice ? packet + packet : packet);
    }
    case Answer::Kind::error:
      return send(frame(sequence, error_payload(answer.code, answer.sqlstate, answer.text)));
    case Answer::Kind::rows:
      return send_rows(answer.set, sequence, status, send);
    case Answer::Kind::connection_lost:
      break;
  }
  return true;
}

void append_row(std::string& out, uint8_t& sequence, const Row& row) {
  const size_t begin = out.size();
  out.append(4, '\0');
  for (const Value& value : row) {
    if (value) {
      put_lenenc_string(out, *value);
    } else {
      out.push_back('\xFB');
    }
  }
  const size_t length = out.size() - begin - 4;
  if (length >= kLargestPayload) {
    const std::string payload = out.substr(begin + 4);
    out.resize(begin);
    out += frame(sequence, payload);
    return;
  }
  for (int i = 0; i < 3; ++i) out[begin + i] = static_cast<char>(length >> (8 * i) & 0xFF);
  out[begin + 3] = static_cast<char>(sequence++);
}

std::string native_password_token(std::string_view password, std::string_view salt) {
  if (password.empty()) return "";
  const std::string once = as_text(sha1(password));
  const std::string twice = as_text(sha1(once));
  return exclusive_or(once, as_text(sha1(std::string(salt) + twice)));
}

bool native_password_matches(std::string_view token, std::string_view salt, std::string_view password) {
  if (!is_password_hash(password)) return token == native_password_token(password, salt);
  if (token.size() != SHA_DIGEST_LENGTH) return false;
  const std::string twice = from_hex(password.substr(1));
  const std::string once = exclusive_or(token, as_text(sha1(std::string(salt) + twice)));
  return as_text(sha1(once)) == twice;
}

std::optional<Greeting> parse_greeting(std::string_view payload) {
  if (payload.empty() || payload[0] != 10) return std::nullopt;
  payload.remove_prefix(1);
  Greeting greeting;
  greeting.version = take_terminated(payload);
  if (payload.size() < 4 + 8 + 1 + 18 + 12) return std::nullopt;
  greeting.salt = std::string(payload.substr(4, 8)) + std::string(payload.substr(4 + 8 + 1 + 18, 12));
  return greeting;
}

std::string login_payload(std::string_view user, std::string_view password, std::string_view salt) {
  std::string payload;
  put_int(payload, kProtocol41 | kSecureConnection | kPluginAuth | 0x1 | 0x2000, 4);
  put_int(payload, 1 << 24, 4);
  put_int(payload, kCharsetUtf8, 1);
  payload.append(23, '\0');
  payload.append(user).push_back('\0');
  const std::string token = native_password_token(password, salt);
  put_int(payload, token.size(), 1);
  payload.append(token).append("mysql_native_password").push_back('\0');
  return payload;
}

std::string parse_error_message(std::string_view payload) {
  return payload.size() > 9 ? std::string(payload.substr(9)) : std::string();
}

uint64_t take_lenenc_int(std::string_view& bytes) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<uint8_t>(bytes[0]);
  size_t extra = 0;
  if (first == 0xFC) extra = 2;
  if (first == 0xFD) extra = 3;
  if (first == 0xFE) extra = 8;
  const uint64_t value = extra == 0 ? first : get_int(bytes, 1, extra);
  bytes.remove_prefix(std::min(1 + extra, bytes.size()));
  return value;
}

Value take_lenenc_value(std::string_view& bytes) {
  if (!bytes.empty() && bytes[0] == '\xFB') {
    bytes.remove_prefix(1);
    return std::nullopt;
  }
  const size_t length = take_lenenc_int(bytes);
  std::string text(bytes.substr(0, length));
  bytes.remove_prefix(std::min(length, bytes.size()));
  return text;
}

}  // namespace proxysql_double
