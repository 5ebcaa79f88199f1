#include "daemon/kubernetes/api_client.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/kubernetes/answer_parser.h"
#include "daemon/kubernetes/api_json.h"
#include "daemon/kubernetes/tls_stream.h"
#include "src/base/file.h"
#include "src/base/host_port.h"
#include "src/base/number.h"

namespace pulse {

namespace {

constexpr std::chrono::seconds kWriteWithin{5};
constexpr size_t kMostAccountFile = 256 * 1024;
constexpr size_t kMostErrorBody = 64 * 1024;
constexpr size_t kMostObject = 1 << 20;

bool is_good(int status) { return status == 200 || status == 201; }

std::string seconds_text(std::chrono::seconds span) { return std::to_string(span.count()) + " s"; }

}  // namespace

Result<std::string> read_account_file(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  auto text = read_text_at_once(path, kMostAccountFile);
  if (!text) return Error{"read " + text.error().text, text.error().code};
  while (!text->empty() && static_cast<unsigned char>(text->back()) <= ' ') text->pop_back();
  if (text->empty()) return Error{path + " is empty", ENODATA};
  return text;
}

Result<std::string> namespace_of(const std::string& configured, const std::string& directory) {
  if (!configured.empty()) return configured;
  auto own = read_account_file(directory, "namespace");
  if (!own) return Error{own.error().text + "; set pulse.discovery.kubernetes.namespace", own.error().code};
  return own;
}

struct ApiClient::Connection {
  std::unique_ptr<TlsStream> stream;
  bool used = false;  // a request has gone through on it
};

ApiClient::ApiClient(ApiServer server, std::string account_directory, std::shared_ptr<CallWatch> calls)
    : server_(std::move(server)), account_(std::move(account_directory)), calls_(std::move(calls)) {}

ApiClient::~ApiClient() = default;

ApiAnswer ApiClient::get(const std::string& path, std::chrono::seconds whole, const std::string& what,
                         const std::function<void()>& opened, const std::function<bool(std::string_view)>& receive) {
  return send({"GET", path, "", kAnswerWithin, whole, what, opened, receive});
}

ApiAnswer ApiClient::ask(const std::string& method, const std::string& path, const std::string& body,
                         std::chrono::seconds within, const std::string& what, std::string& received) {
  received.clear();
  bool too_large = false;
  ApiAnswer answer = send({method, path, body, within, within, what, [] {},
                           [&](std::string_view piece) {
                             too_large = received.size() + piece.size() > kMostObject;
                             if (!too_large) received.append(piece);
                             return !too_large;
                           }});
  if (too_large) answer.error = "the answer is larger than " + std::to_string(kMostObject) + " bytes";
  return answer;
}

ApiAnswer ApiClient::send(const Request& request) {
  const auto token = read_account_file(account_, "token");
  ApiAnswer answer;
  if (!token) {
    answer.error = token.error().text;
    return answer;
  }
  if (std::any_of(token->begin(), token->end(), [](char c) { return c <= ' ' || c == 0x7f; })) {
    answer.error = account_ + "/token is not a token";
    return answer;
  }
  const bool reused = connection_ && connection_->used;
  answer = attempt(request, *token);
  // A connection that was kept may have been closed by the server just before: that is no failure of its own.
  if (reused && answer.status == 0 && !calls_->was_cut()) {
    answer = attempt(request, *token);
  }
  calls_->nothing_due();
  return answer;
}

std::string ApiClient::head_of(const Request& request, const std::string& token) const {
  std::string head =
      request.method + " " + request.path + " HTTP/1.1\r\nHost: " + host_port_text(server_.host, server_.port) +
      "\r\nAuthorization: Bearer " + token +
      "\r\nAccept: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: proxysql-pulsed/" PULSE_VERSION "\r\n";
  if (!request.body.empty()) {
    head += "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return head + "\r\n";
}

// Sends the request and receives the whole answer. "" if that went well.
std::string ApiClient::converse(const Request& request, const std::string& token, AnswerParser& parser) {
  if (!connection_) {
    auto stream = TlsStream::connect(server_, account_ + "/ca.crt", *calls_);
    if (!stream) return stream.error().text;
    connection_ = std::make_unique<Connection>();
    connection_->stream = std::move(*stream);
  }
  TlsStream& stream = *connection_->stream;
  const auto broken = [&parser] {
    return parser.head().status == 0 ? "the connection was closed before an answer came"
                                     : "the answer ended before it was complete";
  };
  if (!stream.write(head_of(request, token) + request.body, Deadline::after(kWriteWithin))) return broken();
  // `calls_` cuts the connection in time; this is for the case that nobody watches.
  const Deadline deadline = Deadline::after(request.answer_within + request.whole + std::chrono::seconds(5));
  for (std::array<char, 16 * 1024> piece;;) {
    const auto count = stream.read(piece.data(), piece.size(), deadline);
    if (!count) return broken();
    switch (*count == 0 ? parser.end() : parser.feed({piece.data(), *count})) {
      case AnswerParser::State::complete:
        return "";
      case AnswerParser::State::stopped:
        return "stopped";
      case AnswerParser::State::refused:
        return "the answer is not HTTP: " + parser.error();
      case AnswerParser::State::more:
        if (*count == 0) return broken();
    }
  }
}

ApiAnswer ApiClient::attempt(const Request& request, const std::string& token) {
  ApiAnswer answer;
  const std::string silent = "no answer within " + seconds_text(request.answer_within);
  const std::string slow = "not complete within " + seconds_text(request.whole);
  calls_->expect(request.what + silent, request.answer_within);
  std::string error_body;
  AnswerParser parser(
      [&](const AnswerHead& head) {
        answer.status = head.status;
        // The API gives seconds; what else HTTP allows there, a date, is none.
        if (const auto seconds = to_number<unsigned>(head.retry_after)) {
          answer.retry_after = std::chrono::seconds(std::min(*seconds, 86'400U));
        }
        calls_->expect(request.what + slow, request.whole);
        if (is_good(answer.status)) request.opened();
      },
      [&](std::string_view data) {
        if (is_good(answer.status)) {
          answer.stopped = !request.receive(data);
          return !answer.stopped;
        }
        error_body.append(data.substr(0, kMostErrorBody - error_body.size()));
        return error_body.size() < kMostErrorBody;
      });
  const std::string failure = converse(request, token, parser);
  const bool whole_answer = failure.empty();
  const std::string phrase = parser.head().phrase;
  if (connection_) connection_->used = whole_answer;
  if (!whole_answer || !parser.keeps_connection()) connection_.reset();
  if (whole_answer && is_good(answer.status)) return answer;

  if (answer.status != 0 && !is_good(answer.status)) {
    const std::string message = parse_status_message(error_body);
    answer.error =
        std::to_string(answer.status) + (phrase.empty() ? "" : " " + phrase) + (message.empty() ? "" : ": " + message);
  } else if (calls_->was_cut()) {
    answer.error = answer.status == 0 ? silent : slow;
  } else {
    answer.error = failure;
  }
  return answer;
}

}  // namespace pulse
