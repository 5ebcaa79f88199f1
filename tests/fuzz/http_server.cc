// Any bytes sent to the running HTTP server over a connection of their own: it answers or closes, and goes on. Sent
// again, when their requests are known, they have the same answers.
#include "daemon/http/http_server.h"

#include <sys/socket.h>

#include <thread>

#include "tests/fuzz/fuzz.h"
#include "tests/loopback.h"

using namespace pulse;
using fuzz::expect;

namespace {

std::optional<HttpResponse> echo(const HttpRequest& request) {
  expect(!request.method.empty() && !request.remote_address.empty(), "a request is whole");
  if (request.path == "/throw") throw std::runtime_error("a handler that fails");
  return HttpResponse{200, request.method + " " + request.path + " " + std::to_string(request.body.size())};
}

uint16_t serve() {
  static const auto server = HttpServer::listen("127.0.0.1", 0, HttpLimits{}, echo);
  expect(static_cast<bool>(server), "listens");
  std::thread([] { (*server)->run(); }).detach();
  return (*server)->port();
}

std::string answers_to(const uint8_t* data, size_t size) {
  static const uint16_t port = serve();
  const UniqueFd fd = test::connect_loopback(port, 20);
  expect(static_cast<bool>(fd), "accepts");
  // A reset at the end: ports that wait for their last packet would soon be all there are.
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  bool is_sent = true;
  for (size_t sent = 0; sent < size && is_sent;) {
    const ssize_t count = ::send(fd.get(), data + sent, size - sent, MSG_NOSIGNAL);
    is_sent = count > 0;  // else refused and closed already
    if (is_sent) sent += static_cast<size_t>(count);
  }
  ::shutdown(fd.get(), SHUT_WR);
  std::string answer;
  char buffer[65536];
  ssize_t got = 0;
  while ((got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) answer.append(buffer, static_cast<size_t>(got));
  expect(got == 0 || errno != EAGAIN, "the connection is closed in the end");
  expect(answer.empty() || answer.starts_with("HTTP/1.1 "), "what it says is HTTP");
  return got == 0 && is_sent ? answer : "";
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string first = answers_to(data, size);
  const std::string second = answers_to(data, size);
  expect(first.empty() || second.empty() || first == second, "a known request has the same answer");
  return 0;
}
