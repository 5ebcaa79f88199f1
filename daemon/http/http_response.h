// How a request is understood and an answer is written: cpp-httplib, without its sockets, threads and routes. It gets
// the request line alone: what it would do for headers isn't wanted from strangers (Range goes through std::regex,
// Accept-Encoding through a compressor, Content-Length into another read).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/message.h"

namespace pulse {

class HttpEngine {
 public:
  // Gives the answer to the request of that method and path, or nothing if it is deferred.
  using Source = std::function<std::optional<HttpResponse>(const std::string& method, const std::string& path)>;

  enum class Outcome { answered, deferred, refused };

  HttpEngine();
  ~HttpEngine();

  // Appends the answer to `out`. `refused` means that httplib didn't like the request line and answered on its own; the
  // connection is to be closed then. `out` is as before if the answer is deferred or something is thrown.
  Outcome answer(std::string_view request_line, bool http_1_0, bool keep_alive, const Source& source, std::string& out);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace pulse
