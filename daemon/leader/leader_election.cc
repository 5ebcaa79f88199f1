#include "daemon/leader/leader_election.h"

#include <algorithm>
#include <cstdlib>

#include "daemon/leader/lowest.h"
#include "shm/record/attempts.h"
#include "shm/record/leadership.h"
#include "shm/segment/boot.h"
#include "shm/status/snapshot.h"
#include "src/base/log.h"
#include "src/base/show.h"

namespace pulse {

namespace {

using std::chrono::seconds;

// A scheduler that has started no beat for that many intervals, 10 s at least, would start no job either.
// The lowest member stays the leader for that long when nobody says so any more.
constexpr int64_t kLowestValid = 3'000'000'000;
// At the end: for the leader's jobs, for the last request, and for a thread that is cut off.
constexpr milliseconds kJobsWithin{3000};
constexpr milliseconds kReleaseWithin{1500};
constexpr milliseconds kStopWithin{250};

// So that a leader can try several times before it has to stop being it.
seconds answer_within(milliseconds renew) {
  return std::clamp(std::chrono::duration_cast<seconds>(renew / 4), seconds(1), seconds(5));
}

const char* verb(LeaseRequest request) {
  switch (request) {
    case LeaseRequest::create:
      return "create";
    case LeaseRequest::update:
      return "update";
    default:
      return "get";
  }
}

}  // namespace

LeaderKeeper::LeaderKeeper(const Config& config, const std::string& host_name, SegmentSource segment)
    : config_(config),
      identity_(config.leader.identity.empty() ? host_name : config.leader.identity),
      segment_source_(std::move(segment)),
      boot_id_(machine_boot_id()),
      mode_(config.leader.mode),
      calls_(std::make_shared<CallWatch>()),
      candidate_({identity_, config.leader.duration, config.leader.renew, config.leader.retry}),
      random_(std::random_device{}()) {
  state_.boot_id = boot_id_;
  state_.mode = static_cast<uint8_t>(mode_);
  if (mode_ != LeaderMode::lease) return;
  if (const std::shared_ptr<Segment> current = segment_source_()) {
    LeaderState before{};
    bool read = false;
    const bool mapped = guarded([&] { read = current->layout().leader.read(before); });
    const bool same = before.boot_id == boot_id_ && before.mode == state_.mode && text(before.holder) == identity_;
    if (mapped && read && same && boottime_ns() < before.valid_until_ns) {
      candidate_.inherit(before.valid_until_ns, before.handover_ns);
      state_ = before;
    }
  }
  thread_ = std::thread([this] { elect(); });
}

LeaderKeeper::~LeaderKeeper() { stop(); }

bool LeaderKeeper::stop() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (resigned_) return all_ended_;
    resigned_ = true;
  }
  publish();
  if (mode_ != LeaderMode::lease) return all_ended_;
  // Meanwhile the Lease is renewed: whoever comes next finds nothing running here.
  for (const Deadline deadline = Deadline::after(kJobsWithin); leader_jobs_run() && !deadline.passed();) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  may_release_ = !leader_jobs_run();
  calls_->ask_to_end();
  all_ended_ = calls_->wait_ended(kReleaseWithin);
  if (!all_ended_) {
    calls_->stop();
    all_ended_ = calls_->wait_ended(kStopWithin);
  }
  if (all_ended_) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return all_ended_;
}

void LeaderKeeper::elect() {
  LeaseStep step = LeaseCandidate::first();
  while (calls_->pause(step.wait)) {
    try {
      candidate_.set_fit(is_fit());
      step = request(step);
    } catch (const std::exception& failure) {  // out of memory, say
      calls_->nothing_due();
      note(failure.what());
      step = {LeaseRequest::get, config_.leader.retry};
    }
    publish();
  }
  if (may_release_) release();
  calls_->ended();
}

