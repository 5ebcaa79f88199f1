#include "daemon/http/http_request.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

constexpr RequestLimits kSmallLimits{200, 50};

struct Case {
  const char* name;
  const char* text;
  int refused;  // 0: a good request, or not a whole one yet
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class HttpRequestTest : public ::testing::TestWithParam<Case> {};

// However a request trickles in, it is read as it is at once.
TEST_P(HttpRequestTest, IsReadTheSameByteByByte) {
  const std::string text = GetParam().text;
  RequestFrame at_once;
  RequestHead expected;
  const Framing framing = frame_request(text, kSmallLimits, at_once, expected);
  EXPECT_EQ(GetParam().refused, expected.refused);
  EXPECT_EQ(GetParam().refused != 0, framing == Framing::refused);

  RequestFrame frame;
  RequestHead head;
  Framing last = Framing::incomplete;
  for (size_t length = 1; length <= text.size() && last == Framing::incomplete; ++length) {
    last = frame_request(std::string_view(text).substr(0, length), kSmallLimits, frame, head);
  }
  EXPECT_EQ(framing, last);
  if (framing != Framing::complete) return;
  EXPECT_EQ(at_once.needed, frame.needed);
  EXPECT_EQ(expected.headers.size(), head.headers.size());
}

INSTANTIATE_TEST_SUITE_P(
    Each, HttpRequestTest,
    ::testing::Values(
        Case{"Plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0}, Case{"NoHeader", "GET / HTTP/1.1\r\n\r\n", 0},
        Case{"Unfinished", "GET / HTTP/1.1\r\nHost: a\r\n", 0},
        Case{"Body", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 0},
        Case{"UnfinishedBody", "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc", 0},
        Case{"TwoSpaces", "GET  / HTTP/1.1\r\n\r\n", 400}, Case{"OneSpace", "GET /\r\n\r\n", 400},
        Case{"ControlInLine", "GET /\x01 HTTP/1.1\r\n\r\n", 400}, Case{"Tls", "\x16\x03\x01", 400},
        Case{"NoColon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400}, Case{"NoName", "GET / HTTP/1.1\r\n: a\r\n\r\n", 400},
        Case{"SpaceInName", "GET / HTTP/1.1\r\nHo st: a\r\n\r\n", 400},
        Case{"Folded", "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", 400},
        Case{"BareLineFeed", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400},
        Case{"TwoLengths", "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
        Case{"SignedLength", "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400},
        Case{"LengthWithMore", "GET / HTTP/1.1\r\nContent-Length: 1a\r\n\r\na", 400},
        Case{"EmptyLength", "GET / HTTP/1.1\r\nContent-Length: \r\n\r\n", 400},
        Case{"LargeBody", "GET / HTTP/1.1\r\nContent-Length: 51\r\n\r\n", 413},
        Case{"LengthBeyondNumbers", "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
        Case{"Chunked", "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
        Case{"LargeHeader",
             "GET "
             "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             "aaa",
             431}),
    [](const auto& each) { return each.param.name; });

TEST(HttpRequestHead, SaysWhetherTheConnectionStays) {
  const auto stays = [](const std::string& version, const std::string& connection) {
    return parse_head("GET / HTTP/" + version + "\r\n" +
                      (connection.empty() ? "" : "Connection: " + connection + "\r\n") + "\r\n")
        .keep_alive;
  };
  EXPECT_TRUE(stays("1.1", ""));
  EXPECT_FALSE(stays("1.0", ""));
  EXPECT_FALSE(stays("1.1", "CLOSE"));
  EXPECT_FALSE(stays("1.1", "keep-alive, close"));
  EXPECT_TRUE(stays("1.0", "x ,\tKeep-Alive"));
  EXPECT_TRUE(stays("1.1", "closed"));
}

TEST(HttpRequestHead, ValuesAreTrimmedAndKeptAsSent) {
  const RequestHead head = parse_head("POST /a HTTP/1.1\r\nX-One: \t a b \r\nExpect: 100-Continue\r\nX-Two:\r\n\r\n");
  ASSERT_EQ(0, head.refused);
  EXPECT_EQ("POST /a HTTP/1.1\r\n", head.request_line);
  ASSERT_EQ(3u, head.headers.size());
  EXPECT_EQ("a b", head.headers[0].value);
  EXPECT_EQ("", head.headers[2].value);
  EXPECT_TRUE(head.expects_continue);
}

}  // namespace
}  // namespace pulse
