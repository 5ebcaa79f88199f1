#include "daemon/http/http_request.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

namespace pulse {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

// Whether a comma-separated list such as the value of Connection has that element.
bool list_has(std::string_view list, std::string_view element) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trim(list.substr(0, comma)), element)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

RequestHead refused_head(int status, const char* reason) {
  RequestHead head;
  head.refused = status;
  head.reason = reason;
  return head;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

RequestHead parse_head(std::string_view text) {
  RequestHead head;
  const size_t first_end = text.find("\r\n");
  head.request_line = text.substr(0, first_end + 2);
  const std::string_view line = text.substr(0, first_end);
  if (std::any_of(line.begin(), line.end(), is_control) || std::count(line.begin(), line.end(), ' ') != 2) {
    return refused_head(400, "malformed request line");
  }
  head.http_1_0 = line.ends_with(" HTTP/1.0");

  bool close = false;
  bool keep = false;
  bool has_length = false;
  head.headers.reserve(8);
  for (text.remove_prefix(first_end + 2); text.size() > 2;) {
    const size_t end = text.find("\r\n");
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(end + 2);
    const size_t colon = field.find(':');
    if (colon == std::string_view::npos || colon == 0) return refused_head(400, "malformed header");
    const std::string_view name = field.substr(0, colon);
    const std::string_view value = trim(field.substr(colon + 1));
    if (!std::all_of(name.begin(), name.end(), is_token_char) || std::any_of(value.begin(), value.end(), is_control)) {
      return refused_head(400, "malformed header");
    }
    if (equal_ignoring_case(name, "Transfer-Encoding")) return refused_head(411, "a body needs Content-Length");
    if (equal_ignoring_case(name, "Content-Length")) {
      const char* const value_end = value.data() + value.size();
      const auto [stop, failure] = std::from_chars(value.data(), value_end, head.content_length);
      if (failure == std::errc::result_out_of_range) return refused_head(413, "body too large");
      if (has_length || failure != std::errc() || stop != value_end)
        return refused_head(400, "malformed Content-Length");
      has_length = true;
    } else if (equal_ignoring_case(name, "Connection")) {
      close = close || list_has(value, "close");
      keep = keep || list_has(value, "keep-alive");
    } else if (equal_ignoring_case(name, "Expect")) {
      head.expects_continue = equal_ignoring_case(value, "100-continue");
    }
    head.headers.push_back({std::string(name), std::string(value)});
  }
  head.keep_alive = !close && (keep || !head.http_1_0);
  return head;
}

Framing frame_request(std::string_view in, const RequestLimits& limits, RequestFrame& frame, RequestHead& head) {
  if (in.size() < frame.needed) return Framing::incomplete;
  const auto refuse = [&head](int status, const char* reason) {
    head = refused_head(status, reason);
    return Framing::refused;
  };
  // Another protocol, such as a TLS client: no use in waiting for more.
  if (!in.empty() && !is_token_char(in.front())) return refuse(400, "malformed request line");
  const size_t from = frame.scanned < 3 ? 0 : frame.scanned - 3;
  const size_t head_end = in.find("\r\n\r\n", from);
  const size_t head_length = head_end == std::string_view::npos ? in.size() : head_end + 4;
  if (head_length > limits.header_bytes) return refuse(431, "header too large");
  if (head_end == std::string_view::npos) {
    frame.scanned = in.size();
    return Framing::incomplete;
  }
  head = parse_head(in.substr(0, head_length));
  if (head.refused != 0) return Framing::refused;
  if (head.content_length > limits.body_bytes) return refuse(413, "body too large");
  frame.scanned = head_end;
  frame.needed = head_length + head.content_length;
  return in.size() >= frame.needed ? Framing::complete : Framing::incomplete;
}

}  // namespace pulse
