#include "tests/kubernetes-double/watch.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <random>

#include "tests/kubernetes-double/status.h"

namespace kubernetes_double {
namespace {

using pulse::Deadline;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Without timeoutSeconds the server chooses between half an hour and an hour (--min-request-timeout).
milliseconds choose_timeout(const std::string& asked) {
  const long given = std::atol(asked.c_str());
  if (given > 0) return seconds(given);
  std::random_device random;
  return seconds(std::uniform_int_distribution<int>(1800, 3600)(random));
}

std::string event_json(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

// A pod without anything, as Go writes it: `null` in places where a pod never has it.
std::string bookmark_object(uint64_t resource_version) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":")" + std::to_string(resource_version) +
         R"(","creationTimestamp":null},"spec":{"containers":null},"status":{}})";
}

class Watch {
 public:
  Watch(Server& server, Connection& connection, const Request& request, const std::string& pod_namespace,
        const Selector& selector)
      : server_(server),
        connection_(connection),
        namespace_(pod_namespace),
        selector_(selector),
        wants_bookmarks_(request.flag("allowWatchBookmarks")),
        end_(Deadline::after(choose_timeout(request.parameter("timeoutSeconds")))),
        bookmarks_seen_(server.bookmarks) {
    schedule_bookmark();
  }

  // From that version; "" and "0": first everything there is.
  bool run(const std::string& version, const std::optional<Fault>& fault);

 private:
  enum class Next { go_on, finish, gone };

  Next start(const std::string& version);
  Next expired(uint64_t wanted);
  Next look_at_faults();
  Next strike(const Fault& fault);
  Next send_changes();
  Next send_bookmarks();
  Next send_event(const std::string& type, const std::string& object);

  bool passes(const PodPtr& pod) const {
    return pod && pod->pod.pod_namespace == namespace_ && selector_.matches(pod->pod.labels);
  }

  // Once in the interval, and two seconds before the end, if that is sooner and still to come (apiserver's
  // cacheWatcher.nextBookmarkTime).
  void schedule_bookmark() {
    const auto interval = server_.options.bookmark_interval;
    const int64_t before_end = end_.monotonic_instant_ns() - std::chrono::nanoseconds(seconds(2)).count();
    int64_t next = Deadline::after(interval).monotonic_instant_ns();
    if (before_end > pulse::monotonic_ns()) next = std::min(next, before_end);
    next_bookmark_ = Deadline::at_monotonic_ns(next);
  }

  Server& server_;
  Connection& connection_;
  const std::string namespace_;
  const Selector& selector_;
  const bool wants_bookmarks_;
  const Deadline end_;
  Deadline next_bookmark_ = Deadline::after(seconds(0));
  uint64_t bookmarks_seen_;
  Store::Position position_;
};

Watch::Next Watch::send_event(const std::string& type, const std::string& object) {
  std::string text = event_json(type, object);
  const auto fault = server_.faults.take(Moment::event, RequestKind::watch);
  if (fault && fault->kind == FaultKind::malformed) text = text.substr(0, text.size() - 3) + "]]\n";
  ++server_.journal.events;
  if (fault && fault->kind == FaultKind::truncated) {
    const std::string bytes = chunk(text);
    connection_.send(std::string_view(bytes).substr(0, bytes.size() / 2));
    connection_.end(Connection::End::cut);
    return Next::gone;
  }
  return connection_.send(chunk(text)) ? Next::go_on : Next::gone;
}

Watch::Next Watch::expired(uint64_t wanted) {
  const Next next = send_event("ERROR", watch_expired(wanted, server_.store.oldest()));
  return next == Next::go_on ? Next::finish : next;
}

Watch::Next Watch::start(const std::string& version) {
  uint64_t from = 0;
  std::from_chars(version.data(), version.data() + version.size(), from);
  if (from == 0) {
    const auto [position, snapshot] = server_.store.end();
    position_ = position;
    for (const PodPtr& pod : snapshot->pods) {
      if (!passes(pod)) continue;
      if (const Next next = send_event("ADDED", with_kind(pod->json)); next != Next::go_on) return next;
    }
    return Next::go_on;
  }
  const auto position = server_.store.after(from);
  if (!position) return expired(from);
  position_ = *position;
  return Next::go_on;
}

