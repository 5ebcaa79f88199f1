// A client of the PostgreSQL port, by the protocol's simple part, with a password in clear text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "src/base/unique_fd.h"

namespace pulse::test {

class PgsqlClient {
 public:
  // Logs in; see is_open().
  PgsqlClient(uint16_t port, const std::string& user, const std::string& password,
              const std::string& address = "127.0.0.1");

  bool is_open() const { return open_; }
  int descriptor() const { return fd_.get(); }
  // Runs it and waits for its end, 10 s for each part of the answer. False if it failed, or if the connection has gone.
  bool query(const std::string& statement);
  // Of the last answer: the first column of the first row; nothing without a row.
  const std::optional<std::string>& value() const { return value_; }
  const std::string& error() const { return error_; }

 private:
  struct Message {
    char type = 0;
    std::string payload;
  };

  void send(const std::string& bytes);
  void send(char type, const std::string& payload);
  std::optional<std::string> receive(size_t bytes);
  std::optional<Message> receive();
  // Reads until ReadyForQuery.
  bool wait_ready();

  UniqueFd fd_;
  bool open_ = false;
  std::optional<std::string> value_;
  std::string error_;
};

}  // namespace pulse::test
