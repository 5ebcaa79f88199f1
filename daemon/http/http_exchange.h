// What goes over the connections of the HTTP server: requests in, answers out, and an end for those that take too long.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/http/connection_table.h"
#include "daemon/http/http_response.h"
#include "daemon/http/known_requests.h"
#include "daemon/http/message.h"
#include "src/base/unique_fd.h"

namespace pulse {

// For the thread of the event loop, but for complete() and counters(). `now` is of monotonic_ns().
class HttpExchange {
 public:
  // `epoll`, which must outlive this object, gets the connections; their events are for on_event().
  HttpExchange(const HttpLimits& limits, HttpHandler handler, int epoll);

  // Takes in a new connection, and answers what it has sent already: then epoll needn't be asked, nor told where the
  // answer is the end. Another one is closed for it where there are too many, or it is closed itself.
  void admit(UniqueFd fd, const sockaddr_storage& from, int64_t now);
  // Takes in that something came, or can be written, by the event's data.
  void on_event(uint64_t data, int64_t now);
  // What is to be done in each turn beside events: answers that were completed, requests that are buffered, deadlines.
  void turn(int64_t now);
  // Until when there is nothing to do without an event, `latest` at most.
  int64_t idle_until(int64_t now, int64_t latest) const;
  // Closes the connection that is worth least: never one whose request is complete but unanswered. False if there is
  // none.
  bool evict();

  // See HttpServer::complete(). Takes effect in the next turn(). Any thread.
  void complete(uint64_t token, HttpResponse response);
  // Any thread.
  HttpCounters counters() const;

 private:
  void take_completions(int64_t now);
  void run_runnable(int64_t now);
  void expire(int64_t now);

  using Step = void (HttpExchange::*)(Connection&, int64_t);
  // Takes that step, and has watched what the connection waits for then. What is thrown is its end.
  void take(Step step, Connection& connection, int64_t now);

  // One connection. Each of these may close it, so that it must not be touched afterwards.
  void advance(Connection& connection, int64_t now);
  void receive(Connection& connection, int64_t now);
  void discard_input(Connection& connection);
  void serve(Connection& connection, int64_t now);
  void flush(Connection& connection, int64_t now);
  void close(Connection& connection);

  // Parts of serve(), which never close.
  bool next_request(Connection& connection, RequestHead& head);
  void answer_known(Connection& connection, KnownRequest& known);
  std::optional<HttpResponse> ask(HttpRequest& request);
  void answer(Connection& connection, RequestHead& head, const HttpResponse* ready);
  void refuse(Connection& connection, int status, const char* reason);
  void render_error(int status, const char* reason, std::string& out);

  static constexpr size_t kReadChunk = 4096;  // one shared buffer: an idle connection owns none

  const HttpLimits limits_;
  const HttpHandler handler_;
  HttpEngine engine_;
  KnownRequests known_;
  ConnectionTable table_;
  uint64_t last_token_ = 0;
  std::unordered_map<uint64_t, Connection*> deferred_;  // by token
  std::string timeout_answer_;
  std::array<char, kReadChunk> chunk_;

  std::mutex completions_mutex_;
  std::vector<std::pair<uint64_t, HttpResponse>> completions_;
  std::atomic<uint64_t> accepted_{0}, requests_{0}, evicted_{0}, cut_{0};
};

}  // namespace pulse
