#include "daemon/health/node_state.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include "shm/record/attempts.h"
#include "shm/record/drains.h"
#include "shm/record/ownership.h"
#include "shm/record/starts.h"
#include "shm/segment/boot.h"
#include "shm/segment/lock.h"
#include "src/base/log.h"
#include "src/config/client_ports.h"
#include "src/linux/interfaces.h"

namespace pulse {

namespace {

constexpr milliseconds kCountWithin{1000};
constexpr milliseconds kCountEvery{500};

ClientPort::Mode mode_of(const Config& config) {
  return config.daemon.mysql_look == PortLook::active ? ClientPort::Mode::active : ClientPort::Mode::passive;
}

ClientCount::Counter counter_of(std::vector<MysqlInterface> all) {
  return [all = std::move(all)](Deadline deadline) { return count_established(all, deadline); };
}

PortView to_view(const PortVerdict& port) {
  PortView view;
  view.known = port.looked_at_ns != 0;
  view.answers = port.answers;
  view.ever_answered = port.ever_answered;
  view.since_ns = port.since_ns;
  view.looked_at_ns = port.looked_at_ns;
  view.how = port.how;
  view.reason = port.reason;
  return view;
}

}  // namespace

NodeState::NodeState(const Config& config, const std::string& host_name)
    : config_(config),
      policy_(make_policy(config, host_name)),
      boot_id_(machine_boot_id()),
      running_since_ns_(boottime_ns()),
      mysql_look_(config.daemon.mysql_interfaces, mode_of(config), greet_mysql),
      pgsql_look_(pgsql_ports(config.daemon), mode_of(config), greet_pgsql),
      admin_interface_{config.admin.host, config.admin.port},
      mysql_count_(counter_of(config.daemon.mysql_interfaces), kCountEvery),
      pgsql_count_(counter_of(pgsql_ports(config.daemon)), kCountEvery),
      watches_pgsql_(policy_.file.pgsql_port),
      served_{policy_.file.mysql, policy_.file.pgsql_rows} {
  open_segment();
}

void NodeState::open_segment() {
  SegmentOptions options;
  options.path = config_.state;
  options.group = config_.group;
  options.create = false;
  auto opened = Segment::open(options);
  if (opened) {
    if (auto owned = check_owner(*opened, config_.state, owner_of(config_)); !owned) opened = owned.error();
  }
  const std::lock_guard<std::mutex> hold(mutex_);
  ++changes_;
  segment_ = opened ? std::make_shared<Segment>(std::move(*opened)) : nullptr;
  const bool absent = !opened && opened.error().code == ENOENT;
  segment_problem_ = opened || absent ? "" : opened.error().text;
  segment_absent_ = absent ? opened.error().text : "";
}

std::shared_ptr<Segment> NodeState::segment() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return segment_;
}

// A start that the daemon before this one has seen is known from the segment.
void NodeState::look_for_a_start() {
  ListenersSeen seen;
  seen.mysql = served_.mysql ? mysql_look_.current().listeners : pgsql_look_.current().listeners;
  const bool passive = config_.daemon.mysql_look != PortLook::active;
  ProxysqlStart last;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    last = start_;
  }
  const int64_t now_ns = boottime_ns();
  if (!passive) {
    seen.admin.emplace();
  } else {
    // Each time: what is told apart by sockets of half a minute ago takes a PROXYSQL RESUME after a LOAD ADMIN
    // VARIABLES for a new start, and one that served for one that never did.
    auto admin = admin_look_.read(Deadline::after(milliseconds(250)));
    if (admin) seen.admin = std::move(admin->inodes);
  }
  bool paused = false;
  static_cast<void>(with_layout([&](Layout& layout) {
    ProxysqlStart inherited{};
    const bool read = passive && last.looked_ns == 0 && layout.start.read(inherited);
    // Somebody may have scribbled over it: a start to come would make all that beats see look old.
    if (read && inherited.boot_id == boot_id_ && inherited.since_ns <= now_ns && inherited.looked_ns <= now_ns) {
      last = inherited;
    }
    Observation observation{};
    const auto head = [](const Observation&) { return offsetof(Observation, peers); };
    paused = layout.observation.read_part(observation, offsetof(Observation, peers), head) &&
             observation.listener_paused != 0;
  }));
  ProxysqlStart next = next_start(last, seen, paused, now_ns);
  next.boot_id = boot_id_;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    start_ = next;
  }
  if (next.since_ns != last.since_ns && last.seen_ns != 0) log_info("ProxySQL has started anew");
}

