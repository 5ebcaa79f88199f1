// One client of a port: its side of the protocol, without sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/proxysql-double/faults.h"

namespace proxysql_double {

using Instant = std::chrono::steady_clock::time_point;

// What a session needs from its port. Thread-safe.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual const Faults& faults() const = 0;
  virtual std::string variable(const std::string& name) const = 0;  // with its prefix
  virtual std::optional<std::string> password_of(const std::string& user) const = 0;
  virtual void count_statement(const std::string& user, const std::string& text, std::chrono::microseconds took) = 0;
};

// Used by one thread.
class ClientSession {
 public:
  explicit ClientSession(uint32_t id, Instant now) : last_activity_(now), id_(id) {}
  virtual ~ClientSession() = default;
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  virtual void receive(std::string_view bytes, Instant now) = 0;
  // Delivers what has become due: answers of SLEEP, dripping bytes, rows without end.
  virtual void advance(Instant now) = 0;
  // When advance() must be called next; nothing if it needs a client's bytes first.
  virtual std::optional<Instant> due() const = 0;

  virtual bool logged_in() const = 0;
  virtual bool wants_close() const = 0;
  virtual bool wants_reset() const = 0;
  virtual bool in_transaction() const = 0;

  // Bytes for the client. The owner takes off what it has sent and calls touch().
  std::string& output() { return output_; }
  void touch(Instant now) { last_activity_ = now; }

  // No request is being worked on and no transaction is open, for longer than `limit`. A login that is under way counts
  // as idle, too.
  bool idle_for(std::chrono::milliseconds limit, Instant now) const {
    return !delayed_until_ && !in_transaction() && quiet_time(now) > limit;
  }
  std::chrono::milliseconds quiet_time(Instant now) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - last_activity_);
  }

  uint32_t id() const { return id_; }
  const std::string& user() const { return user_; }
  const std::string& running() const { return running_; }

 protected:
  std::string input_;
  std::string output_;
  std::string user_;
  std::string running_;  // the statement that a SLEEP keeps busy
  std::string delayed_answer_;
  std::optional<Instant> delayed_until_;
  Instant last_activity_;
  bool close_ = false;

 private:
  const uint32_t id_;
};

}  // namespace proxysql_double
