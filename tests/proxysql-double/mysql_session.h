// One client of the MySQL port: its side of the protocol, without sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/proxysql-double/client_session.h"
#include "tests/proxysql-double/wire.h"

namespace proxysql_double {

// Used by one thread.
class MysqlSession final : public ClientSession {
 public:
  MysqlSession(SessionHost& host, uint32_t id, std::string peer_host, Instant now);

  void receive(std::string_view bytes, Instant now) override;
  void advance(Instant now) override;
  std::optional<Instant> due() const override;

  bool logged_in() const override { return state_ == State::ready; }
  bool wants_close() const override { return close_ && output_.empty() && drip_.empty(); }
  bool wants_reset() const override { return reset_ && output_.empty(); }
  bool in_transaction() const override { return begun_ || (!autocommit_ && wrote_); }

 private:
  enum class State { login, auth_switch, ready };

  void handle(const Packet& packet, Instant now);
  void check_password(const std::string& token, uint8_t sequence);
  void handle_query(const std::string& text, Instant now);
  Answer answer_to(const std::string& text, std::chrono::milliseconds* delay);
  uint16_t status() const;
  void deliver(const std::string& answer, FaultKind kind, bool inside);

  SessionHost& host_;
  const std::string peer_host_;
  const std::string salt_ = new_salt();
  State state_ = State::login;
  std::string drip_;
  std::optional<Instant> next_drip_;
  Login login_;
  int statements_ = 0;
  uint64_t mute_generation_ = 0;
  size_t endless_columns_ = 0;
  uint8_t endless_sequence_ = 0;
  bool mute_ = false;
  bool reset_ = false;
  bool begun_ = false;
  bool autocommit_ = true;
  bool wrote_ = false;
};

}  // namespace proxysql_double
