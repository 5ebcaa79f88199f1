#include "scheduler/postgresql/messages.h"

namespace pulse::pgsql {

namespace {

void append_int32(std::string& to, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(number >> shift & 0xff);
}

std::string message(char type, std::string_view body) {
  std::string bytes;
  if (type != 0) bytes += type;
  append_int32(bytes, static_cast<uint32_t>(body.size() + 4));
  return bytes.append(body);
}

std::string with_end(std::string_view text) { return std::string(text) + '\0'; }

constexpr uint32_t kProtocol3 = 3 << 16;
constexpr uint32_t kSslRequest = 80877103;
constexpr size_t kHead = 5;

}  // namespace

std::string ssl_request() {
  std::string body;
  append_int32(body, kSslRequest);
  return message(0, body);
}

std::string startup(std::string_view user, std::string_view database) {
  std::string body;
  append_int32(body, kProtocol3);
  for (const std::string_view text :
       {std::string_view("user"), user, std::string_view("database"), database, std::string_view("client_encoding"),
        std::string_view("UTF8"), std::string_view("application_name"), std::string_view("proxysql-pulse")}) {
    body += with_end(text);
  }
  return message(0, body + '\0');
}

std::string query(std::string_view statement) { return message('Q', with_end(statement)); }
std::string password(std::string_view text) { return message('p', with_end(text)); }
std::string sasl_response(std::string_view text) { return message('p', text); }
std::string terminate() { return message('X', ""); }

std::string sasl_initial(std::string_view mechanism, std::string_view text) {
  std::string body = with_end(mechanism);
  append_int32(body, static_cast<uint32_t>(text.size()));
  return message('p', body.append(text));
}

void MessageReader::add(std::string_view bytes) {
  bytes_.erase(0, taken_);
  taken_ = 0;
  bytes_.append(bytes);
}

Result<std::optional<Message>> MessageReader::next() {
  const std::string_view rest = std::string_view(bytes_).substr(taken_);
  if (rest.size() < kHead) return std::optional<Message>();
  Fields head(rest.substr(1));
  const size_t length = head.int32();
  if (length < 4 || length > kMostMessageBytes) {
    return Error{"a message of " + std::to_string(length) + " bytes: not PostgreSQL's protocol"};
  }
  if (rest.size() < length + 1) return std::optional<Message>();
  taken_ += length + 1;
  return std::optional<Message>({rest.front(), rest.substr(kHead, length - 4)});
}

uint8_t Fields::byte() {
  const std::string_view one = bytes(1);
  return one.empty() ? uint8_t{0} : static_cast<uint8_t>(one.front());
}

uint16_t Fields::int16() {
  const unsigned high = byte();
  return static_cast<uint16_t>(high << 8 | byte());
}

uint32_t Fields::int32() {
  const uint32_t high = int16();
  return high << 16 | int16();
}

std::string_view Fields::text() {
  const size_t end = rest_.find('\0');
  if (end == std::string_view::npos) {
    failed_ = true;
    rest_ = {};
    return {};
  }
  const std::string_view found = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return found;
}

std::string_view Fields::bytes(size_t count) {
  if (count > rest_.size()) {
    failed_ = true;
    rest_ = {};
    return {};
  }
  const std::string_view found = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return found;
}

std::string error_text(std::string_view body) {
  std::string_view severity, code, text;
  Fields fields(body);
  for (char type = static_cast<char>(fields.byte()); type != 0; type = static_cast<char>(fields.byte())) {
    const std::string_view value = fields.text();
    if (type == 'S') severity = value;
    if (type == 'C') code = value;
    if (type == 'M') text = value;
  }
  std::string shown(severity.empty() ? "error" : severity);
  shown.append(": ").append(text.substr(0, 500));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return code.empty() ? shown : shown + " (" + std::string(code.substr(0, 10)) + ")";
}

std::optional<std::vector<std::string_view>> row_description(std::string_view body) {
  constexpr size_t kOfColumn = 18;  // table, column, type, its size and modifier, format
  Fields fields(body);
  const size_t count = fields.int16();
  std::vector<std::string_view> names;
  for (size_t i = 0; i < count && !fields.failed(); ++i) {
    names.push_back(fields.text());
    fields.bytes(kOfColumn);
  }
  if (fields.failed() || !fields.rest().empty()) return std::nullopt;
  return names;
}

std::optional<std::vector<std::optional<std::string_view>>> data_row(std::string_view body) {
  constexpr uint32_t kNull = 0xffffffff;
  Fields fields(body);
  const size_t count = fields.int16();
  std::vector<std::optional<std::string_view>> cells;
  for (size_t i = 0; i < count && !fields.failed(); ++i) {
    const uint32_t length = fields.int32();
    if (length == kNull) {
      cells.emplace_back();
    } else {
      cells.emplace_back(fields.bytes(length));
    }
  }
  if (fields.failed() || !fields.rest().empty()) return std::nullopt;
  return cells;
}

std::vector<std::string_view> sasl_mechanisms(std::string_view body) {
  std::vector<std::string_view> names;
  Fields fields(body);
  for (std::string_view name = fields.text(); !name.empty(); name = fields.text()) names.push_back(name);
  return names;
}

}  // namespace pulse::pgsql
