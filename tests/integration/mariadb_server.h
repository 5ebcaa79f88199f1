// Debian's MariaDB as a backend, where it is installed: on a free port of 127.0.0.1, in a directory of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/support.h"

namespace pulse::test {

class MariadbServer {
 public:
  static bool is_installed();

  // Ready, with the user root and an empty password, which may log in from 127.0.0.1. `arguments`: more of mariadbd's.
  // Fails the test if that fails.
  explicit MariadbServer(std::vector<std::string> arguments = {});
  ~MariadbServer();

  uint16_t port() const { return port_; }
  const TempDir& dir() const { return dir_; }
  // Runs statements as root, one after the other; fails the test if one fails.
  void sql(const std::string& statements) const;
  // Runs a statement on any port as that user; what the client says.
  Ran client(uint16_t port, const std::string& user, const std::string& password, const std::string& statement) const;

 private:
  Ran run_file(const std::string& statements) const;

  TempDir dir_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> process_;
};

}  // namespace pulse::test
