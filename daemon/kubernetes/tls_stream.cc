#include "daemon/kubernetes/tls_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "daemon/dns/name_lookup.h"
#include "daemon/worker/stop_signal.h"
#include "src/base/host_port.h"

namespace pulse {

namespace {

std::string within_text() { return "no answer within " + std::to_string(TlsStream::kConnectWithin.count()) + " s"; }

// A connection that has died without a word is noticed within half a minute, not only when the watch is due to end.
void set_options(int socket) {
  const auto set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

// 0 when the deadline passed.
int poll_one(int fd, short events, Deadline deadline) {
  pollfd waiting{fd, events, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    return ready;
  }
}

Result<UniqueFd> connect_to(const std::string& address, uint16_t port, CallWatch& calls, Deadline deadline) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  const bool is_v6 = ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1;
  if (!is_v6 && ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) {
    return Error{"connect: " + address + " is no address"};
  }
  UniqueFd fd(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error{std::string("socket: ") + std::strerror(errno), errno};
  set_options(fd.get());
  calls.expect_on(fd.get());
  const auto* const to = is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  if (::connect(fd.get(), to, is_v6 ? sizeof v6 : sizeof v4) != 0) {
    if (errno != EINPROGRESS) return Error{std::string("connect: ") + std::strerror(errno), errno};
    if (poll_one(fd.get(), POLLOUT, deadline) == 0) return Error{"connect: " + within_text(), ETIMEDOUT};
    int failure = 0;
    socklen_t length = sizeof failure;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure != 0) return Error{std::string("connect: ") + std::strerror(failure), failure};
  }
  return fd;
}

// Of the first error: later ones come from tidying up after it.
std::string openssl_reason() {
  const unsigned long error = ::ERR_peek_error();
  const char* const reason = error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                                 ? nullptr
                                 : ::ERR_reason_error_string(error);
  return reason == nullptr ? "" : reason;
}

Error closed() { return Error{"the server closed the connection", ECONNRESET}; }

}  // namespace

Result<std::unique_ptr<TlsStream>> TlsStream::connect(const ApiServer& server, const std::string& ca_file,
                                                      CallWatch& calls) {
  const UniqueFd readable(::open(ca_file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!readable) return Error{"read " + ca_file + ": " + std::strerror(errno), errno};
  std::unique_ptr<TlsStream> stream(new TlsStream);
  ::ERR_clear_error();
  stream->context_.reset(::SSL_CTX_new(::TLS_client_method()));
  if (!stream->context_) return Error{"TLS: " + openssl_reason()};
  ::SSL_CTX_set_min_proto_version(stream->context_.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(stream->context_.get(), SSL_VERIFY_PEER, nullptr);
  if (::SSL_CTX_load_verify_locations(stream->context_.get(), ca_file.c_str(), nullptr) != 1) {
    const std::string reason = openssl_reason();
    return Error{"TLS: " + ca_file + " holds no certificate" + (reason.empty() ? "" : ": " + reason)};
  }
  if (auto open = stream->open_socket(server, calls); !open) return open.error();
  if (auto done = stream->handshake(server); !done) return done.error();
  return stream;
}

Result<void> TlsStream::open_socket(const ApiServer& server, CallWatch& calls) {
  const StopSignal stop(calls);
  const Deadline deadline = Deadline::after(kConnectWithin);
  const NameAnswer found = look_up(server.host, deadline, stop.fd());
  if (found.kind != NameAnswer::Kind::addresses) return Error{found.error};
  Error last{"connect: can't"};
  auto untried = static_cast<int64_t>(found.addresses.size());
  for (const std::string& address : found.addresses) {
    // One that doesn't answer leaves time for the others.
    auto socket = connect_to(address, server.port, calls, Deadline::after(deadline.left() / untried--));
    if (socket) {
      socket_ = std::move(*socket);
      return {};
    }
    last = socket.error();
  }
  return last;
}

Result<void> TlsStream::handshake(const ApiServer& server) {
  const Deadline deadline = Deadline::after(kConnectWithin);
  ssl_.reset(::SSL_new(context_.get()));
  if (!ssl_) return Error{"TLS: out of memory", ENOMEM};
  X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(ssl_.get());
  if (is_address(server.host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(wanted, server.host.c_str());
  } else {
    ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ::X509_VERIFY_PARAM_set1_host(wanted, server.host.c_str(), server.host.size());
    // As the macro SSL_set_tlsext_host_name() does, but for its cast.
    ::SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(server.host.c_str()));
  }
  ::SSL_set_fd(ssl_.get(), socket_.get());
  for (;;) {
    ::ERR_clear_error();
    const int done = ::SSL_connect(ssl_.get());
    if (done == 1) return {};
    const int why = ::SSL_get_error(ssl_.get(), done);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
      if (wait_for(why, deadline)) continue;
      return Error{"TLS: " + within_text(), ETIMEDOUT};
    }
    if (const long verified = ::SSL_get_verify_result(ssl_.get()); verified != X509_V_OK) {
      const bool other = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
      return Error{"TLS: the server's certificate is not accepted: " +
                   (other ? "it is not for " + server.host : std::string(::X509_verify_cert_error_string(verified)))};
    }
    const std::string reason = openssl_reason();
    return Error{"TLS: " + (reason.empty() ? closed().text : reason)};
  }
}

bool TlsStream::wait_for(int ssl_error, Deadline deadline) const {
  return poll_one(socket_.get(), ssl_error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN, deadline) != 0;
}

Result<void> TlsStream::write(std::string_view data, Deadline deadline) {
  while (!data.empty()) {
    size_t written = 0;
    ::ERR_clear_error();
    const int done = ::SSL_write_ex(ssl_.get(), data.data(), data.size(), &written);
    if (done == 1) {
      data.remove_prefix(written);
      continue;
    }
    const int why = ::SSL_get_error(ssl_.get(), done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return closed();
    if (!wait_for(why, deadline)) return Error{"the server doesn't read", ETIMEDOUT};
  }
  return {};
}

Result<size_t> TlsStream::read(char* to, size_t size, Deadline deadline) {
  for (;;) {
    size_t count = 0;
    ::ERR_clear_error();
    const int done = ::SSL_read_ex(ssl_.get(), to, size, &count);
    if (done == 1) return count;
    const int why = ::SSL_get_error(ssl_.get(), done);
    if (why == SSL_ERROR_ZERO_RETURN) return size_t{0};
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return closed();
    if (!wait_for(why, deadline)) return Error{"no answer", ETIMEDOUT};
  }
}

}  // namespace pulse
