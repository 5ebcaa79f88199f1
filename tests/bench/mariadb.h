// A MariaDB server of the benchmark's own: a data directory in the benchmark's, a port on loopback, nobody's data.
#pragma once

#include <cstdint>
#include <string>

#include "src/base/result.h"
#include "tests/bench/process.h"

namespace pulse::bench {

class MariaDb {
 public:
  // Where PATH, /usr/sbin or /usr/local/sbin has mariadbd, or a mysqld that is MariaDB; "" if none has.
  static std::string find();

  // Starts it with all its files in DIR/mariadb. It takes every user and any password, on 127.0.0.1.
  MariaDb(const std::string& program, const std::string& dir);

  // Waits until it answers.
  Result<void> wait_until_up();
  uint16_t port() const { return port_; }

 private:
  std::string base_;
  uint16_t port_;
  Child process_;
};

}  // namespace pulse::bench
