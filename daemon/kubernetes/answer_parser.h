// Reads an HTTP/1.1 answer as it comes: Boost.Beast's parser, without its sockets and buffers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace pulse {

struct AnswerHead {
  int status = 0;  // 0: hasn't come yet
  std::string phrase;
  std::string retry_after;  // of that header; ""
};

class AnswerParser {
 public:
  enum class State {
    more,      // is to come
    complete,  // all of it was handed on
    stopped,   // `on_body` wanted no more
    refused,   // it is no HTTP: see error()
  };

  // `on_head` is called once the header is there, then `on_body` with each piece of the body, chunks undone, until it
  // returns false.
  AnswerParser(std::function<void(const AnswerHead&)> on_head, std::function<bool(std::string_view)> on_body);
  ~AnswerParser();

  // Takes in what came next.
  State feed(std::string_view data);
  // The peer has ended its sending.
  State end();

  const AnswerHead& head() const;
  const std::string& error() const { return error_; }
  // Whether the connection is good for another request. Of a complete answer.
  bool keeps_connection() const;

 private:
  class Parser;

  std::unique_ptr<Parser> parser_;
  std::string rest_;
  std::string error_;
};

}  // namespace pulse
