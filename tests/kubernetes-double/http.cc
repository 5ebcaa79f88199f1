#include "tests/kubernetes-double/http.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include "tests/kubernetes-double/base64.h"

namespace kubernetes_double {
namespace {

constexpr size_t kLargestHead = 64 * 1024;
constexpr size_t kLargestBody = 1 << 20;
constexpr size_t kWholeBody = 2048;
constexpr size_t kChunk = 32 * 1024;

std::string decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0) {
      decoded += static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Internal Server Error";
  }
}

std::string head(const Answer& answer, const std::string& framing) {
  const time_t now = std::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  char date[64];
  std::strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " + reason(answer.status) + "\r\n" +
                     "Audit-Id: " + random_uuid() +
                     "\r\nCache-Control: no-cache, private\r\nContent-Type: " + answer.content_type + "\r\n";
  for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\r\n";
  return text + "Date: " + date + "\r\n" + framing + "\r\n\r\n";
}

}  // namespace

std::string Request::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

bool Request::flag(const std::string& name) const {
  const auto found = query.find(name);
  return found != query.end() && found->second != "0" && lower(found->second) != "false";
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::optional<Request> take_request(std::string& input, bool& bad) {
  const size_t end = input.find("\r\n\r\n");
  bad = end == std::string::npos && input.size() > kLargestHead;
  if (end == std::string::npos) return std::nullopt;
  std::istringstream lines(input.substr(0, end));

  Request request;
  std::string line, version;
  std::getline(lines, line);
  std::istringstream words(line);
  bad = !(words >> request.method >> request.target >> version) || version != "HTTP/1.1";
  while (std::getline(lines, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    request.headers[lower(line.substr(0, colon))] = value == std::string::npos ? "" : line.substr(value);
  }
  size_t length = 0;
  if (const std::string text = request.header("content-length"); !text.empty()) {
    const auto [last, failure] = std::from_chars(text.data(), text.data() + text.size(), length);
    bad = bad || failure != std::errc() || last != text.data() + text.size() || length > kLargestBody;
  }
  if (!bad && input.size() < end + 4 + length) return std::nullopt;
  request.body = input.substr(end + 4, bad ? 0 : length);
  input.erase(0, end + 4 + request.body.size());
  const size_t question = request.target.find('?');
  request.path = decode(request.target.substr(0, question));
  if (question != std::string::npos) {
    std::istringstream pairs(request.target.substr(question + 1));
    for (std::string pair; std::getline(pairs, pair, '&');) {
      const size_t equals = pair.find('=');
      request.query[decode(pair.substr(0, equals))] =
          equals == std::string::npos ? "" : decode(pair.substr(equals + 1));
    }
  }
  return request;
}

std::string to_bytes(const Answer& answer) {
  if (answer.body.size() <= kWholeBody) {
    return head(answer, "Content-Length: " + std::to_string(answer.body.size())) + answer.body;
  }
  std::string bytes = chunked_head(answer);
  for (size_t at = 0; at < answer.body.size(); at += kChunk) {
    bytes += chunk(std::string_view(answer.body).substr(at, kChunk));
  }
  return bytes.append(kLastChunk);
}

std::string chunked_head(const Answer& answer) { return head(answer, "Transfer-Encoding: chunked"); }

std::string chunk(std::string_view bytes) {
  char size[32];
  std::snprintf(size, sizeof(size), "%zx\r\n", bytes.size());
  return std::string(size).append(bytes).append("\r\n");
}

}  // namespace kubernetes_double
