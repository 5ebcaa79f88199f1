// An HTTP server that says what a test wants it to say.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <thread>

#include "src/base/unique_fd.h"

namespace pulse::test {

// Listens on a free port of 127.0.0.1. Each connection has a thread, for a browser opens some that it doesn't use, and
// ends with its first answer.
class HttpStub {
 public:
  // The whole answer to a GET of that path, head and body; nothing: the connection ends without one. Is called on the
  // connections' threads.
  using Answer = std::function<std::optional<std::string>(const std::string& path)>;
  explicit HttpStub(Answer answer);
  HttpStub(const HttpStub&) = delete;
  HttpStub& operator=(const HttpStub&) = delete;
  ~HttpStub();

  uint16_t port() const { return port_; }
  // An answer of 200 with that JSON.
  static std::string json(const std::string& body);

 private:
  struct Connection {
    UniqueFd fd;
    std::thread thread = {};
  };
  void accept_all();
  void serve(int fd) const;

  const Answer answer_;
  const uint16_t port_;
  UniqueFd listener_;
  std::list<Connection> connections_;  // of the accepting thread, until it has ended
  std::thread thread_;
};

}  // namespace pulse::test
