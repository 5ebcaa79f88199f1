// A TLS connection to the API server, every wait of it under one absolute deadline.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "daemon/kubernetes/api_server.h"
#include "daemon/worker/call_watch.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

class TlsStream {
 public:
  // For connecting, and as long again for TLS.
  static constexpr std::chrono::seconds kConnectWithin{5};

  // Looks the server up where it is a name, connects to the first of its addresses that takes it, and checks that its
  // certificate is signed by one of `ca_file`, which is read now, and is for that name or address. What it waits for is
  // cut with `calls`. The error says which step failed.
  static Result<std::unique_ptr<TlsStream>> connect(const ApiServer& server, const std::string& ca_file,
                                                    CallWatch& calls);

  // Writes all. error().code is ETIMEDOUT when the deadline passed.
  Result<void> write(std::string_view data, Deadline deadline);
  // As much as there is, `size` at most; 0 when the peer has ended its sending properly.
  Result<size_t> read(char* to, size_t size, Deadline deadline);

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  };
  TlsStream() = default;
  Result<void> open_socket(const ApiServer& server, CallWatch& calls);
  Result<void> handshake(const ApiServer& server);
  bool wait_for(int ssl_error, Deadline deadline) const;

  std::unique_ptr<SSL_CTX, Free> context_;
  UniqueFd socket_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace pulse