void NodeState::look_for_the_segment() {
  const std::shared_ptr<Segment> current = segment();
  // A beat of another ProxySQL may have been the first since it was opened.
  if (!current || !current->is_current(config_.state) || !check_owner(*current, config_.state, owner_of(config_))) {
    open_segment();
  }
}

bool NodeState::tick() {
  mysql_look_.tick();
  if (watches_pgsql_) pgsql_look_.tick();
  look_for_the_segment();
  look_for_a_start();

  tell_lock_problem();
  Snapshot now = look();
  ProxysqlStart start;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    ++changes_;
    if (memory_.served && start_.served_ns == 0) start_.served_ns = now.now_ns;
    start = start_;
  }
  static_cast<void>(with_layout([&](Layout& layout) { layout.start.publish(start); }));
  const bool stale =
      now.view.observation.at_ns == 0 || now.now_ns - now.view.observation.at_ns > silence_ns(policy_.interval_ns);
  count_clients(stale);
  served_ = now.verdict.served;
  watches_pgsql_ = watches_pgsql_ || served_.pgsql || now.view.observation.pgsql_backends.total() != 0;

  if (now.view.problem != logged_problem_) {
    if (now.view.problem.empty()) {
      log_info("the state segment " + config_.state + " is usable");
    } else {
      log_error(now.view.problem);
    }
    logged_problem_ = now.view.problem;
  }
  if (now.verdict.state != logged_state_) {
    const std::string text =
        std::string(name(logged_state_)) + " -> " + name(now.verdict.state) + ": " + now.verdict.message;
    // A drain that goes well is somebody's wish.
    const bool drains = now.verdict.state == State::draining &&
                        static_cast<DrainOutcome>(now.view.drain.outcome) != DrainOutcome::failed;
    if (now.verdict.state == State::beating || now.verdict.state == State::maintenance || drains) {
      log_info(text);
    } else {
      log_warning(text);
    }
    logged_state_ = now.verdict.state;
  }
  const bool answers = (!served_.mysql || now.port.answers) && (!served_.pgsql || now.pgsql.answers);
  return now.verdict.state == State::beating && answers && now.verdict.started.passes;
}

void NodeState::count_clients(bool is_stale) {
  // The table of this network namespace knows nothing of a port outside of it.
  if (is_stale && config_.daemon.mysql_look != PortLook::active) {
    mysql_count_.look(Deadline::after(kCountWithin));
    if (watches_pgsql_) pgsql_count_.look(Deadline::after(kCountWithin));
  }
  const bool known = is_stale && mysql_count_.clients() >= 0 && (!watches_pgsql_ || pgsql_count_.clients() >= 0);
  const std::lock_guard<std::mutex> hold(mutex_);
  counted_clients_ = counted_pgsql_ = -1;
  if (!known) return;
  counted_pgsql_ = watches_pgsql_ ? pgsql_count_.clients() : 0;
  counted_clients_ = mysql_count_.clients() + counted_pgsql_;
  counted_ns_ = mysql_count_.counted_ns();
  if (watches_pgsql_) counted_ns_ = std::min(counted_ns_, pgsql_count_.counted_ns());
}

void NodeState::tell_lock_problem() {
  const std::shared_ptr<Segment> current = segment();
  std::string problem = current ? lock_file_problem(config_.state, current->user(), config_.group) : "";
  const std::lock_guard<std::mutex> hold(mutex_);
  if (problem != lock_problem_ && !problem.empty()) log_warning(problem);
  lock_problem_ = std::move(problem);
}

