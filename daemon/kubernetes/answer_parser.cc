#include "daemon/kubernetes/answer_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <utility>

namespace pulse {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr uint32_t kMostHeader = 32 * 1024;
constexpr size_t kMostPhrase = 64;

std::string_view view(string_view text) { return {text.data(), text.size()}; }

}  // namespace

class AnswerParser::Parser final : public http::basic_parser<false> {
 public:
  Parser(std::function<void(const AnswerHead&)> on_head, std::function<bool(std::string_view)> on_body)
      : on_head_(std::move(on_head)), on_body_(std::move(on_body)) {
    eager(true);
    body_limit(std::numeric_limits<uint64_t>::max());  // "none" refuses what has a length, in 1.74
    header_limit(kMostHeader);
  }
  const AnswerHead& head() const { return head_; }
  bool stopped() const { return stopped_; }

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view reason, int, error_code&) override {
    read_.status = code;
    read_.phrase = view(reason.substr(0, kMostPhrase));
  }
  void on_field_impl(http::field name, string_view, string_view value, error_code&) override {
    if (name == http::field::retry_after) read_.retry_after = view(value);
  }
  void on_header_impl(error_code&) override {
    head_ = read_;
    on_head_(head_);
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view body, error_code& failed) override { return hand_on(body, failed); }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view body, error_code& failed) override { return hand_on(body, failed); }
  void on_finish_impl(error_code&) override {}

  size_t hand_on(string_view body, error_code& failed) {
    if (!on_body_(view(body))) {
      stopped_ = true;
      failed = boost::system::errc::make_error_code(boost::system::errc::operation_canceled);
    }
    return body.size();
  }

  const std::function<void(const AnswerHead&)> on_head_;
  const std::function<bool(std::string_view)> on_body_;
  AnswerHead read_;
  AnswerHead head_;
  bool stopped_ = false;
};

AnswerParser::AnswerParser(std::function<void(const AnswerHead&)> on_head,
                           std::function<bool(std::string_view)> on_body)
    : parser_(std::make_unique<Parser>(std::move(on_head), std::move(on_body))) {}

AnswerParser::~AnswerParser() = default;

const AnswerHead& AnswerParser::head() const { return parser_->head(); }

bool AnswerParser::keeps_connection() const { return parser_->keep_alive() && rest_.empty(); }

AnswerParser::State AnswerParser::feed(std::string_view data) {
  rest_.append(data);
  for (;;) {
    error_code failed;
    const size_t used = parser_->put(boost::asio::buffer(rest_.data(), rest_.size()), failed);
    rest_.erase(0, used);
    if (parser_->stopped()) return State::stopped;
    if (failed == http::error::need_more || (!failed && rest_.empty() && !parser_->is_done())) return State::more;
    if (failed) {
      error_ = failed.message();
      return State::refused;
    }
    if (parser_->is_done()) return State::complete;
  }
}

AnswerParser::State AnswerParser::end() {
  error_code failed;
  if (parser_->got_some()) parser_->put_eof(failed);
  return !failed && parser_->is_done() ? State::complete : State::more;
}

}  // namespace pulse
