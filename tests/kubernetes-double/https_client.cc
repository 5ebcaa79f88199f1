#include "tests/kubernetes-double/https_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace kubernetes_double {
namespace {

using pulse::Deadline;

pulse::UniqueFd connect_to(const Target& target, const Deadline& deadline) {
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  const bool is_v6 = ::inet_pton(AF_INET6, target.address.c_str(), &v6.sin6_addr) == 1;
  v6.sin6_family = AF_INET6;
  v4.sin_family = AF_INET;
  v6.sin6_port = v4.sin_port = htons(target.port);
  if (!is_v6) ::inet_pton(AF_INET, target.address.c_str(), &v4.sin_addr);
  const auto* address = is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  pulse::UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(fd.get(), address, is_v6 ? sizeof(v6) : sizeof(v4)) == 0) return fd;
  pollfd wait{fd.get(), POLLOUT, 0};
  if (errno == EINPROGRESS && ::poll(&wait, 1, deadline.poll_timeout_ms()) == 1) {
    socklen_t size = sizeof(errno);
    int failure = 0;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure == 0) return fd;
    errno = failure;
  }
  fd.reset();
  return fd;
}

// Waits for what OpenSSL wants; false when it wants nothing, or the time is over.
bool wait_for_io(SSL* ssl, int result, const Deadline& deadline, bool& silence) {
  const int reason = ::SSL_get_error(ssl, result);
  if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) return false;
  pollfd wait{::SSL_get_fd(ssl), static_cast<int16_t>(reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
  silence = ::poll(&wait, 1, deadline.poll_timeout_ms()) != 1;
  return !silence;
}

}  // namespace

HttpsClient::HttpsClient(const Target& target, std::chrono::milliseconds patience)
    : context_(::SSL_CTX_new(::TLS_client_method())) {
  const Deadline deadline = Deadline::after(patience);
  ::SSL_CTX_load_verify_locations(context_.get(), target.ca_file.c_str(), nullptr);
  ::SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  // A FIN without close_notify is told apart below, by whether the answer was complete.
  ::SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  socket_ = connect_to(target, deadline);
  if (!socket_) {
    error_ = std::strerror(errno);
    return;
  }
  // Else a request waits for the server's late ACK of the handshake's end, some 40 ms.
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ssl_.reset(::SSL_new(context_.get()));
  ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), target.address.c_str());
  ::SSL_set_fd(ssl_.get(), socket_.get());
  bool silence = false;
  while (true) {
    ::ERR_clear_error();
    const int result = ::SSL_connect(ssl_.get());
    if (result == 1) return;
    if (wait_for_io(ssl_.get(), result, deadline, silence)) continue;
    const long verdict = ::SSL_get_verify_result(ssl_.get());
    error_ = silence ? "silence" : verdict != X509_V_OK ? ::X509_verify_cert_error_string(verdict) : "no TLS";
    return;
  }
}

bool HttpsClient::send(const std::string& target, const std::string& token, const std::string& method,
                       const std::string& body) {
  const Deadline deadline = Deadline::after(kPatience);
  const std::string authorization = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
  const std::string request = method + " " + target + " HTTP/1.1\r\nHost: kubernetes.default.svc\r\n" + authorization +
                              "User-Agent: double-test\r\nAccept: application/json\r\n" +
                              (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
                              body;
  response_ = {};
  complete_ = false;
  end_ = End::complete;
  bool silence = false;
  while (true) {
    ::ERR_clear_error();
    const int sent = ::SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size()));
    if (sent > 0) return true;
    if (!wait_for_io(ssl_.get(), sent, deadline, silence)) return false;
  }
}

bool HttpsClient::read_more(const Deadline& deadline) {
  bool silence = false;
  while (true) {
    char buffer[16384];
    ::ERR_clear_error();
    const int got = ::SSL_read(ssl_.get(), buffer, sizeof(buffer));
    const int reason = errno;
    if (got > 0) {
      raw_.append(buffer, static_cast<size_t>(got));
      return true;
    }
    if (wait_for_io(ssl_.get(), got, deadline, silence)) continue;
    const bool reset = ::SSL_get_error(ssl_.get(), got) == SSL_ERROR_SYSCALL && reason == ECONNRESET;
    end_ = silence ? End::silence : reset ? End::reset : End::closed;
    return false;
  }
}

// Moves what is whole from raw_ to the body.
void HttpsClient::decode() {
  if (response_.headers.contains("content-length")) {
    const size_t size = std::stoul(response_.headers["content-length"]);
    const size_t taken = std::min(size - response_.body.size(), raw_.size());
    response_.body += raw_.substr(0, taken);
    raw_.erase(0, taken);
    complete_ = response_.body.size() == size;
    return;
  }
  while (!complete_) {
    const size_t line = raw_.find("\r\n");
    if (line == std::string::npos) return;
    const size_t size = std::stoul(raw_.substr(0, line), nullptr, 16);
    if (raw_.size() < line + 2 + size + 2) return;
    response_.body += raw_.substr(line + 2, size);
    raw_.erase(0, line + 2 + size + 2);
    complete_ = size == 0;
  }
}

bool HttpsClient::receive_head(const Deadline& deadline) {
  while (raw_.find("\r\n\r\n") == std::string::npos) {
    if (!read_more(deadline)) return false;
  }
  const size_t end = raw_.find("\r\n\r\n");
  std::istringstream lines(raw_.substr(0, end));
  raw_.erase(0, end + 4);
  std::string line;
  std::getline(lines, line);
  response_.status = std::stoi(line.substr(line.find(' ') + 1));
  while (std::getline(lines, line)) {
    if (line.back() == '\r') line.pop_back();
    std::string name = line.substr(0, line.find(':'));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    response_.headers[name] = line.substr(line.find(':') + 2);
  }
  decode();
  return true;
}

HttpsClient::Response HttpsClient::receive(std::chrono::milliseconds patience) {
  const Deadline deadline = Deadline::after(patience);
  bool more = receive_head(deadline);
  while (more && !complete_) {
    more = read_more(deadline);
    if (more) decode();
  }
  response_.end = complete_ ? End::complete : end_;
  return response_;
}

HttpsClient::Response HttpsClient::get(const std::string& target, const std::string& token) {
  if (!connected() || !send(target, token)) return {};
  return receive();
}

int HttpsClient::receive_status(std::chrono::milliseconds patience) {
  return receive_head(Deadline::after(patience)) ? response_.status : 0;
}

std::optional<std::string> HttpsClient::receive_line(End& end, std::chrono::milliseconds patience) {
  const Deadline deadline = Deadline::after(patience);
  while (true) {
    if (const size_t at = response_.body.find('\n'); at != std::string::npos) {
      const std::string line = response_.body.substr(0, at);
      response_.body.erase(0, at + 1);
      return line;
    }
    if (complete_ || !read_more(deadline)) break;
    decode();
  }
  end = complete_ ? End::complete : end_;
  return std::nullopt;
}

}  // namespace kubernetes_double
