#include "daemon/discovery/revision_source.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "daemon/kubernetes/api_client.h"
#include "daemon/kubernetes/api_server.h"

namespace pulse {

namespace {

using std::chrono::seconds;

// Of one request: its header, and as long again for the rest.
constexpr seconds kServerAnswersWithin{2};
constexpr nanoseconds kAgainAfter = seconds(30);
constexpr nanoseconds kFirstRetry = seconds(2);
constexpr nanoseconds kBetweenRounds = seconds(1);
// Two are usual, three after a rollout within a rollout.
constexpr size_t kMostObjects = 32;

}  // namespace

struct RevisionSource::Shared {
  Shared(std::shared_ptr<const Config> its_config, std::shared_ptr<Wakeup> its_news)
      : config(std::move(its_config)), news(std::move(its_news)) {}

  const std::shared_ptr<const Config> config;
  const std::shared_ptr<Wakeup> news;
  Wakeup work;
  const std::shared_ptr<CallWatch> calls = std::make_shared<CallWatch>();

  mutable std::mutex mutex;
  std::vector<RevisionObject> objects;  // wanted
  uint64_t asked = 0;                   // calls of ask()
  uint64_t answered = 0;                // of them
  bool at_once = false;
  uint64_t changes = 0;
  KnownRevisions known;
};

namespace {

// What one request says.
struct Reading {
  Result<TemplateRevision> revision = Error{""};
  int status = 0;
};

// The requests of the thread, over one connection.
class Reader {
 public:
  Reader(const Config& config, std::shared_ptr<CallWatch> calls) : config_(config), calls_(std::move(calls)) {}

  Reading read(const RevisionObject& object) {
    const KubernetesSettings& settings = config_.discovery.kubernetes;
    const std::string what = "get " + object.resource + "/" + object.name + ": ";
    if (!client_) {
      auto server =
          find_api_server(settings.api, std::getenv("KUBERNETES_SERVICE_HOST"), std::getenv("KUBERNETES_SERVICE_PORT"));
      if (!server) return {Error{"where is the Kubernetes API? " + server.error().text}, 0};
      client_ = std::make_unique<ApiClient>(std::move(*server), settings.service_account, calls_);
    }
    const auto name_space = namespace_of(settings.name_space, settings.service_account);
    if (!name_space) return {name_space.error(), 0};
    std::string body;
    const ApiAnswer answer = client_->ask("GET",
                                          "/apis/apps/v1/namespaces/" + percent_encode(*name_space) + "/" +
                                              object.resource + "/" + percent_encode(object.name),
                                          "", kServerAnswersWithin, what, body);
    // It has to fit into a line of status.
    if (answer.status == 403) return {Error{"this service account's Role may not get " + object.resource}, 403};
    if (!answer.error.empty()) return {Error{what + answer.error}, answer.status == 200 ? 0 : answer.status};
    auto revision = parse_revision(object, body);
    if (!revision) return {Error{object.resource + "/" + object.name + ": " + revision.error().text}, 200};
    return {std::move(revision), 200};
  }

 private:
  const Config& config_;
  const std::shared_ptr<CallWatch> calls_;
  std::unique_ptr<ApiClient> client_;
};

}  // namespace

RevisionSource::RevisionSource(std::shared_ptr<const Config> config, std::shared_ptr<Wakeup> news)
    : shared_(std::make_shared<Shared>(std::move(config), std::move(news))), thread_([shared = shared_] {
        for (bool again = true; again;) {
          again = false;
          try {
            run(shared);
          } catch (const std::exception&) {  // out of memory, say
            shared->calls->nothing_due();
            again = shared->calls->pause(seconds(10));
          }
        }
        shared->calls->ended();
      }) {}

RevisionSource::~RevisionSource() { stop(Deadline::after(seconds(0))); }

void RevisionSource::run(const std::shared_ptr<Shared>& shared) {
  Reader reader(*shared->config, shared->calls);
  nanoseconds wait = kAgainAfter;
  unsigned failures = 0;
  int64_t last_ns = 0;
  while (!shared->calls->stopping()) {
    std::vector<RevisionObject> objects;
    uint64_t asked = 0;
    {
      const std::lock_guard<std::mutex> hold(shared->mutex);
      const nanoseconds since(boottime_ns() - last_ns);
      const bool wanted = shared->asked != shared->answered;
      const nanoseconds pause = !wanted ? wait : shared->at_once ? nanoseconds(0) : kBetweenRounds;
      if (shared->asked != 0 && (last_ns == 0 || since >= pause)) {
        objects = shared->objects;
        asked = shared->asked;
        shared->at_once = false;
      }
    }
    if (asked == 0) {
      shared->work.wait(kBetweenRounds);
      continue;
    }
    bool failed = false;
    Reading reading;
    for (const RevisionObject& object : objects) {
      if (shared->calls->stopping()) return;
      // An API that gives no answer to one gives none to the next.
      if (!failed || reading.status != 0) reading = reader.read(object);
      failed = failed || !reading.revision;
      const std::lock_guard<std::mutex> hold(shared->mutex);
      KnownRevision& known = shared->known[object];
      const KnownRevision before = known;
      note_answer(known, reading.revision, reading.status);
      if (before.revision != known.revision || before.error != known.error) ++shared->changes;
    }
    last_ns = boottime_ns();
    failures = failed ? failures + 1 : 0;
    wait = failed ? std::min(kFirstRetry * (1 << std::min(failures - 1, 4U)), kAgainAfter) : kAgainAfter;
    {
      const std::lock_guard<std::mutex> hold(shared->mutex);
      shared->answered = asked;
    }
    shared->news->wake();
  }
}

void RevisionSource::ask(const std::vector<Found>& members, bool at_once) {
  std::vector<RevisionObject> objects;
  for (const Found& member : members) {
    if (!member.is_core) continue;
    if (auto object = revision_object(member.owner)) objects.push_back(std::move(*object));
  }
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  if (objects.size() > kMostObjects) objects.resize(kMostObjects);
  {
    const std::lock_guard<std::mutex> hold(shared_->mutex);
    std::erase_if(shared_->known,
                  [&](const auto& known) { return !std::binary_search(objects.begin(), objects.end(), known.first); });
    shared_->objects = std::move(objects);
    ++shared_->asked;
    shared_->at_once = shared_->at_once || at_once;
  }
  shared_->work.wake();
}

bool RevisionSource::answered() const {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  return shared_->answered == shared_->asked;
}

uint64_t RevisionSource::changes() const {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  return shared_->changes;
}

std::string RevisionSource::apply(std::vector<Found>& members) const {
  const std::lock_guard<std::mutex> hold(shared_->mutex);
  return set_revisions(members, shared_->known);
}

void RevisionSource::watch(int64_t now_ns) { shared_->calls->look(now_ns); }

bool RevisionSource::stop(Deadline deadline) {
  if (!thread_.joinable()) return true;
  shared_->calls->stop();
  shared_->work.wake();
  if (shared_->calls->wait_ended(deadline.left())) {
    thread_.join();
    return true;
  }
  thread_.detach();
  return false;
}

}  // namespace pulse
