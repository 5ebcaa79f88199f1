#include "tests/proxysql-double/pgsql_session.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <regex>

#include "tests/proxysql-double/log.h"

namespace proxysql_double {
namespace {

using std::chrono::milliseconds;
using namespace std::literals;

constexpr uint32_t kProtocol3 = 196608;
constexpr uint32_t kTlsRequest = 80877103;
constexpr uint32_t kGssRequest = 80877104;
constexpr uint32_t kMostBytes = 1 << 20;  // of one message

uint32_t number_at(std::string_view bytes, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

std::string number(uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// A result of one row and one column, as text.
std::string row_description(std::string_view column) {
  return number(1, 2) + std::string(column) + '\0' + number(0) + number(0, 2) + number(25) + number(0xFFFF, 2) +
         number(0xFFFFFFFF) + number(0, 2);
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

}  // namespace

void PgsqlSession::say(char type, std::string_view payload) {
  output_ += type;
  output_ += number(static_cast<uint32_t>(payload.size() + 4));
  output_ += payload;
}

void PgsqlSession::say_error(const char* severity, const char* code, const std::string& text) {
  const auto field = [](char name, const std::string& value) { return std::string(1, name) + value + '\0'; };
  say('E', field('S', severity) + field('V', severity) + field('C', code) + field('M', text) + '\0');
}

void PgsqlSession::say_ready() { say('Z', begun_ ? "T" : "I"); }

void PgsqlSession::receive(std::string_view bytes, Instant now) {
  touch(now);
  input_.append(bytes);
  advance(now);
}

void PgsqlSession::advance(Instant now) {
  if (delayed_until_) {
    if (now < *delayed_until_) return;
    delayed_until_.reset();
    running_.clear();
    touch(now);
    output_ += delayed_answer_;
    delayed_answer_.clear();
  }
  while (!close_ && !delayed_until_ && (state_ == State::start ? take_start() : take_message(now))) {
  }
}

bool PgsqlSession::take_start() {
  if (input_.size() < 8) return false;
  const uint32_t size = number_at(input_, 0);
  if (size < 8 || size > kMostBytes) {
    close_ = true;
    return false;
  }
  if (input_.size() < size) return false;
  const uint32_t code = number_at(input_, 4);
  const std::string parameters = input_.substr(8, size - 8);
  input_.erase(0, size);
  if (code == kTlsRequest || code == kGssRequest) {
    output_ += 'N';
    return true;
  }
  if (code != kProtocol3) {
    close_ = true;
    return false;
  }
  for (size_t at = 0; at < parameters.size() && parameters[at] != '\0';) {
    const std::string name = parameters.c_str() + at;
    at = std::min(at + name.size() + 1, parameters.size());
    const std::string value = parameters.c_str() + at;
    at += value.size() + 1;
    if (name == "user") user_ = value;
  }
  say('R', number(3));  // a password in clear text
  state_ = State::password;
  return true;
}

bool PgsqlSession::take_message(Instant now) {
  if (input_.size() < 5) return false;
  const uint32_t size = number_at(input_, 1);
  if (size < 4 || size > kMostBytes) {
    close_ = true;
    return false;
  }
  if (input_.size() < size + 1) return false;
  const char type = input_[0];
  const std::string payload = input_.substr(5, size - 4);
  input_.erase(0, size + 1);
  const std::string text = payload.c_str();  // to its zero byte
  if (state_ == State::password) {
    if (type == 'p') {
      check_password(text);
    } else {
      close_ = true;
    }
  } else if (type == 'X') {
    close_ = true;
  } else if (type == 'Q') {
    handle_query(text, now);
  } else if (type == 'S') {
    say_ready();
  } else {
    say_error("ERROR", "0A000", "the double knows simple queries alone");
  }
  return true;
}

void PgsqlSession::check_password(std::string_view password) {
  const auto known = host_.password_of(user_);
  if (!known || *known != password) {
    const std::string text = "password authentication failed for user \"" + user_ + "\"";
    log_error("ProxySQL Error: " + text);
    say_error("FATAL", "28P01", text);
    close_ = true;
    return;
  }
  say('R', number(0));
  say('S', "server_version\0"s + host_.variable("pgsql-server_version") + '\0');
  say('S', "client_encoding\0UTF8\0"s);
  say('K', number(id()) + number(0));
  state_ = State::ready;
  say_ready();
}

void PgsqlSession::handle_query(const std::string& text, Instant now) {
  const std::string statement = upper(text);
  const auto begins = [&](const char* with) { return statement.starts_with(with); };
  const size_t before = output_.size();
  static const std::regex sleep(R"(^SELECT\s+PG_SLEEP\(\s*([0-9.]+)\s*\).*)");
  static const std::regex literal(R"(^SELECT\s+('[^']*'|-?[0-9.]+)\s*;?\s*$)");
  milliseconds delay{0};
  std::smatch groups;
  if (std::regex_match(statement, groups, sleep)) {
    delay = milliseconds(static_cast<int64_t>(1000 * std::strtod(groups[1].str().c_str(), nullptr)));
  }
  if (begins("BEGIN") || begins("START TRANSACTION")) begun_ = true;
  if (begins("COMMIT") || begins("ROLLBACK") || begins("END")) begun_ = false;
  if (begins("SELECT")) {
    std::string value;
    if (std::regex_match(statement, groups, literal)) {
      value = text.substr(static_cast<size_t>(groups.position(1)), groups[1].str().size());
      if (value.front() == '\'') value = value.substr(1, value.size() - 2);
    }
    say('T', row_description("?column?"));
    say('D', number(1, 2) + number(static_cast<uint32_t>(value.size())) + value);
    say('C', "SELECT 1\0"s);
  } else {
    say('C', statement.substr(0, statement.find_first_of(" ;")) + '\0');
  }
  say_ready();
  host_.count_statement(user_, text, delay);
  if (delay.count() == 0) return;
  running_ = text;
  delayed_answer_ = output_.substr(before);
  output_.erase(before);
  delayed_until_ = now + delay;
}

}  // namespace proxysql_double
