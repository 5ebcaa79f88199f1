#include "daemon/discovery/pod_source.h"

#include <malloc.h>

#include <cstdlib>
#include <random>

#include "daemon/discovery/pods.h"
#include "daemon/discovery/reflector.h"
#include "daemon/kubernetes/api_client.h"
#include "daemon/kubernetes/api_server.h"
#include "daemon/kubernetes/line_splitter.h"

namespace pulse {

namespace {

using std::chrono::seconds;

// Pods on a page. One takes 5 to 15 KB of JSON, so a page is about a megabyte.
constexpr int kPageSize = 100;
constexpr size_t kMostPageBytes = 32 << 20;
constexpr size_t kMostLineBytes = 4 << 20;
constexpr seconds kListWithin{30};
// After the end of a watch by its own timeoutSeconds.
constexpr seconds kWatchGrace{5};
// A watch that has been open for that long works, even if nothing has happened.
constexpr seconds kProof{2};
// One that ends sooner, with nothing said, isn't what the API does: it would be opened again and again.
constexpr milliseconds kShortestWatch{500};
// Satellites that are all gone from a list, not one by one in a watch, are more likely a fault: that many lists in a
// row must say so, which takes half a minute. (Cores that are all gone are never believed, whoever says so.)
constexpr int kEmptyLists = 6;

// The reflector of one selector, over its connection.
class Follower {
 public:
  Follower(const Config& config, const PodQuery& query, const SourceLink& link, ApiServer server)
      : config_(config),
        query_(query),
        link_(link),
        url_(server.url()),
        client_(std::move(server), config.discovery.kubernetes.service_account, link.calls),
        random_(std::random_device{}()) {}

  void run() {
    ReflectorStep step;
    while (link_.calls->pause(step.wait)) {
      error_.clear();
      const int64_t began_ns = monotonic_ns();
      ApiOutcome outcome = state_.next == ApiRequest::list ? list() : watch();
      outcome.took = nanoseconds(monotonic_ns() - began_ns);
      if (link_.calls->stopping()) return;
      const bool was_watch = state_.next == ApiRequest::watch;
      step = next_step(state_, outcome, chance());
      if (step.is_failure) {
        link_.status->failed(error_);
      } else if (outcome.kind == ApiOutcome::Kind::done && was_watch) {
        link_.status->good();
      }
      if (!step.is_failure && state_.next == ApiRequest::list && was_watch) link_.status->lapse();
    }
  }

 private:
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  Result<std::string> path() {
    const KubernetesSettings& settings = config_.discovery.kubernetes;
    const auto name_space = namespace_of(settings.name_space, settings.service_account);
    if (!name_space) return name_space.error();
    namespace_ = *name_space;
    return "/api/v1/namespaces/" + percent_encode(namespace_) +
           "/pods?labelSelector=" + percent_encode(query_.selector);
  }

  std::string what(const char* verb) const {
    return std::string(verb) + " pods in namespace " + namespace_ + " (" + query_.selector + ") at " + url_ + ": ";
  }

  ApiOutcome failed(const std::string& begin, const ApiAnswer& answer) {
    // What to do first: the rest may be cut off.
    error_ = begin;
    if (answer.status == 403) error_ += "give its service account list and watch on pods: ";
    if (answer.status == 401)
      error_ += "is " + config_.discovery.kubernetes.service_account + "/token a token of this cluster?: ";
    error_ += answer.error;
    ApiOutcome outcome;
    outcome.kind = answer.status == 410 ? ApiOutcome::Kind::expired : ApiOutcome::Kind::failed;
    outcome.status = answer.status == 200 ? 0 : answer.status;
    outcome.retry_after = answer.retry_after;
    return outcome;
  }

  ApiOutcome unreadable(const std::string& error) {
    error_ = error;
    return {ApiOutcome::Kind::failed, 0, true, {}};
  }

