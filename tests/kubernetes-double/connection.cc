#include "tests/kubernetes-double/connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

namespace kubernetes_double {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kSlowByteInterval{200};

// Waits for what OpenSSL wants after `result`; false when that can't come any more.
bool wait_for_io(SSL* ssl, int result, const pulse::Deadline& deadline) {
  const int reason = ::SSL_get_error(ssl, result);
  if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) return false;
  pollfd wait{::SSL_get_fd(ssl), static_cast<int16_t>(reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
  return ::poll(&wait, 1, deadline.poll_timeout_ms()) == 1;
}

}  // namespace

Connection::Connection(pulse::UniqueFd socket, SSL_CTX* context, Journal& journal, Wakeups& wakeups)
    : socket_(std::move(socket)), ssl_(::SSL_new(context)), journal_(journal), wakeup_(wakeups) {
  ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::SSL_set_fd(ssl_.get(), socket_.get());
}

bool Connection::handshake() {
  const pulse::Deadline deadline = pulse::Deadline::after(seconds(20));
  while (true) {
    ::ERR_clear_error();
    const int result = ::SSL_accept(ssl_.get());
    if (result == 1) return true;
    if (!wait_for_io(ssl_.get(), result, deadline)) return false;
  }
}

// Everything that has come; false when the client has left.
bool Connection::read_all() {
  char buffer[16384];
  while (true) {
    ::ERR_clear_error();
    const int got = ::SSL_read(ssl_.get(), buffer, sizeof(buffer));
    if (got <= 0) return ::SSL_get_error(ssl_.get(), got) == SSL_ERROR_WANT_READ;
    input_.append(buffer, static_cast<size_t>(got));
    journal_.bytes_in += static_cast<uint64_t>(got);
  }
}

Connection::Event Connection::wait(const std::optional<pulse::Deadline>& deadline, bool wakeups) {
  const size_t before = input_.size();
  while (true) {
    if (!read_all()) return Event::closed;
    if (input_.size() > before) return Event::input;
    pollfd waits[] = {{socket_.get(), POLLIN, 0}, {wakeup_.fd(), POLLIN, 0}};
    const int ready = ::poll(waits, wakeups ? 2 : 1, deadline ? deadline->poll_timeout_ms() : -1);
    if (ready == 0) return Event::deadline;
    if (waits[1].revents != 0) {
      wakeup_.take();
      return Event::wakeup;
    }
  }
}

bool Connection::write(std::string_view bytes) {
  const pulse::Deadline deadline = pulse::Deadline::after(seconds(60));
  while (!bytes.empty()) {
    ::ERR_clear_error();
    const int sent = ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      journal_.bytes_out += static_cast<uint64_t>(sent);
    } else if (!wait_for_io(ssl_.get(), sent, deadline)) {
      return false;
    }
  }
  return true;
}

bool Connection::send(std::string_view bytes) {
  while (slow_ && !bytes.empty()) {
    if (!slow_()) {
      slow_ = nullptr;
      break;
    }
    if (!write(bytes.substr(0, 1))) return false;
    bytes.remove_prefix(1);
    std::this_thread::sleep_for(kSlowByteInterval);
  }
  return write(bytes);
}

void Connection::end(End how) {
  if (how == End::orderly) {
    ::SSL_shutdown(ssl_.get());
    ::shutdown(socket_.get(), SHUT_WR);
  }
  if (how == End::reset) {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  // The owner closes the socket right after. Unread input would turn its FIN into a RST.
  if (how == End::cut) {
    read_all();
    ::shutdown(socket_.get(), SHUT_WR);
  }
}

}  // namespace kubernetes_double
