#include "tests/proxysql-double/mysql_session.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <regex>

#include "tests/proxysql-double/log.h"

namespace proxysql_double {
namespace {

using std::chrono::milliseconds;

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

bool begins_with_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.starts_with(word); });
}

}  // namespace

MysqlSession::MysqlSession(SessionHost& host, uint32_t id, std::string peer_host, Instant now)
    : ClientSession(id, now), host_(host), peer_host_(std::move(peer_host)) {
  uint8_t sequence = 0;
  const std::string greeting = frame(sequence, greeting_payload(host_.variable("mysql-server_version"), id, salt_,
                                                                host_.variable("mysql-default_authentication_plugin")));
  FaultKind fault = host_.faults().at(Port::mysql, Phase::accept);
  if (fault == FaultKind::none) fault = host_.faults().at(Port::mysql, Phase::greeting);
  deliver(greeting, fault, false);
  advance(now);
}

void MysqlSession::receive(std::string_view bytes, Instant now) {
  touch(now);
  input_.append(bytes);
  advance(now);
}

void MysqlSession::advance(Instant now) {
  if (mute_ && host_.faults().generation() != mute_generation_) close_ = true;
  if (mute_) return;
  if (endless_columns_ > 0) {
    constexpr size_t kEnoughForNow = 65536;
    while (output_.size() < kEnoughForNow) append_row(output_, endless_sequence_, Row(endless_columns_, "endless"));
    if (host_.faults().generation() != mute_generation_) close_ = mute_ = true;
    return;
  }
  if (!drip_.empty()) {
    if (next_drip_ && now < *next_drip_) return;
    output_ += drip_.front();
    drip_.erase(0, 1);
    next_drip_ = now + kSlowByteInterval;
    if (!drip_.empty()) return;
  }
  if (delayed_until_) {
    if (now < *delayed_until_) return;
    delayed_until_.reset();
    running_.clear();
    touch(now);
    output_ += delayed_answer_;
    delayed_answer_.clear();
  }
  while (!mute_ && !close_ && !reset_ && drip_.empty() && !delayed_until_) {
    const auto packet = take_packet(input_);
    if (!packet) break;
    handle(*packet, now);
  }
}

std::optional<Instant> MysqlSession::due() const {
  if (mute_) return last_activity_ + std::chrono::hours(24);
  if (endless_columns_ > 0) return output_.empty() ? std::optional(last_activity_) : std::nullopt;
  if (!drip_.empty()) return next_drip_.value_or(last_activity_);
  return delayed_until_;
}

void MysqlSession::handle(const Packet& packet, Instant now) {
  if (state_ == State::login) {
    const auto login = parse_login(packet.payload);
    if (!login) {
      close_ = true;
      return;
    }
    login_ = *login;
    const bool native_greeting = host_.variable("mysql-default_authentication_plugin") == "mysql_native_password";
    if (native_greeting && (login_.plugin.empty() || login_.plugin == "mysql_native_password")) {
      check_password(login_.token, packet.sequence);
      return;
    }
    uint8_t sequence = static_cast<uint8_t>(packet.sequence + 1);
    output_ += frame(sequence, auth_switch_payload(salt_));
    state_ = State::auth_switch;
  } else if (state_ == State::auth_switch) {
    check_password(packet.payload, packet.sequence);
  } else if (packet.payload.empty() || static_cast<uint8_t>(packet.payload[0]) == kQuit) {
    close_ = true;
  } else if (static_cast<uint8_t>(packet.payload[0]) == kQuery) {
    handle_query(packet.payload.substr(1), now);
  } else if (static_cast<uint8_t>(packet.payload[0]) == kPrepare) {
    output_ += encode(Answer::error(1295, "HY000", "This command is not supported in the prepared statement protocol"),
                      1, status());
  } else {
    output_ += encode(Answer::ok(), 1, status());
  }
}

void MysqlSession::check_password(const std::string& token, uint8_t sequence) {
  ++sequence;
  const auto password = host_.password_of(login_.user);
  const bool good = password && native_password_matches(token, salt_, *password);
  const std::string text = "ProxySQL Error: Access denied for user '" + login_.user + "'@'" + peer_host_ +
                           "' (using password: " + (token.empty() ? "NO" : "YES") + ")";
  if (!good) log_error(text);
  const std::string payload = good ? ok_payload(0, kStatusAutocommit, "") : error_payload(1045, "28000", text);
  deliver(frame(sequence, payload), host_.faults().at(Port::mysql, Phase::login), false);
  user_ = login_.user;
  state_ = State::ready;
  if (!good) close_ = true;
}

