#include "daemon/http/http_response.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace pulse {

namespace {

// A request line to read from, a string to write to. Newer cpp-httplib has more pure virtual functions than bookworm's
// 0.11; they are declared here too and override nothing there, hence no `override` in this class.
class MemoryStream : public httplib::Stream {
 public:
  MemoryStream(std::string_view request_line, std::string& out) : pieces_{request_line, "\r\n"}, out_(out) {}

  bool is_readable() const { return true; }
  bool is_writable() const { return true; }
  bool wait_readable() const { return true; }
  bool wait_writable() const { return true; }
  time_t duration() const { return 0; }

  ssize_t read(char* target, size_t size) {
    for (std::string_view& piece : pieces_) {
      if (piece.empty()) continue;
      const size_t count = std::min(size, piece.size());
      std::memcpy(target, piece.data(), count);
      piece.remove_prefix(count);
      return static_cast<ssize_t>(count);
    }
    return 0;
  }
  ssize_t write(const char* data, size_t size) {
    out_.append(data, size);
    return static_cast<ssize_t>(size);
  }

  void get_remote_ip_and_port(std::string&, int&) const {}
  void get_local_ip_and_port(std::string&, int&) const {}
  // httplib refuses a number from FD_SETSIZE up; it has no business with the real one.
  socket_t socket() const { return -1; }

 private:
  std::array<std::string_view, 2> pieces_;
  std::string& out_;
};

}  // namespace

class HttpEngine::Server : public httplib::Server {
 public:
  Server() {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      produce(request, response);
      return HandlerResponse::Handled;
    });
    set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) {
        response.set_content(http_error(response.status, "bad request").body, "application/json");
      }
      return HandlerResponse::Handled;
    }));
    set_post_routing_handler([this](const httplib::Request&, httplib::Response& response) {
      response.headers.erase("Keep-Alive");     // names limits of httplib's own loop
      response.headers.erase("Accept-Ranges");  // offered for HEAD, not kept
      response.headers.erase("Connection");
      if (!keep_alive_ || outcome_ == Outcome::refused) {
        response.set_header("Connection", "close");
      } else if (http_1_0_) {
        response.set_header("Connection", "keep-alive");
      }
    });
  }

  Outcome answer(std::string_view request_line, bool http_1_0, bool keep_alive, const Source& source,
                 std::string& out) {
    const size_t before = out.size();
    source_ = &source;
    http_1_0_ = http_1_0;
    keep_alive_ = keep_alive;
    outcome_ = Outcome::refused;
    try {
      MemoryStream stream(request_line, out);
      process(stream);
    } catch (...) {
      out.resize(before);
      throw;
    }
    if (outcome_ == Outcome::deferred) out.resize(before);
    return outcome_;
  }

 private:
  void produce(const httplib::Request& request, httplib::Response& response) {
    std::optional<HttpResponse> made;
    try {
      made = (*source_)(request.method, request.path);
    } catch (...) {
      made = http_error(500, "internal error");
    }
    outcome_ = made ? Outcome::answered : Outcome::deferred;
    response.status = made ? made->status : 200;
    if (!made) return;
    for (const HttpHeader& header : made->headers) response.set_header(header.name, header.value);
    response.set_content(made->body, made->content_type);
  }

  // A template, so that the form this httplib hasn't got isn't looked at.
  template <class Stream>
  void process(Stream& stream) {
    bool closed = false;
    if constexpr (requires { this->process_request(stream, false, closed, nullptr); }) {
      this->process_request(stream, false, closed, nullptr);
    } else {
      this->process_request(stream, std::string(), 0, std::string(), 0, false, closed, nullptr);
    }
  }

  const Source* source_ = nullptr;
  bool http_1_0_ = false;
  bool keep_alive_ = true;
  Outcome outcome_ = Outcome::refused;
};

HttpEngine::HttpEngine() : server_(std::make_unique<Server>()) {}
HttpEngine::~HttpEngine() = default;

HttpEngine::Outcome HttpEngine::answer(std::string_view request_line, bool http_1_0, bool keep_alive,
                                       const Source& source, std::string& out) {
  return server_->answer(request_line, http_1_0, keep_alive, source, out);
}

}  // namespace pulse
