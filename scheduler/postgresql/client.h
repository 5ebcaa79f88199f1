// A connection to a PostgreSQL server, every wait of it under one absolute deadline.
#pragma once

#include <string>

#include "scheduler/admin/admin_session.h"
#include "scheduler/postgresql/messages.h"
#include "scheduler/postgresql/stream.h"
#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse::pgsql {

struct Target {
  std::string host;  // a name, an address, or the path of a unix socket
  uint16_t port = 5432;
  std::string user;
  std::string password;
  std::string database = "postgres";
  bool tls = false;
  bool verify = false;       // the server's certificate and its name
  std::string ca_file = {};  // of those that may have signed it; "": the system's
};

// Errors: code ETIMEDOUT when the deadline passed, else 0.
class Client {
 public:
  // Resolves, connects, turns TLS on where it is wanted and logs in. A name's lookup is bound by the process's hard
  // timer alone. A password goes out in clear text only through TLS or a unix socket.
  static Result<Client> connect(const Target& target, Deadline deadline);

  // Runs one statement that gives rows, and hands each on as it comes. After an error the connection is good for
  // nothing. A result that breaks off is an error.
  Result<void> read(const std::string& statement, RowSink& sink, Deadline deadline);

  void say_goodbye();

 private:
  Client(SocketStream stream, std::string where) : stream_(std::move(stream)), where_(std::move(where)) {}

  Result<void> log_in(const Target& target, Deadline deadline);
  Result<void> authenticate(std::string_view body, const Target& target, Deadline deadline);
  Result<void> authenticate_by_scram(std::string_view mechanisms, const Target& target, Deadline deadline);
  // The body of the next AuthenticationRequest of that kind.
  Result<std::string> next_authentication(uint32_t kind, Deadline deadline);
  Result<Message> next(Deadline deadline);
  Error failed(const std::string& why, int code = 0) const;

  SocketStream stream_;
  MessageReader reader_;
  std::string where_;
};

}  // namespace pulse::pgsql
