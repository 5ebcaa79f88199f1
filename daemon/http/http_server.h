// The probe daemon's HTTP/1.1 server. One thread, one epoll set; no connection can make another one wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/http/message.h"
#include "src/base/result.h"

namespace pulse {

class HttpServer {
 public:
  // Binds and listens; nothing is accepted before run(). `address` is a numeric IPv4 or IPv6 address; empty or "::"
  // means every address of both families, or 0.0.0.0 where the host has no IPv6. Port 0 takes any free one. The error's
  // code is the errno.
  static Result<std::unique_ptr<HttpServer>> listen(const std::string& address, uint16_t port, const HttpLimits& limits,
                                                    HttpHandler handler);

  // Closes everything. Not while run() is running.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port listened on, as chosen by the kernel for port 0.
  uint16_t port() const;

  // Serves until stop(). To be called once.
  void run();

  // Makes run() return, within 100 ms given a handler that doesn't block. Any thread; async-signal-safe.
  // An answer that was completed before stop() is still written if the socket takes it at once.
  void stop();

  // Answers a deferred request. Any thread, and even from inside the handler. A token whose client has gone, or that
  // was answered already, is ignored.
  void complete(uint64_t token, HttpResponse response);

  // Any thread.
  HttpCounters counters() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pulse
