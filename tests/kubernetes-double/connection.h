// One TLS connection, served by one thread that can wait for the client and for a wakeup at once.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"
#include "tests/kubernetes-double/certificates.h"
#include "tests/kubernetes-double/journal.h"
#include "tests/kubernetes-double/wakeups.h"

namespace kubernetes_double {

class Connection {
 public:
  // The context, the journal and the wakeups live longer.
  Connection(pulse::UniqueFd socket, SSL_CTX* context, Journal& journal, Wakeups& wakeups);

  // False if the client refuses the certificate, speaks no TLS or takes longer than 20 s.
  bool handshake();

  enum class Event { input, closed, wakeup, deadline };
  // Waits for the first of them; without a deadline, without end. `wakeups` false: only for the client.
  Event wait(const std::optional<pulse::Deadline>& deadline, bool wakeups = true);

  // What the client has sent and nobody has taken yet.
  std::string& input() { return input_; }

  // False when the client is gone or takes nothing for a minute.
  bool send(std::string_view bytes);
  // One byte each 0.2 s from now on, for as long as `goes_on` says so.
  void send_slowly(std::function<bool()> goes_on) { slow_ = std::move(goes_on); }

  // Ends the connection: as HTTPS should, with a FIN alone, or with a RST.
  enum class End { orderly, cut, reset };
  void end(End how);

 private:
  bool read_all();
  bool write(std::string_view bytes);

  const pulse::UniqueFd socket_;
  const std::unique_ptr<SSL, Free<::SSL_free>> ssl_;
  Journal& journal_;
  const Wakeup wakeup_;
  std::string input_;
  std::function<bool()> slow_;
};

}  // namespace kubernetes_double
