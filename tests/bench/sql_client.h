// A client of the MySQL protocol on 127.0.0.1, as small as the benchmark needs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse::bench {

// Follows one answer through a connection's bytes: OK, an error, or columns and rows. No packet reaches 16 MiB.
class AnswerReader {
 public:
  // Takes the next bytes. True once the answer is complete; nothing may follow it.
  bool take(const char* bytes, size_t count);
  // Why the server refused the statement; "" if it didn't.
  const std::string& error() const { return error_; }

 private:
  static constexpr size_t kHead = 5;  // length, sequence number and the first byte of what follows

  void end_packet();
  uint8_t kind() const { return static_cast<uint8_t>(head_[kHead - 1]); }

  char head_[kHead] = {};
  size_t have_ = 0;  // of head_
  size_t size_ = 0;  // of the packet
  size_t left_ = 0;  // of the packet, still to come
  size_t packets_ = 0;
  int ends_ = 0;  // one after the columns, one after the rows
  bool complete_ = false;
  std::string error_;
};

// A connection that has logged in by mysql_native_password. One statement at a time.
class SqlClient {
 public:
  // Fails if nobody listens, if the login is refused, and if the server is silent for a minute.
  static Result<SqlClient> connect(uint16_t port, const std::string& user, const std::string& password);

  // Runs a statement and drops its rows. Fails if it is refused and without an answer within a minute.
  Result<void> run(const std::string& statement);

  // The two halves of run() for those who wait for many at once: fd() is readable when there is more for a reader.
  bool transmit(const std::string& statement) const;
  int fd() const { return fd_.get(); }

 private:
  explicit SqlClient(UniqueFd fd) : fd_(std::move(fd)) {}

  Result<void> log_in(const std::string& user, const std::string& password) const;

  UniqueFd fd_;
};

}  // namespace pulse::bench
