// What a port for clients says to somebody who connects and leaves before a login.
#pragma once

#include <string>

#include "src/base/clock.h"
#include "src/config/settings.h"

namespace pulse {

// What connecting said.
struct ActiveResult {
  bool greeted = false;  // in the protocol's own words, an error of the server included: someone serves
  std::string error;     // if not greeted; or the text of the server's error
  nanoseconds took{0};
  bool refused = false;  // nothing listens there
};

// Connects to the port or unix socket, whose address is numeric, takes what the server says first, and closes. Blocks
// until `deadline` at most, however slowly the bytes come.
using Greeter = ActiveResult (*)(const MysqlInterface& interface, Deadline deadline);

// Reads the first packet. A handshake of protocol 10 and an ERR packet ("Too many connections") are greetings.
ActiveResult greet_mysql(const MysqlInterface& interface, Deadline deadline);

// A PostgreSQL server says nothing first. It is asked whether it speaks TLS (SSLRequest): its 'S' or 'N' is a greeting,
// so is its error message.
ActiveResult greet_pgsql(const MysqlInterface& interface, Deadline deadline);

}  // namespace pulse
