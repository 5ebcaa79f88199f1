// One client of the MySQL port: its side of the protocol, without sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/proxysql-double/faults.h"
#include "tests/proxysql-double/wire.h"

namespace proxysql_double {

using Instant = std::chrono::steady_clock::time_point;

// What a session needs from its port. Thread-safe.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual const Faults& faults() const = 0;
  virtual std::string variable(const std::string& name) const = 0;
  virtual std::optional<std::string> password_of(const std::string& user) const = 0;
  virtual void count_statement(const std::string& user, const std::string& text, std::chrono::microseconds took) = 0;
};

// Used by one thread.
class MysqlSession {
 public:
  MysqlSession(SessionHost& host, uint32_t id, std::string peer_host, Instant now);

  void receive(std::string_view bytes, Instant now);
  // Delivers what has become due: answers of SLEEP, dripping bytes, rows without end.
  void advance(Instant now);
  // When advance() must be called next; nothing if it needs a client's bytes first.
  std::optional<Instant> due() const;

  // Bytes for the client. The owner takes off what it has sent and calls touch().
  std::string& output() { return output_; }
  void touch(Instant now) { last_activity_ = now; }

  bool logged_in() const { return state_ == State::ready; }
  bool wants_close() const { return close_ && output_.empty() && drip_.empty(); }
  bool wants_reset() const { return reset_ && output_.empty(); }
  bool quit() const { return quit_; }
  bool in_transaction() const { return begun_ || (!autocommit_ && wrote_); }
  // No request is being worked on and no transaction is open, for longer than `limit`. A login that is under way counts
  // as idle, too.
  bool idle_for(std::chrono::milliseconds limit, Instant now) const;
  std::chrono::milliseconds quiet_time(Instant now) const;

  uint32_t id() const { return id_; }
  const std::string& user() const { return user_; }
  const std::string& running() const { return running_; }

 private:
  enum class State { login, auth_switch, ready };

  void handle(const Packet& packet, Instant now);
  void check_password(const std::string& token, uint8_t sequence);
  void handle_query(const std::string& text, Instant now);
  Answer answer_to(const std::string& text, std::chrono::milliseconds* delay);
  uint16_t status() const;
  void deliver(const std::string& answer, FaultKind kind, bool inside);

  SessionHost& host_;
  const uint32_t id_;
  const std::string peer_host_;
  const std::string salt_ = new_salt();
  State state_ = State::login;
  std::string input_;
  std::string output_;
  std::string drip_;
  std::optional<Instant> next_drip_;
  Login login_;
  std::string user_;
  std::string running_;  // the statement that a SLEEP keeps busy
  std::string delayed_answer_;
  std::optional<Instant> delayed_until_;
  Instant last_activity_;
  int statements_ = 0;
  uint64_t mute_generation_ = 0;
  size_t endless_columns_ = 0;
  uint8_t endless_sequence_ = 0;
  bool mute_ = false;
  bool close_ = false;
  bool reset_ = false;
  bool quit_ = false;
  bool begun_ = false;
  bool autocommit_ = true;
  bool wrote_ = false;
};

}  // namespace proxysql_double