NodeState::Snapshot NodeState::look() {
  const std::shared_ptr<Segment> read = segment();
  const int64_t now_ns = boottime_ns();
  // In place: the view is 40 KB.
  Snapshot snapshot{read ? read_state(*read, boot_id_, policy_.backoff(), now_ns) : StateView{}, {}, {}, {}};
  snapshot.now_ns = now_ns;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (!read) {
      snapshot.view.problem = segment_problem_;
      snapshot.view.absent = segment_absent_;
    }
    snapshot.clients = counted_clients_;
    snapshot.pgsql_clients = counted_pgsql_;
    snapshot.clients_at_ns = counted_clients_ < 0 ? 0 : counted_ns_;
    snapshot.view.lock_problem = lock_problem_;
    snapshot.view.start = start_;
    // A beat that began after ProxySQL was stopped and went through has met another one.
    const int64_t others_ns = own_drain_.ended_ns + nanoseconds(config_.beat.timeout).count();
    if (own_drain_.ended_ns != 0 && snapshot.view.record.last_ok_ns > others_ns) announced_ns_ = 0;
    if (announced_ns_ > snapshot.view.draining_since_ns) {
      snapshot.view.draining_since_ns = announced_ns_;
      if (own_drain_.ended_ns != 0) snapshot.view.drain = own_drain_;
    }
  }
  // What is known last, of a beat or of the socket table.
  const Observation& seen = snapshot.view.observation;
  if (seen.globals_ns != 0 && (snapshot.clients < 0 || seen.globals_ns > snapshot.clients_at_ns)) {
    snapshot.clients = seen.clients;
    snapshot.pgsql_clients = seen.pgsql_clients;
    snapshot.clients_at_ns = seen.globals_ns;
  }
  // An older count doesn't say who is there now.
  const int64_t fresh_ns = std::max<int64_t>(10'000'000'000, silence_ns(policy_.interval_ns));
  snapshot.port = to_view(mysql_look_.current());
  snapshot.pgsql = to_view(pgsql_look_.current());
  if (snapshot.clients_at_ns != 0 && snapshot.now_ns - snapshot.clients_at_ns <= fresh_ns) {
    snapshot.port.clients = snapshot.clients;
  }

  const std::lock_guard<std::mutex> hold(mutex_);
  snapshot.verdict =
      decide(snapshot.view, snapshot.port, policy_, memory_, running_since_ns_, snapshot.now_ns, snapshot.pgsql);
  return snapshot;
}

uint64_t NodeState::mark() {
  std::shared_ptr<Segment> segment;
  uint64_t changes = 0;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    segment = segment_;
    changes = changes_;
  }
  return (segment ? state_mark(*segment) : 0) ^ changes;
}

void NodeState::read_lists(Snapshot& snapshot) {
  const std::shared_ptr<Segment> current = segment();
  if (!current) return;
  read_members(*current, boot_id_, snapshot.view);
  read_applied(*current, snapshot.view);
  read_hostgroups(*current, boot_id_, snapshot.view);
  read_jobs(*current, boot_id_, snapshot.now_ns, snapshot.view);
}

void NodeState::announce_drain() {
  const std::lock_guard<std::mutex> hold(mutex_);
  ++changes_;
  announced_ns_ = boottime_ns();
  own_drain_ = DrainRecord{};
}

void NodeState::drain_ended(bool stopped) {
  bool told = false;
  static_cast<void>(with_layout([&](Layout& layout) { told = layout.draining_since_ns.load() != 0; }));
  const std::lock_guard<std::mutex> hold(mutex_);
  ++changes_;
  if (told || !stopped) {
    announced_ns_ = 0;
    return;
  }
  own_drain_.began_ns = announced_ns_;
  own_drain_.ended_ns = boottime_ns();
  own_drain_.outcome = static_cast<uint8_t>(DrainOutcome::stopped);
  own_drain_.phase = static_cast<uint8_t>(DrainPhase::ended);
  set_text(own_drain_.message, "drained");
}

bool NodeState::drain_runs() {
  const Snapshot now = look();
  return may_be_at_work(now.view.draining_since_ns, now.view.drain, config_.drain.timeout, now.now_ns);
}

}  // namespace pulse