  // What is known is replaced once all pages are in; they are of one state of the cluster.
  ApiOutcome list() {
    const auto base = path();
    if (!base) return unreadable("list pods: " + base.error().text);
    const std::string begin = what("list");
    std::vector<Pod> pods;
    std::string next;
    do {
      std::string body;
      bool too_large = false;
      const std::string page_path =
          *base + "&limit=" + std::to_string(kPageSize) + (next.empty() ? "" : "&continue=" + percent_encode(next));
      const ApiAnswer answer = client_.get(
          page_path, kListWithin, begin, [this] { link_.status->looked(); },
          [&](std::string_view piece) {
            too_large = body.size() + piece.size() > kMostPageBytes;
            if (!too_large) body.append(piece);
            return !too_large;
          });
      if (too_large) return unreadable(begin + "a page is larger than " + std::to_string(kMostPageBytes) + " bytes");
      if (!answer.error.empty()) return failed(begin, answer);
      auto page = parse_pod_page(body);
      if (!page) return unreadable(begin + page.error().text);
      if (!page->next.empty() && page->next == next) return unreadable(begin + "the same page again and again");
      pods.insert(pods.end(), std::make_move_iterator(page->pods.begin()), std::make_move_iterator(page->pods.end()));
      next = page->next;
      resource_version_ = page->resource_version;
      if (link_.calls->stopping()) return {};
    } while (!next.empty());
    if (pods.empty() && pods_.size() > 0 && (query_.is_core || ++empty_lists_ < kEmptyLists)) {
      return unreadable(begin + "an empty list, where " + std::to_string(pods_.size()) + " were: not believed");
    }
    empty_lists_ = 0;
    pods_.replace(pods);
    publish();
    link_.status->hold();
    ::malloc_trim(0);  // pages are large and seldom
    return {};
  }

  ApiOutcome watch() {
    const auto base = path();
    if (!base) return unreadable("watch pods: " + base.error().text);
    const std::string begin = what("watch");
    const seconds span = watch_span(config_.discovery.watch, chance());
    LineSplitter lines(kMostLineBytes);
    std::string problem;
    bool expired = false;
    int code = 0;
    size_t events = 0;
    bool changed = false;
    const int64_t began = monotonic_ns();
    const auto take = [&](std::string_view line) {
      if (line.empty()) return true;
      const auto event = parse_watch_event(line);
      if (!event) {
        problem = event.error().text;
        return false;
      }
      if (event->kind == WatchKind::error) {
        code = event->code;
        expired = code == 410;
        problem = "an ERROR event: " + std::to_string(code) + " " + event->message;
        return false;
      }
      ++events;
      resource_version_ = event->pod.resource_version;
      changed = pods_.apply(*event) || changed;
      works();
      return true;
    };
    const ApiAnswer answer = client_.get(
        *base + "&watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(span.count()) +
            "&resourceVersion=" + percent_encode(resource_version_),
        span + kWatchGrace, begin,
        [&] {
          link_.status->looked();
          // While an earlier failure lasts, an open watch proves nothing yet.
          if (state_.failures == 0) link_.status->hold();
          link_.status->prove_after(kProof);
        },
        [&](std::string_view piece) {
          link_.status->looked();
          const bool taken = lines.feed(piece, take);
          if (changed) publish();
          changed = false;
          if (!taken && problem.empty()) problem = "a line of more than " + std::to_string(kMostLineBytes) + " bytes";
          return taken;
        });
    if (link_.status->take_proof()) works();
    if (answer.stopped) {
      error_ = begin + problem;
      ApiOutcome outcome{expired ? ApiOutcome::Kind::expired : ApiOutcome::Kind::failed, code, code == 0, {}};
      return outcome;
    }
    if (!answer.error.empty()) return failed(begin, answer);
    if (!lines.rest().empty()) return unreadable(begin + "it ended in the middle of an event");
    if (events == 0 && nanoseconds(monotonic_ns() - began) < kShortestWatch) {
      error_ = begin + "it ended at once";
      return {ApiOutcome::Kind::failed, 0, false, {}};
    }
    return {};
  }

  // The watch does what it should.
  void works() {
    if (state_.failures == 0) return;
    prove(state_);
    link_.status->hold();
    link_.status->good();
  }

  void publish() { link_.status->found(pods_.members(static_cast<uint16_t>(config_.discovery.port), query_.is_core)); }

  const Config& config_;
  const PodQuery& query_;
  const SourceLink link_;
  const std::string url_;
  ApiClient client_;
  std::mt19937_64 random_;
  ReflectorState state_;
  PodSet pods_;
  int empty_lists_ = 0;
  std::string namespace_;
  std::string resource_version_;
  std::string error_;  // of the last request
};

}  // namespace

void follow_pods(const Config& config, const PodQuery& query, const SourceLink& link) {
  const auto server = find_api_server(config.discovery.kubernetes.api, std::getenv("KUBERNETES_SERVICE_HOST"),
                                      std::getenv("KUBERNETES_SERVICE_PORT"));
  if (!server) {
    link.status->failed("where is the Kubernetes API? " + server.error().text);
    return;
  }
  Follower(config, query, link, *server).run();
}

}  // namespace pulse
