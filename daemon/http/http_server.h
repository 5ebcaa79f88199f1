// The probe daemon's HTTP/1.1 server. One thread, one epoll set; no connection can make another one wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/http_request.h"
#include "daemon/http/http_response.h"
#include "src/base/result.h"

namespace pulse {

struct HttpRequest {
  std::string
      method;  // "GET", "POST", ...; a HEAD request arrives as GET, the server leaves the body out of the answer
  bool is_head = false;
  std::string path;  // percent-decoded, without the query
  std::string body;
  std::vector<HttpHeader> headers;  // in the order received, values as sent
  std::string remote_address;       // numeric; an IPv4 peer of a dual-stack socket in dotted form
  bool remote_is_loopback = false;  // 127.0.0.0/8 or ::1
  uint64_t token = 0;               // what HttpServer::complete() wants if the handler defers the answer

  // The value of the first header of that name (any case); empty if there is none.
  std::string_view header(std::string_view name) const;
};

// Answers one request. Runs on the thread of HttpServer::run() and must not block. An empty optional defers the answer:
// someone calls HttpServer::complete() with the request's token later. An exception becomes a 500.
using HttpHandler = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

struct HttpLimits {
  // For a whole request, header and body: from accept for a new connection, else from the request's first byte.
  std::chrono::nanoseconds header_deadline = std::chrono::seconds(1);
  std::chrono::nanoseconds keep_alive_idle = std::chrono::seconds(30);
  // For a whole answer. Not extended by a peer that reads a little.
  std::chrono::nanoseconds write_deadline = std::chrono::seconds(2);
  size_t max_header_bytes = 8 * 1024;  // request line included
  size_t max_body_bytes = 64 * 1024;
  size_t max_connections = 2048;
};

struct HttpCounters {
  uint64_t accepted = 0;
  uint64_t requests = 0;  // complete ones, given to the handler
  uint64_t evicted = 0;   // closed to make room for a new connection
  uint64_t cut = 0;       // closed at a deadline, idle ones included
  uint64_t open = 0;      // connections now
};

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
