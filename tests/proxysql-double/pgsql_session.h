// One client of the PostgreSQL port, by the simple protocol: start, password in clear text, queries.
#pragma once

#include <string>

#include "tests/proxysql-double/client_session.h"

namespace proxysql_double {

class PgsqlSession final : public ClientSession {
 public:
  PgsqlSession(SessionHost& host, uint32_t id, Instant now) : ClientSession(id, now), host_(host) {}

  void receive(std::string_view bytes, Instant now) override;
  void advance(Instant now) override;
  std::optional<Instant> due() const override { return delayed_until_; }

  bool logged_in() const override { return state_ == State::ready; }
  bool wants_close() const override { return close_ && output_.empty(); }
  bool wants_reset() const override { return false; }
  bool in_transaction() const override { return begun_; }

 private:
  enum class State { start, password, ready };

  bool take_start();
  bool take_message(Instant now);
  void check_password(std::string_view password);
  void handle_query(const std::string& text, Instant now);
  void say(char type, std::string_view payload);
  void say_error(const char* severity, const char* code, const std::string& text);
  void say_ready();

  SessionHost& host_;
  State state_ = State::start;
  bool begun_ = false;
};

}  // namespace proxysql_double