bool LeaderKeeper::is_fit() const {
  const std::shared_ptr<Segment> current = segment_source_();
  if (!current) return false;
  int64_t last_beat_ns = 0;
  const bool mapped = guarded([&] {
    const Layout& layout = current->layout();
    if (layout.boot_id.load(std::memory_order_acquire) != boot_id_) return;
    last_beat_ns = layout.last_beat_ns.load(std::memory_order_relaxed);
  });
  const int64_t patience = first_beat_ns(nanoseconds(config_.beat.interval).count());
  return mapped && last_beat_ns != 0 && boottime_ns() - last_beat_ns <= patience;
}

bool LeaderKeeper::leader_jobs_run() const {
  const std::shared_ptr<Segment> current = segment_source_();
  if (!current) return false;
  StateView view;
  read_jobs(*current, boot_id_, boottime_ns(), view);
  return std::any_of(view.jobs.begin(), view.jobs.end(),
                     [](const JobView& job) { return job.running && job.state.leader_only != 0; });
}

Result<LeaderKeeper::Target> LeaderKeeper::target() {
  if (!client_) {
    auto server = find_api_server(config_.discovery.kubernetes.api, std::getenv("KUBERNETES_SERVICE_HOST"),
                                  std::getenv("KUBERNETES_SERVICE_PORT"));
    if (!server) return Error{"where is the Kubernetes API? " + server.error().text};
    client_ = std::make_unique<ApiClient>(std::move(*server), config_.discovery.kubernetes.service_account, calls_);
  }
  Target target;
  const KubernetesSettings& settings = config_.discovery.kubernetes;
  const auto name_space = namespace_of(settings.name_space, settings.service_account);
  if (!name_space) return name_space.error();
  target.name_space = *name_space;
  target.leases = "/apis/coordination.k8s.io/v1/namespaces/" + percent_encode(target.name_space) + "/leases";
  target.lease = target.leases + "/" + percent_encode(config_.leader.lease_name);
  target.shown = " lease " + target.name_space + "/" + config_.leader.lease_name + ": ";
  return target;
}

ApiAnswer LeaderKeeper::send(const Target& target, LeaseRequest request, const LeaseRecord& record,
                             std::string& received) {
  const seconds within = answer_within(config_.leader.renew);
  const std::string what = verb(request) + target.shown;
  if (request == LeaseRequest::get) return client_->ask("GET", target.lease, "", within, what, received);
  const std::string body = lease_body(record, config_.leader.lease_name, target.name_space);
  const bool create = request == LeaseRequest::create;
  return client_->ask(create ? "POST" : "PUT", create ? target.leases : target.lease, body, within, what, received);
}

LeaseStep LeaderKeeper::request(const LeaseStep& step) {
  const auto to = target();
  if (!to) {
    note(to.error().text);
    return {LeaseRequest::get, config_.leader.retry};
  }
  LeaseRecord record;
  if (step.request != LeaseRequest::get) record = candidate_.to_write(clock_ns(CLOCK_REALTIME));
  std::string received;
  const int64_t sent_ns = boottime_ns();
  const ApiAnswer answer = send(*to, step.request, record, received);
  const int64_t now_ns = boottime_ns();

  LeaseReply reply = LeaseReply::failed;
  std::string error;
  if (answer.error.empty()) {
    auto parsed = parse_lease(received);
    if (parsed) {
      record = std::move(*parsed);
      reply = LeaseReply::ok;
    } else {
      error = parsed.error().text;
    }
  } else if (answer.status == 409) {
    reply = LeaseReply::conflict;
  } else if (answer.status == 404 && step.request != LeaseRequest::create) {
    reply = LeaseReply::not_found;
  } else {
    if (answer.status == 403) error = "give its service account get, create and update on leases: ";
    if (answer.status == 401)
      error = "is " + config_.discovery.kubernetes.service_account + "/token a token of this cluster?: ";
    error += answer.error;
  }
  LeaseStep next = candidate_.next(step.request, reply, record, sent_ns, now_ns,
                                   std::uniform_real_distribution<double>(0, 1)(random_));
  if (reply == LeaseReply::failed) {
    error = verb(step.request) + to->shown + error;
    next.wait = std::max<nanoseconds>(next.wait, std::min(answer.retry_after, seconds(120)));
  } else if (candidate_.has_twin()) {
    error = "another process takes part as " + identity_ + ": pulse.leader.identity must be another one for each node";
  }
  note(error);
  const std::lock_guard<std::mutex> hold(mutex_);
  state_.valid_until_ns = candidate_.valid_until_ns();
  state_.handover_ns = candidate_.handover_ns();
  if (reply == LeaseReply::failed) return next;
  state_.renewed_ns = now_ns;
  state_.transitions = static_cast<uint64_t>(candidate_.transitions());
  set_text(state_.holder, candidate_.holder());
  return next;
}

