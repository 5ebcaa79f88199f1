// As much of HTTP/1.1 as the API needs: requests, with a body of known length or none; answers, whole or in chunks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kubernetes_double {

struct Request {
  std::string method;
  std::string target;  // path and query, as sent
  std::string path;
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string parameter(const std::string& name) const;
  // As the API server reads a boolean parameter.
  bool flag(const std::string& name) const;
  std::string header(const std::string& name) const;
};

// Takes one request off the front of `input`. Nothing yet if it isn't complete; `bad` is set if it will never be.
std::optional<Request> take_request(std::string& input, bool& bad);

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

// The bytes of an answer. Bodies of more than 2 KB come in chunks, as Go's server sends them.
std::string to_bytes(const Answer& answer);
// The head of a body that comes in chunks.
std::string chunked_head(const Answer& answer);
std::string chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace kubernetes_double
