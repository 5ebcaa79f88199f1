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
  // Runs statements in the database app as its superuser; fails the test if one fails.
  void sql(const std::string& statements) const;
  // How everybody but the superuser app proves who they are from now on: a method of pg_hba.conf.
  void authenticate(const std::string& method);
  // From now on it has TLS, with a certificate of its own for that name ("IP:127.0.0.1"). Returns the file of it.
  std::string use_tls(const std::string& name);

 private:
  void reload();
  std::string value(const std::string& statement) const;

  TempDir dir_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> process_;
};

}  // namespace pulse::test