void LeaderKeeper::release() {
  const auto record = candidate_.to_release(clock_ns(CLOCK_REALTIME));
  const auto to = target();
  std::string received;
  if (record && to) send(*to, LeaseRequest::update, *record, received);
}

void LeaderKeeper::note(const std::string& error) {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (error.empty()) {
    state_.failing_since_ns = 0;
  } else {
    ++state_.failures;
    if (state_.failing_since_ns == 0) state_.failing_since_ns = boottime_ns();
  }
  set_text(state_.error, error);
}

bool LeaderKeeper::is_noted(const std::string& error) {
  const std::lock_guard<std::mutex> hold(mutex_);
  return text(state_.error) == error;
}

// Those with a list all see the same one, sooner or later: for a moment there may be two leaders, or none.
void LeaderKeeper::judge_by_list() {
  const std::shared_ptr<Segment> current = segment_source_();
  const int64_t now = boottime_ns();
  Lowest found;
  if (current) {
    StateView view;
    read_members(*current, boot_id_, view);
    static Members none{};  // as a constant it would be 200 KB of the program
    found = lowest(view.members ? *view.members : none, view.discovery, config_.is_core(), boot_id_, now,
                   config_.discovery.max_age);
  } else {
    found.unusable = "there is no state segment yet";
  }
  {
    const bool usable = found.unusable.empty();
    const std::lock_guard<std::mutex> hold(mutex_);
    state_.valid_until_ns = usable && found.is_self ? now + kLowestValid : 0;
    if (usable) {
      if (!text(state_.holder).empty() && text(state_.holder) != found.holder) ++state_.transitions;
      state_.renewed_ns = now;
      set_text(state_.holder, found.holder);
    }
  }
  if (!is_noted(found.unusable)) note(found.unusable);
}

void LeaderKeeper::tick() {
  if (mode_ == LeaderMode::lowest) judge_by_list();
  if (const auto stuck = calls_->look(boottime_ns()); stuck && !is_noted(stuck->error)) note(stuck->error);
  publish();
  tell();
}

void LeaderKeeper::publish() {
  const std::shared_ptr<Segment> current = segment_source_();
  if (!current) return;
  const std::lock_guard<std::mutex> hold(mutex_);
  LeaderState state = state_;
  if (resigned_) state.valid_until_ns = 0;
  // Should the file be cut short, the next look at it opens another one.
  if (!guarded([&] { current->layout().leader.publish(state); })) return;
}

void LeaderKeeper::tell() {
  LeaderState state{};
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    state = state_;
  }
  const Leadership now = leadership(state, boot_id_, boottime_ns());
  if (now.is_self != told_self_) {
    if (now.is_self) {
      log_info("this node is the leader of the " + std::string(config_.is_core() ? "cores" : "satellites"));
    } else {
      log_warning("this node is no longer the leader: " + now.reason);
    }
  } else if (now.other_leads && text(state.holder) != text(told_.holder)) {
    log_info("the leader is " + std::string(text(state.holder)));
  }
  told_self_ = now.is_self;
  if (state.failing_since_ns == 0) {
    if (told_.failing_since_ns != 0) {
      log_info("the leader is known again, after " + show_span(boottime_ns() - told_.failing_since_ns));
    }
    failures_before_ = state.failures;
    told_failures_ = 0;
  } else if (const uint64_t row = std::max<uint64_t>(1, state.failures - failures_before_);
             told_failures_ == 0 || row >= told_failures_ * 2) {
    told_failures_ = row;
    log_warning("leader: " + std::string(text(state.error)));
  }
  told_ = state;
}

}  // namespace pulse
