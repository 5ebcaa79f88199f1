// A non-blocking socket with or without TLS, under deadlines.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse::pgsql {

// Errors: code ETIMEDOUT when the deadline passed, else the errno or 0.
class SocketStream {
 public:
  // `host`: an address or a name, all of whose addresses are tried; or the path of a unix socket.
  static Result<SocketStream> connect(const std::string& host, uint16_t port, Deadline deadline);

  // From here on all goes through TLS. `name` is what the certificate must have if `verify`.
  Result<void> start_tls(const std::string& name, bool verify, const std::string& ca_file, Deadline deadline);
  bool is_tls() const { return ssl_ != nullptr; }

  Result<void> send(std::string_view bytes, Deadline deadline);
  // Some bytes, at least one. The peer's end is an error.
  Result<std::string_view> receive(Deadline deadline);
  // Exactly one byte, none of what follows it.
  Result<char> receive_one(Deadline deadline);

  // Sends what goes without a wait.
  void send_at_once(std::string_view bytes);

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  explicit SocketStream(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> wait(short events, Deadline deadline) const;
  // What a call of OpenSSL that didn't succeed wants: waits for it, or says why it failed.
  Result<void> wait_for_tls(int result, const char* what, Deadline deadline) const;

  UniqueFd fd_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string buffer_;
};

}  // namespace pulse::pgsql
