#include "tests/integration/http_stub.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <utility>

#include "tests/loopback.h"

namespace pulse::test {

HttpStub::HttpStub(Answer answer)
    : answer_(std::move(answer)), port_(free_port()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback_address(port_);
  const bool listens = ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(listener_.get(), 16) == 0;
  EXPECT_TRUE(listens) << "port " << port_;
  thread_ = std::thread(&HttpStub::accept_all, this);
}

HttpStub::~HttpStub() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept()
  thread_.join();
  for (Connection& connection : connections_) {
    ::shutdown(connection.fd.get(), SHUT_RDWR);
    connection.thread.join();
  }
}

std::string HttpStub::json(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

void HttpStub::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    Connection& connection = connections_.emplace_back(Connection{std::move(fd)});
    connection.thread = std::thread(&HttpStub::serve, this, connection.fd.get());
  }
}

void HttpStub::serve(int fd) const {
  std::string request;
  char buffer[4096];
  ssize_t got = 0;
  while (request.find("\r\n\r\n") == std::string::npos && (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0) {
    request.append(buffer, static_cast<size_t>(got));
  }
  const size_t begin = request.find(' ');
  if (begin != std::string::npos) {
    const auto answer = answer_(request.substr(begin + 1, request.find(' ', begin + 1) - begin - 1));
    if (answer) static_cast<void>(::send(fd, answer->data(), answer->size(), MSG_NOSIGNAL));
  }
  ::shutdown(fd, SHUT_RDWR);
}

}  // namespace pulse::test
