#include "daemon/http/http_response.h"

#include <algorithm>
#include <array>

namespace pulse {

namespace {

constexpr std::array<std::string_view, 9> kMethods = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                      "CONNECT", "OPTIONS", "TRACE", "PATCH"};

struct StatusName {
  int status;
  std::string_view name;
};
constexpr StatusName kStatusNames[] = {
    {200, "OK"},
    {202, "Accepted"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Payload Too Large"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

std::string_view name_of(int status) {
  const auto* const found = std::find_if(std::begin(kStatusNames), std::end(kStatusNames),
                                         [status](const StatusName& known) { return known.status == status; });
  return found == std::end(kStatusNames) ? "Unknown" : found->name;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A "%" that begins no escape stands for itself.
std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    decoded += escape ? static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return decoded;
}

// A header that holds the end of a line would begin another one.
void append_header(std::string_view name, std::string_view value, std::string& out) {
  if (name.find_first_of("\r\n") != std::string_view::npos || value.find_first_of("\r\n") != std::string_view::npos) {
    return;
  }
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_response(const HttpResponse& response, bool is_head, std::string_view connection, std::string& out) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(name_of(response.status));
  out.append("\r\n");
  append_header("Content-Length", std::to_string(response.body.size()), out);
  append_header("Content-Type", response.content_type, out);
  for (const HttpHeader& header : response.headers) append_header(header.name, header.value, out);
  if (!connection.empty()) append_header("Connection", connection, out);
  out.append("\r\n");
  if (!is_head) out.append(response.body);
}

}  // namespace

std::optional<RequestLine> parse_request_line(std::string_view line) {
  if (line.ends_with("\r\n")) line.remove_suffix(2);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) return std::nullopt;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
  if (target.empty() || target.find(' ') != std::string_view::npos) return std::nullopt;
  return RequestLine{std::string(method), percent_decode(target.substr(0, target.find_first_of("?#")))};
}

Answered answer_request(std::string_view request_line, bool http_1_0, bool keep_alive, const AnswerSource& source,
                        std::string& out) {
  const auto line = parse_request_line(request_line);
  if (!line) {
    append_response(http_error(400, "bad request"), false, "close", out);
    return Answered::refused;
  }
  std::optional<HttpResponse> made;
  try {
    made = source(line->method, line->path);
  } catch (...) {
    made = http_error(500, "internal error");
  }
  if (!made) return Answered::later;
  append_response(*made, line->method == "HEAD", !keep_alive ? "close" : http_1_0 ? "keep-alive" : "", out);
  return Answered::now;
}

}  // namespace pulse
