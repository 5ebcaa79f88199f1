// What the HTTP server and those who answer its requests say to each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pulse {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;  // "GET", "POST", ...; a HEAD request comes as GET, and the server leaves the body out
  bool is_head = false;
  std::string path;  // percent-decoded, without the query
  std::string body;
  std::vector<HttpHeader> headers;  // in the order received, values as sent
  std::string remote_address;       // numeric; an IPv4 peer of a dual-stack socket in dotted form
  bool remote_is_loopback = false;  // 127.0.0.0/8 or ::1
  int socket = -1;                  // of the connection, to ask the kernel about; open while the handler runs
  uint64_t token = 0;               // what HttpServer::complete() wants if the handler defers the answer

  // The value of the first header of that name (any case); empty if there is none.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<HttpHeader> headers = {};  // more headers, such as Allow; not Content-Length, not Connection
};

HttpResponse json_response(int status, std::string body);

// {"status":"error","message":MESSAGE}, the form of every error this server answers itself. `message` is put into the
// JSON text as it is: no quotes, backslashes or control characters.
HttpResponse http_error(int status, std::string_view message);

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

}  // namespace pulse
