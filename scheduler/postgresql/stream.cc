#include "scheduler/postgresql/stream.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "src/base/host_port.h"

namespace pulse::pgsql {

namespace {

Error timed_out(const std::string& what) { return Error{what + ": timed out", ETIMEDOUT}; }

std::string tls_reason() {
  const unsigned long code = ERR_peek_last_error();
  char text[256] = {};
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return code == 0 ? "the connection broke off" : text;
}

Result<UniqueFd> connect_to(const sockaddr* address, socklen_t length, Deadline deadline) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket", errno);
  if (::connect(fd.get(), address, length) == 0) return fd;
  if (errno != EINPROGRESS) return system_error("connect", errno);
  pollfd ready{fd.get(), POLLOUT, 0};
  int polled = 0;
  do {
    polled = ::poll(&ready, 1, deadline.poll_timeout_ms());
  } while (polled < 0 && errno == EINTR);
  if (polled <= 0) return timed_out("connect");
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return system_error("connect", failure);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

Result<SocketStream> SocketStream::connect(const std::string& host, uint16_t port, Deadline deadline) {
  if (host.starts_with('/')) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (host.size() >= sizeof address.sun_path) return Error{"a socket's path of that length"};
    std::memcpy(address.sun_path, host.data(), host.size());
    auto fd = connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
    if (!fd) return fd.error();
    return SocketStream(std::move(*fd));
  }
  // As AdminClient looks names up: no service of nsswitch.conf that would be a plug-in.
  __nss_configure_lookup("hosts", "files dns");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (is_address(host) ? AI_NUMERICHOST : 0);
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) return Error{std::string("look up: ") + ::gai_strerror(failure)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  Error last{"no address"};
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    auto fd = connect_to(entry->ai_addr, entry->ai_addrlen, deadline);
    if (fd) return SocketStream(std::move(*fd));
    last = fd.error();
    if (deadline.passed()) break;
  }
  return last;
}

Result<void> SocketStream::wait(short events, Deadline deadline) const {
  pollfd ready{fd_.get(), events, 0};
  for (;;) {
    const int polled = ::poll(&ready, 1, deadline.poll_timeout_ms());
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0 || deadline.passed()) return timed_out("no answer");
    return {};
  }
}

Result<void> SocketStream::wait_for_tls(int result, const char* what, Deadline deadline) const {
  const int wanted = SSL_get_error(ssl_.get(), result);
  if (wanted == SSL_ERROR_WANT_READ) return wait(POLLIN, deadline);
  if (wanted == SSL_ERROR_WANT_WRITE) return wait(POLLOUT, deadline);
  return Error{std::string(what) + ": " + tls_reason()};
}

Result<void> SocketStream::start_tls(const std::string& name, bool verify, const std::string& ca_file,
                                     Deadline deadline) {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return Error{"TLS: " + tls_reason()};
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  if (verify) {
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context_.get())
                                       : SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr);
    if (loaded != 1) return Error{"certificates in " + ca_file + ": " + tls_reason()};
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  }
  ssl_.reset(SSL_new(context_.get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1) return Error{"TLS: " + tls_reason()};
  if (verify) {
    X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int set = is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str())
                                     : X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size());
    if (set != 1) return Error{"TLS: a certificate can't be checked for that name"};
  }
  if (!is_address(name)) SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
  for (;;) {
    const int done = SSL_connect(ssl_.get());
    if (done == 1) return {};
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verify && verdict != X509_V_OK) {
      return Error{std::string("the server's certificate: ") + X509_verify_cert_error_string(verdict)};
    }
    if (auto waited = wait_for_tls(done, "TLS", deadline); !waited) return waited;
  }
}

Result<void> SocketStream::send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (ssl_) {
      const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (auto waited = wait_for_tls(sent, "write", deadline); !waited) {
        return waited;
      }
      continue;
    }
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto waited = wait(POLLOUT, deadline); !waited) return waited;
    } else if (errno != EINTR) {
      return system_error("write", errno);
    }
  }
  return {};
}

Result<std::string_view> SocketStream::receive(Deadline deadline) {
  buffer_.resize(16 << 10);
  for (;;) {
    if (ssl_) {
      const int got = SSL_read(ssl_.get(), buffer_.data(), static_cast<int>(buffer_.size()));
      if (got > 0 && !deadline.passed()) return std::string_view(buffer_).substr(0, static_cast<size_t>(got));
      if (got > 0) return timed_out("no end of the answer");
      if (auto waited = wait_for_tls(got, "read", deadline); !waited) return waited.error();
      continue;
    }
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got > 0 && !deadline.passed()) return std::string_view(buffer_).substr(0, static_cast<size_t>(got));
    if (got > 0) return timed_out("no end of the answer");
    if (got == 0) return Error{"the server has closed the connection"};
    if (errno == EAGAIN) {
      if (auto waited = wait(POLLIN, deadline); !waited) return waited.error();
    } else if (errno != EINTR) {
      return system_error("read", errno);
    }
  }
}

Result<char> SocketStream::receive_one(Deadline deadline) {
  char one = 0;
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), &one, 1, 0);
    if (got == 1) return one;
    if (got == 0) return Error{"the server has closed the connection"};
    if (errno == EAGAIN) {
      if (auto waited = wait(POLLIN, deadline); !waited) return waited.error();
    } else if (errno != EINTR) {
      return system_error("read", errno);
    }
  }
}

void SocketStream::send_at_once(std::string_view bytes) {
  if (ssl_) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  } else {
    static_cast<void>(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }
}

}  // namespace pulse::pgsql
