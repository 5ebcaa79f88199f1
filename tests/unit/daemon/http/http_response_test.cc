#include "daemon/http/http_response.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace pulse {
namespace {

std::string path_of(const std::string& target) {
  const auto line = parse_request_line("GET " + target + " HTTP/1.1\r\n");
  return line ? line->path : "none";
}

TEST(HttpRequestLine, HasAMethodAndAPath) {
  const auto line = parse_request_line("POST /a HTTP/1.0\r\n");
  ASSERT_TRUE(line);
  EXPECT_EQ("POST", line->method);
  EXPECT_EQ("/a", line->path);
  EXPECT_EQ("/a/b", path_of("/a/b?c=/d#e"));
  EXPECT_EQ("/a b%", path_of("/a%20b%"));
  EXPECT_EQ("/%zz%4", path_of("/%zz%4"));
  EXPECT_EQ("/", path_of("/#x?y"));
}

TEST(HttpRequestLine, OfAnotherProtocolIsNone) {
  for (const char* line : {"", "GET", "GET /", "GET / HTTP/2.0", "GET / http/1.1", "BREW / HTTP/1.1", "get / HTTP/1.1",
                           "GET  HTTP/1.1", "GET a b HTTP/1.1"}) {
    EXPECT_FALSE(parse_request_line(line)) << line;
  }
}

TEST(HttpAnswer, IsWrittenWithItsLength) {
  std::string out = "before ";
  const HttpResponse made{405, "{}\n", "application/json", {{"Allow", "GET"}, {"X", "a\r\nSet-Cookie: b"}}};
  const auto source = [&](const std::string&, const std::string&) { return std::optional(made); };
  EXPECT_EQ(Answered::now, answer_request("GET / HTTP/1.1\r\n", false, true, source, out));
  EXPECT_EQ(
      "before HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 3\r\nContent-Type: application/json\r\nAllow: GET\r\n"
      "\r\n{}\n",
      out);
  out.clear();
  answer_request("HEAD / HTTP/1.0\r\n", true, true, source, out);
  EXPECT_TRUE(out.ends_with("Connection: keep-alive\r\n\r\n")) << out;
  out.clear();
  answer_request("GET / HTTP/1.1\r\n", false, false, source, out);
  EXPECT_NE(std::string::npos, out.find("Connection: close\r\n"));
}

TEST(HttpAnswer, IsLaterRefusedOrAnInternalError) {
  std::string out = "before";
  const auto later = [](const std::string&, const std::string&) { return std::optional<HttpResponse>(); };
  EXPECT_EQ(Answered::later, answer_request("GET / HTTP/1.1\r\n", false, true, later, out));
  EXPECT_EQ("before", out);
  out.clear();
  EXPECT_EQ(Answered::refused, answer_request("BREW / HTTP/1.1\r\n", false, true, later, out));
  EXPECT_TRUE(out.starts_with("HTTP/1.1 400 Bad Request\r\n")) << out;
  EXPECT_NE(std::string::npos, out.find("Connection: close\r\n"));
  out.clear();
  const auto throws = [](const std::string&, const std::string&) -> std::optional<HttpResponse> {
    throw std::runtime_error("no");
  };
  EXPECT_EQ(Answered::now, answer_request("GET / HTTP/1.1\r\n", false, true, throws, out));
  EXPECT_TRUE(out.starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << out;
}

}  // namespace
}  // namespace pulse