Watch::Next Watch::strike(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::hang_watch_silent:
      stay_silent(server_, connection_);
      return Next::gone;
    case FaultKind::reset:
      connection_.end(Connection::End::reset);
      return Next::gone;
    case FaultKind::slow:
      connection_.send_slowly(
          [this, generation = server_.faults.generation()] { return server_.faults.generation() == generation; });
      return Next::go_on;
    case FaultKind::status:
      return expired(position_.resource_version);
    default:
      return Next::go_on;
  }
}

Watch::Next Watch::look_at_faults() {
  const auto fault = server_.faults.take(Moment::open_watch, RequestKind::watch);
  return fault ? strike(*fault) : Next::go_on;
}

// A pod that begins to match is ADDED and one that ceases to is DELETED, with its last matching content and the
// change's version (apiserver's cacheWatcher.convertToWatchEvent).
Watch::Next Watch::send_changes() {
  const auto changes = server_.store.advance(position_);
  if (!changes) return Next::finish;  // too slow a reader
  for (const Change& change : *changes) {
    const bool now = passes(change.now);
    const bool before = passes(change.before);
    if (!now && !before) continue;
    Next next = Next::go_on;
    if (now) {
      next = send_event(before ? "MODIFIED" : "ADDED", with_kind(change.now->json));
    } else {
      Pod last = change.before->pod;
      last.resource_version = change.resource_version;
      next = send_event("DELETED", with_kind(render(last, server_.options.pod_bytes)));
    }
    if (next != Next::go_on) return next;
  }
  return Next::go_on;
}

Watch::Next Watch::send_bookmarks() {
  const uint64_t asked = server_.bookmarks;
  const bool due = next_bookmark_.passed();
  if (due) schedule_bookmark();
  if (!due && asked == bookmarks_seen_) return Next::go_on;
  bookmarks_seen_ = asked;
  return wants_bookmarks_ ? send_event("BOOKMARK", bookmark_object(position_.resource_version)) : Next::go_on;
}

bool Watch::run(const std::string& version, const std::optional<Fault>& fault) {
  if (!connection_.send(chunked_head(Answer{}))) return false;
  Next next = fault ? strike(*fault) : Next::go_on;
  if (next == Next::go_on) next = start(version);
  while (next == Next::go_on) {
    next = look_at_faults();
    if (next == Next::go_on) next = send_changes();
    if (next == Next::go_on) next = send_bookmarks();
    if (next == Next::go_on && end_.passed()) next = Next::finish;
    if (next != Next::go_on) break;
    const bool bookmark_first = next_bookmark_.monotonic_instant_ns() < end_.monotonic_instant_ns();
    if (connection_.wait(bookmark_first ? next_bookmark_ : end_) == Connection::Event::closed) return false;
  }
  return next == Next::finish && connection_.send(kLastChunk);
}

}  // namespace

void stay_silent(Server& server, Connection& connection) {
  const uint64_t generation = server.faults.generation();
  while (server.faults.generation() == generation) {
    if (connection.wait(std::nullopt) == Connection::Event::closed) return;
  }
  connection.end(Connection::End::cut);
}

bool serve_watch(Server& server, Connection& connection, const Request& request, uint64_t number,
                 const std::string& pod_namespace, const Selector& selector, const std::optional<Fault>& fault) {
  const std::string version = request.parameter("resourceVersion");
  uint64_t from = 0;
  const auto [end, failure] = std::from_chars(version.data(), version.data() + version.size(), from);
  if (!version.empty() && (failure != std::errc() || end != version.data() + version.size())) {
    server.journal.answered(number, 400);
    return connection.send(to_bytes(bad_request("resourceVersion: Invalid value: \"" + version + "\"")));
  }
  if (server.options.expired_as_http && from > 0 && !server.store.after(from)) {
    server.journal.answered(number, 410);
    return connection.send(to_bytes(status_answer(
        410, "Expired", "too old resource version: " + version + " (" + std::to_string(server.store.oldest()) + ")")));
  }
  const Counted counted(server.journal.watches_open);
  server.journal.answered(number, 200);
  return Watch(server, connection, request, pod_namespace, selector).run(version, fault);
}

}  // namespace kubernetes_double
