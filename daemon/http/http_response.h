// How a request line is understood and an answer is written.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/http/message.h"

namespace pulse {

// Gives the answer to the request of that method and path (percent-decoded, without the query), or nothing if it is
// deferred. What it throws becomes a 500.
using AnswerSource = std::function<std::optional<HttpResponse>(const std::string& method, const std::string& path)>;

enum class Answered { now, later, refused };

// Appends the answer to `out`. `refused`: the request line is none that this server knows, so a 400 is the answer and
// the connection is to be closed. `out` is as before if the answer is deferred.
Answered answer_request(std::string_view request_line, bool http_1_0, bool keep_alive, const AnswerSource& source,
                        std::string& out);

struct RequestLine {
  std::string method;
  std::string path;
};

// Reads "METHOD TARGET HTTP/1.x", with or without its CRLF. None if it is malformed, or of an unknown method or
// version.
std::optional<RequestLine> parse_request_line(std::string_view line);

}  // namespace pulse
