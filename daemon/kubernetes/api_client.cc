#include "daemon/kubernetes/api_client.h"

#include <fcntl.h>
#include <httplib.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "daemon/dns/name_lookup.h"
#include "daemon/kubernetes/api_json.h"
#include "daemon/worker/stop_signal.h"
#include "src/base/file.h"
#include "src/base/number.h"
#include "src/base/unique_fd.h"

namespace pulse {

namespace {

constexpr std::chrono::seconds kConnectWithin{5};
constexpr size_t kMostAccountFile = 256 * 1024;
constexpr size_t kMostErrorBody = 64 * 1024;
constexpr size_t kMostObject = 1 << 20;

// A connection that has died without a word is noticed within half a minute, not only when the watch is due to end.
void set_keepalive(int socket) {
  const auto set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
}

// cpp-httplib says only that connecting failed. Connected once more, the system says why.
std::string why_not_connected(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list); error != 0) {
    return "connect: " + address + ": " + ::gai_strerror(error);
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  const UniqueFd fd(::socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::string("socket: ") + std::strerror(errno);
  if (::connect(fd.get(), list->ai_addr, list->ai_addrlen) == 0) return "can't connect";
  if (errno != EINPROGRESS) return std::string("connect: ") + std::strerror(errno);
  pollfd event{fd.get(), POLLOUT, 0};
  if (::poll(&event, 1, 1000) == 0) return "connect: no answer";
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error == 0 ? "can't connect" : std::string("connect: ") + std::strerror(error);
}

// Of the first error: later ones come from tidying up after it.
std::string openssl_reason() {
  const unsigned long error = ::ERR_peek_error();
  const char* reason =
      error == 0 || ERR_GET_REASON(error) == SSL_R_SHUTDOWN_WHILE_IN_INIT ? nullptr : ::ERR_reason_error_string(error);
  return reason == nullptr ? "" : reason;
}

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
  // Connects to `address`; the certificate must be for the server's name.
  Connection(const ApiServer& server, std::string numeric)
      : client(server.host, server.port), address(std::move(numeric)) {
    if (address != server.host) client.set_hostname_addr_map({{server.host, address}});
  }
  httplib::SSLClient client;
  const std::string address;
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
  if (std::any_of(token->begin(), token->end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; })) {
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

ApiAnswer ApiClient::attempt(const Request& request, const std::string& token) {
  ApiAnswer answer;
  const std::string silent = "no answer within " + seconds_text(request.answer_within);
  const std::string slow = "not complete within " + seconds_text(request.whole);
  calls_->expect(request.what + silent, request.answer_within);
  if (!connection_) {
    const std::string ca = account_ + "/ca.crt";
    const UniqueFd readable(::open(ca.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!readable) {
      answer.error = "read " + ca + ": " + std::strerror(errno);
      return answer;
    }
    const StopSignal stop(*calls_);
    const NameAnswer found = look_up(server_.host, Deadline::after(kConnectWithin), stop.fd());
    if (found.kind != NameAnswer::Kind::addresses) {
      answer.error = found.error;
      return answer;
    }
    // Another one each time, should the name have one that doesn't answer.
    const auto turn = static_cast<ptrdiff_t>(connections_++ % found.addresses.size());
    connection_ = std::make_unique<Connection>(server_, *std::next(found.addresses.begin(), turn));
    httplib::SSLClient& client = connection_->client;
    client.set_ca_cert_path(ca);
    client.enable_server_certificate_verification(true);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_url_encode(false);  // paths come encoded
    client.set_connection_timeout(kConnectWithin.count());
    client.set_socket_options([calls = calls_](socket_t socket) {
      set_keepalive(socket);
      calls->expect_on(socket);
    });
  }
  httplib::SSLClient& client = connection_->client;
  client.set_read_timeout((std::max(request.whole, request.answer_within) + std::chrono::seconds(5)).count());
  client.set_write_timeout(kConnectWithin.count());
  ::ERR_clear_error();

  const httplib::Headers headers = {{"Authorization", "Bearer " + token},
                                    {"Accept", "application/json"},
                                    {"Accept-Encoding", "identity"},
                                    {"User-Agent", "proxysql-pulsed/" PULSE_VERSION}};
  std::string error_body;
  std::string phrase;
  const auto on_header = [&](const httplib::Response& response) {
    answer.status = response.status;
    phrase = response.reason.substr(0, 64);
    const std::string after = response.get_header_value("Retry-After");
    // The API gives seconds; what else HTTP allows there, a date, is none.
    if (const auto seconds = to_number<unsigned>(after)) {
      answer.retry_after = std::chrono::seconds(std::min(*seconds, 86'400U));
    }
    calls_->expect(request.what + slow, request.whole);
    if (is_good(answer.status)) request.opened();
    return true;
  };
  const auto on_body = [&](const char* data, size_t length, uint64_t, uint64_t) {
    if (is_good(answer.status)) {
      answer.stopped = !request.receive({data, length});
      return !answer.stopped;
    }
    error_body.append(data, std::min(length, kMostErrorBody - error_body.size()));
    return error_body.size() < kMostErrorBody;
  };
  const int64_t began = monotonic_ns();
  httplib::Error failure = httplib::Error::Unknown;
  std::string thrown;
  try {
    httplib::Request sent;
    sent.method = request.method;
    sent.path = request.path;
    sent.headers = headers;
    sent.body = request.body;
    if (!request.body.empty()) sent.set_header("Content-Type", "application/json");
    sent.response_handler = on_header;
    sent.content_receiver = on_body;
    failure = client.send(sent).error();
  } catch (const std::exception& exception) {
    thrown = exception.what();
  }
  const bool whole_answer = failure == httplib::Error::Success;
  connection_->used = whole_answer;
  if (whole_answer && is_good(answer.status)) return answer;

  if (answer.status != 0 && !is_good(answer.status)) {
    const std::string message = parse_status_message(error_body);
    answer.error =
        std::to_string(answer.status) + (phrase.empty() ? "" : " " + phrase) + (message.empty() ? "" : ": " + message);
  } else if (calls_->was_cut()) {
    answer.error = answer.status == 0 ? silent : slow;
  } else if (!thrown.empty()) {
    answer.error = thrown;
  } else if (failure == httplib::Error::Connection || failure == httplib::Error::ConnectionTimeout) {
    answer.error = failure == httplib::Error::ConnectionTimeout
                       ? "connect: no answer within " + seconds_text(kConnectWithin)
                       : why_not_connected(connection_->address, server_.port);
  } else if (failure == httplib::Error::SSLConnection) {
    const std::string reason = openssl_reason();
    const bool late = nanoseconds(monotonic_ns() - began) >= kConnectWithin;
    answer.error = "TLS: " + (late              ? "no answer within " + seconds_text(kConnectWithin)
                              : !reason.empty() ? reason
                                                : "the server closed the connection");
  } else if (failure == httplib::Error::SSLLoadingCerts) {
    const std::string reason = openssl_reason();
    answer.error = "TLS: " + account_ + "/ca.crt holds no certificate" + (reason.empty() ? "" : ": " + reason);
  } else if (const std::string name = httplib::to_string(failure); name.rfind("SSLServer", 0) == 0) {
    const long verified = client.get_openssl_verify_result();
    answer.error = "TLS: the server's certificate is not accepted: ";
    answer.error += verified != X509_V_OK ? ::X509_verify_cert_error_string(verified) : "it is not for " + server_.host;
  } else if (failure == httplib::Error::Read || failure == httplib::Error::Write) {
    answer.error = answer.status == 0 ? "the connection was closed before an answer came"
                                      : "the answer ended before it was complete";
  } else {
    answer.error = httplib::to_string(failure);
  }
  if (!whole_answer) connection_.reset();
  return answer;
}

}  // namespace pulse
