// Debian's PostgreSQL as a backend, where it is installed: on a free port of 127.0.0.1, in a directory of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/integration/support.h"

namespace pulse::test {

class PostgresServer {
 public:
  // Whether its programs are there, and a user to run them as: it refuses to run as root.
  static bool is_installed();

  // Ready, with the user and the database app, without a password, and an empty table t. Fails the test if that fails.
  PostgresServer();
  ~PostgresServer();

  uint16_t port() const { return port_; }

 private:
  TempDir dir_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> process_;
};

}  // namespace pulse::test
