// A node's client for its peers' admin ports. Blocking; only the connect has a timeout, as in ProxySQL.
#pragma once

#include <string>

#include "src/base/result.h"
#include "tests/proxysql-double/answer.h"
#include "tests/proxysql-double/socket.h"

namespace proxysql_double {

// Used by one thread.
class PeerConnection {
 public:
  // The name is resolved anew each time.
  static pulse::Result<PeerConnection> open(const Address& address, const std::string& user,
                                            const std::string& password);

  // An empty result for an OK. The error carries the server's message or the connection's end.
  pulse::Result<ResultSet> query(const std::string& sql);

 private:
  explicit PeerConnection(Fd fd) : fd_(std::move(fd)) {}
  pulse::Result<std::string> read_payload();
  bool send_payload(uint8_t sequence, const std::string& payload);

  Fd fd_;
  std::string input_;
};

}  // namespace proxysql_double