void MysqlSession::handle_query(const std::string& text, Instant now) {
  ++statements_;
  milliseconds delay{0};
  const Answer answer = answer_to(text, &delay);
  host_.count_statement(user_, text, delay);
  const std::string bytes = encode(answer, 1, status());
  FaultKind fault = host_.faults().at(Port::mysql, Phase::query, statements_, text);
  bool inside = false;
  if (fault == FaultKind::none && answer.kind == Answer::Kind::rows) {
    fault = host_.faults().at(Port::mysql, Phase::result, statements_, text);
    inside = fault != FaultKind::none;
  }
  if (fault == FaultKind::none && delay.count() > 0) {
    running_ = text;
    delayed_answer_ = bytes;
    delayed_until_ = now + delay;
    return;
  }
  deliver(bytes, fault, inside);
}

// Answers as a backend would, as far as tests of a proxy need one.
Answer MysqlSession::answer_to(const std::string& text, milliseconds* delay) {
  const std::string statement = upper(text);
  if (begins_with_any(statement, {"BEGIN", "START TRANSACTION"})) begun_ = true;
  if (begins_with_any(statement, {"COMMIT", "ROLLBACK"})) begun_ = wrote_ = false;
  if (begins_with_any(statement, {"INSERT", "UPDATE", "DELETE", "REPLACE"}) && !autocommit_) wrote_ = true;

  static const std::regex set_autocommit(R"(^SET\s+(?:SESSION\s+)?(?:@@)?AUTOCOMMIT\s*=\s*(0|1|OFF|ON)\b.*)");
  static const std::regex sleep(R"(^SELECT\s+SLEEP\(\s*([0-9.]+)\s*\).*)");
  static const std::regex repeat(R"(^SELECT\s+REPEAT\(\s*'(.)'\s*,\s*(\d+)\s*\).*)");
  static const std::regex literal(R"(^SELECT\s+('[^']*'|-?[0-9.]+)\s*;?\s*$)");
  constexpr size_t kLongestMatched = 256;
  if (statement.size() > kLongestMatched) return Answer::ok();
  std::smatch groups;
  if (std::regex_match(statement, groups, set_autocommit)) {
    autocommit_ = groups[1] == "1" || groups[1] == "ON";
    if (autocommit_) wrote_ = begun_ = false;
    return Answer::ok();
  }
  if (std::regex_match(statement, groups, sleep)) {
    *delay = milliseconds(static_cast<int64_t>(1000 * std::strtod(groups[1].str().c_str(), nullptr)));
    return Answer::single("SLEEP(" + groups[1].str() + ")", "0");
  }
  if (std::regex_match(statement, groups, repeat)) {
    return Answer::single("REPEAT", std::string(std::stoul(groups[2]), groups[1].str()[0]));
  }
  if (std::regex_match(statement, groups, literal)) {
    const std::string value = text.substr(static_cast<size_t>(groups.position(1)), groups[1].str().size());
    return Answer::single(value, value[0] == '\'' ? value.substr(1, value.size() - 2) : value);
  }
  if (statement.starts_with("SELECT")) return Answer::rows({{"result"}, {}});
  return Answer::ok(wrote_ || begins_with_any(statement, {"INSERT", "UPDATE", "DELETE", "REPLACE"}) ? 1 : 0);
}

uint16_t MysqlSession::status() const {
  return static_cast<uint16_t>((in_transaction() ? kStatusInTransaction : 0) | (autocommit_ ? kStatusAutocommit : 0));
}

void MysqlSession::deliver(const std::string& answer, FaultKind kind, bool inside) {
  const Delivery delivery = shape(kind, answer, inside);
  output_ += delivery.at_once;
  drip_ = delivery.dripping;
  mute_generation_ = host_.faults().generation();
  mute_ = delivery.then == Delivery::Then::silence;
  close_ = close_ || delivery.then == Delivery::Then::close;
  reset_ = delivery.then == Delivery::Then::reset;
  if (delivery.then == Delivery::Then::endless) {
    endless_columns_ = delivery.columns;
    endless_sequence_ = delivery.next_sequence;
  }
}

}  // namespace proxysql_double
