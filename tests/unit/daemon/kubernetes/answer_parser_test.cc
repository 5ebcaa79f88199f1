#include "daemon/kubernetes/answer_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

struct Read {
  AnswerHead head;
  std::string body;
  AnswerParser::State state = AnswerParser::State::more;
  bool keeps = false;
};

// In pieces of that many bytes; `most` ends it.
Read read(const std::string& text, size_t piece, bool ends = false, size_t most = std::string::npos) {
  Read out;
  int heads = 0;
  AnswerParser parser([&](const AnswerHead& head) { out.head = head, ++heads; },
                      [&](std::string_view data) {
                        out.body += data;
                        return out.body.size() < most;
                      });
  for (size_t at = 0; at < text.size() && out.state == AnswerParser::State::more; at += piece) {
    out.state = parser.feed(std::string_view(text).substr(at, piece));
  }
  if (ends && out.state == AnswerParser::State::more) out.state = parser.end();
  if (out.state == AnswerParser::State::complete) out.keeps = parser.keeps_connection();
  EXPECT_EQ(out.head.status == 0 ? 0 : 1, heads);
  return out;
}

TEST(AnswerParserTest, ReadsALengthInAnyPieces) {
  for (const size_t piece : {1u, 7u, 1000u}) {
    const Read got = read("HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", piece);
    EXPECT_EQ(AnswerParser::State::complete, got.state) << piece;
    EXPECT_EQ(429, got.head.status);
    EXPECT_EQ("Too Many", got.head.phrase);
    EXPECT_EQ("3", got.head.retry_after);
    EXPECT_EQ("hello", got.body);
    EXPECT_TRUE(got.keeps);
  }
}

TEST(AnswerParserTest, WhatComesUnaskedSpoilsTheConnection) {
  const Read got = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", 1000);
  EXPECT_EQ("hello", got.body);
  EXPECT_FALSE(got.keeps);
}

TEST(AnswerParserTest, UndoesChunks) {
  for (const size_t piece : {1u, 3u, 1000u}) {
    const Read got = read(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
        piece);
    EXPECT_EQ(AnswerParser::State::complete, got.state) << piece;
    EXPECT_EQ("hello world", got.body);
    EXPECT_FALSE(got.keeps);
  }
}

TEST(AnswerParserTest, APieceIsHandedOnAtOnce) {
  const Read got = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{\"type\":\"ADDED\"}\n", 1000);
  EXPECT_EQ(AnswerParser::State::more, got.state);
  EXPECT_EQ("{\"type\":\"ADDED\"}\n", got.body) << "a watch's chunk needn't be whole";
}

TEST(AnswerParserTest, WhatEndsTooEarlyIsNotComplete) {
  EXPECT_EQ(AnswerParser::State::more, read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 9, true).state);
  EXPECT_EQ(AnswerParser::State::more,
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 9, true).state);
  EXPECT_EQ(AnswerParser::State::more, read("HTTP/1.1 200", 9, true).state);
  EXPECT_EQ(AnswerParser::State::more, read("", 9, true).state);
  const Read to_the_end = read("HTTP/1.1 200 OK\r\n\r\nhello", 9, true);
  EXPECT_EQ(AnswerParser::State::complete, to_the_end.state);
  EXPECT_EQ("hello", to_the_end.body);
}

TEST(AnswerParserTest, StopsAndRefuses) {
  const Read stopped = read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 1, false, 3);
  EXPECT_EQ(AnswerParser::State::stopped, stopped.state);
  EXPECT_EQ("hel", stopped.body);
  for (const char* text :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    EXPECT_EQ(AnswerParser::State::refused, read(text, 1000).state) << text;
  }
  EXPECT_EQ(AnswerParser::State::refused, read("HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x'), 1000).state);
}

}  // namespace
}  // namespace pulse
