// Requests to the Kubernetes API as a pod's service account makes them: HTTPS, the account's CA, its token.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/kubernetes/api_server.h"
#include "daemon/worker/call_watch.h"
#include "src/base/result.h"

namespace pulse {

// A file of the service account without white space at its end.
Result<std::string> read_account_file(const std::string& directory, const std::string& name);

// The namespace to ask about: `configured`, else the service account's own.
Result<std::string> namespace_of(const std::string& configured, const std::string& directory);

struct ApiAnswer {
  int status = 0;                       // 0: no HTTP answer
  std::string error;                    // "" if all of a 200's or 201's body was received
  std::chrono::seconds retry_after{0};  // 0: not said
  bool stopped = false;                 // `receive` wanted no more; `error` is the caller's business then
};

// One connection, kept open between requests; made anew after an error, with the CA file read again. One thread.
class ApiClient {
 public:
  // `calls` bounds the waits and shows in time that an answer is overdue.
  ApiClient(ApiServer server, std::string account_directory, std::shared_ptr<CallWatch> calls);
  ~ApiClient();

  // GETs `path`, with a token read from its file just now. `opened` is called once a 200 has come, then `receive` with
  // each piece of the body until it returns false. The header must come within kAnswerWithin, the whole answer within
  // `whole` after it. `what` begins the text that shows if no answer comes at all.
  ApiAnswer get(const std::string& path, std::chrono::seconds whole, const std::string& what,
                const std::function<void()>& opened, const std::function<bool(std::string_view)>& receive);

  // Sends a request for one object, with that JSON if `body` isn't "", and puts the answer's body, 1 MiB at most, into
  // `received`. The header must come within `within`, the rest within as long again. A write that gets no answer may
  // have been done nevertheless.
  ApiAnswer ask(const std::string& method, const std::string& path, const std::string& body,
                std::chrono::seconds within, const std::string& what, std::string& received);

  // For connecting, TLS and the header.
  static constexpr std::chrono::seconds kAnswerWithin{8};

 private:
  struct Connection;
  struct Request {
    std::string method;
    std::string path;
    std::string body;
    std::chrono::seconds answer_within;
    std::chrono::seconds whole;
    std::string what;
    std::function<void()> opened;
    std::function<bool(std::string_view)> receive;
  };
  ApiAnswer send(const Request& request);
  ApiAnswer attempt(const Request& request, const std::string& token);

  const ApiServer server_;
  const std::string account_;
  size_t connections_ = 0;  // that were begun
  const std::shared_ptr<CallWatch> calls_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace pulse
