#include "scheduler/drain/drain.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/drain/announcement.h"
#include "scheduler/drain/drain_admin.h"
#include "scheduler/drain/drain_text.h"
#include "scheduler/drain/drained_process.h"
#include "scheduler/drain/sighting.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/run/state_access.h"
#include "shm/record/drain_estimate.h"
#include "shm/record/drains.h"
#include "shm/segment/boot.h"
#include "shm/segment/names.h"
#include "shm/segment/text.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/base/show.h"
#include "src/config/drain_steps.h"

namespace pulse {

namespace {

// Between two looks. Each costs ProxySQL some milliseconds of its admin mutex.
constexpr milliseconds kLookEvery{200};
constexpr milliseconds kLookWithin{100};  // an answer takes some milliseconds
// ProxySQL looks at its peers once a second by default, and pulls after three looks that differ.
constexpr milliseconds kReachEvery{500};
// Of kDrainStopReserve, for an answer to SHUTDOWN; ProxySQL needs 5 to 9 ms.
constexpr milliseconds kShutdownAnswer{500};
// With tens of thousands of connections in TIME_WAIT the kernel takes tens of milliseconds, on a busy machine more.
constexpr milliseconds kSocketTableWithin{1000};
constexpr milliseconds kFindWithin{400};
// Beyond a beat's own timeout.
constexpr milliseconds kBeatSlack{100};
// Until the configuration is read.
constexpr milliseconds kLoadWithin{2000};

}  // namespace

int Drain::run() {
  announce();
  notice_.hold_beats(in(setup_.beat_timeout + kBeatSlack),
                     record_.deadline_ns + nanoseconds(kDrainHardTimerSlack).count());
  server_.find_process(in(kFindWithin));
  return work();
}

// In the first instant of all.
void Drain::announce() {
  before_ = notice_.announce(setup_.began_boot_ns);
  record_.number = before_.record.number + 1;
  record_.began_ns = setup_.began_boot_ns;
  record_.deadline_ns = setup_.began_boot_ns + nanoseconds(policy().timeout).count();
  record_.settled_ns = setup_.began_boot_ns + nanoseconds(policy().settle).count();
  record_.clients_first = record_.clients = record_.estimate_ms = record_.will_cut = -1;
  record_.wait_timeout_ms = record_.poll_timeout_ms = record_.lowered_to_ms = -1;
  record_.pgsql_wait_timeout_ms = record_.pgsql_poll_timeout_ms = -1;
  record_.stops = policy().stops ? 1 : 0;
  enter(DrainPhase::lock);
}

void Drain::enter(DrainPhase phase) {
  record_.phase = static_cast<uint8_t>(phase);
  notice_.publish(record_);
}

int Drain::work() {
  for (;;) {
    // One that begins just before the last steps couldn't be answered in time, which says nothing of the admin
    // interface.
    if (last_steps() - clock_.now() > kLookWithin) look();
    if (!gone_reason_.empty()) return end(DrainOutcome::stopped, kExitOk, gone_reason_);
    const DrainAction action = next_drain_action(policy(), sight());
    if (action != DrainAction::wait) return finish(action);
    const bool settled = sight().elapsed >= policy().settle;
    enter(settled ? DrainPhase::close : DrainPhase::settle);
    const milliseconds pause = closer_.has_more() ? kPoll : kLookEvery;
    if (server_.wait_for_end(Deadline::at(std::min(clock_.now() + pause, last_steps())))) {
      return end(DrainOutcome::stopped, kExitOk, "ProxySQL ended by itself");
    }
  }
}

DrainSight Drain::sight() const { return clients_.sight(setup_.began_monotonic, clock_.now(), admin_.is_connected()); }

// A beat's timeout is what this ProxySQL is expected to answer in.
Deadline Drain::answer_by() const {
  return Deadline::at(std::min(clock_.now() + std::max(setup_.beat_timeout, kShutdownAnswer), last_steps()));
}

// Counts the clients, and keeps ProxySQL closing those that are idle.
void Drain::look() {
  if (!admin_.is_connected() && trouble_.may_try(clock_.now())) {
    if (auto connected = admin_.connect(answer_by()); !connected) lose_admin(connected.error());
  }
  if (admin_.is_connected()) {
    if (auto done = look_by_admin(); !done) lose_admin(done.error());
  }
  if (!admin_.is_connected() && gone_reason_.empty()) look_by_server();
  record_.looked_ns = clock_.boot_ns();
}

Result<void> Drain::look_by_admin() {
  auto seen = admin_.look(answer_by());
  if (!seen) return seen.error();
  if (!is_drained_one(started_boot_ns(*seen, clock_.boot_ns()))) {
    gone_reason_ = "ProxySQL ended by itself, and another one has started";
    admin_.disconnect();
    return {};
  }
  clients_.saw(*seen, clock_.now());
  count(seen->clients);
  trouble_.answered();
  if (auto chosen = choose_way(); !chosen) return chosen;
  if (record_.estimate_ms < 0) estimate(*seen);
  if (auto lowered = lower(*seen, {lowers(way()), may_lower_pgsql(*seen)}); !lowered) return lowered;
  return lowers(way()) ? Result<void>{} : close_resting();
}

// Could destroy: other nodes' clients. Whether one pulls pgsql_variables is in no answer: so for certain none may.
bool Drain::may_lower_pgsql(const Sighting& seen) const {
  return way() == DrainWay::satellite || way() == DrainWay::alone ||
         (way() != DrainWay::undecided && !seen.pgsql_is_pulled);
}

// Says at once whom the deadline can't hold.
void Drain::estimate(const Sighting& seen) {
  const int64_t idle = seen.mysql.idle() + seen.pgsql.idle();
  const DrainEstimate found = estimate_drain({seen.clients, idle, seen.mysql.threads + seen.pgsql.threads},
                                             {policy().settle, policy().timeout, !lowers(way())}, kDrainStopReserve);
  record_.estimate_ms = found.needed.count();
  record_.will_cut = found.cut;
  notice_.publish(record_);
  if (found.cut > 0) log_warning("drain: " + will_cut_text(idle, found));
}

Result<void> Drain::choose_way() {
  const bool may_still = !took_back_ && sight().elapsed < policy().settle;
  if (way() != DrainWay::undecided && (!may_change(way(), may_still) || clock_.now() < way_due_)) return {};
  way_due_ = clock_.now() + kReachEvery;
  DrainWay found = DrainWay::satellite;
  if (!policy().satellite) {
    const auto reach = admin_.variables_reach(answer_by());
    if (!reach) return reach.error();
    std::optional<size_t> strangers;
    if (const auto hosts = server_.admin_hosts(in(kSocketTableWithin))) {
      strangers = count_strangers(*hosts, reach->members, server_.own_host());
    }
    found = drain_way(*reach, strangers, policy().standalone);
  }
  const DrainWay before = way();
  if (found == before) return {};
  record_.way = static_cast<uint8_t>(found);
  record_.estimate_ms = -1;  // it is of the way
  notice_.publish(record_);
  log_info(std::string("drain: ") +
           (lowers(found) ? "lowers mysql-wait_timeout: "
                          : "closes resting sessions one by one, once the endpoints have settled: ") +
           reason(found));
  return lowers(before) && !lowers(found) ? take_back() : Result<void>{};
}

// A member has turned up that may pull what this drain has lowered: it gets what was there before.
Result<void> Drain::take_back() {
  if (record_.lowered_to_ms < 0) return {};
  took_back_ = true;
  log_warning("drain: puts mysql-wait_timeout back");
  auto restored = admin_.restore(record_, answer_by());
  if (!restored) return restored;
  record_.wait_timeout_ms = record_.poll_timeout_ms = record_.lowered_to_ms = -1;
  record_.pgsql_wait_timeout_ms = record_.pgsql_poll_timeout_ms = -1;
  notice_.publish(record_);
  return {};
}

Result<void> Drain::close_resting() {
  const auto rests = close_from(policy(), sight());
  if (!rests) return {};
  auto closed = closer_.close_some(*rests, answer_by());
  record_.closed = closer_.closed();
  return closed;
}

void Drain::look_by_server() {
  const auto clients = server_.count_clients(in(kSocketTableWithin));
  clients_.counted(clients, clock_.now());
  // Without a count the last good one stands, with its age.
  if (clients) count(*clients);
}

// Whether this is still the ProxySQL that was to be drained. Another one has nothing to do with it.
bool Drain::is_drained_one(int64_t started_boot_ns) {
  if (record_.proxysql_started_ns != 0) return is_same_boot(record_.proxysql_started_ns, started_boot_ns);
  record_.proxysql_started_ns = started_boot_ns;
  // A drain before this one, of the same boot, has lowered them already: what it found is what is to be restored.
  if (has_left_changes(before_.record, started_boot_ns)) {
    record_.wait_timeout_ms = before_.record.wait_timeout_ms;
    record_.poll_timeout_ms = before_.record.poll_timeout_ms;
    record_.pgsql_wait_timeout_ms = before_.record.pgsql_wait_timeout_ms;
    record_.pgsql_poll_timeout_ms = before_.record.pgsql_poll_timeout_ms;
    record_.paused = before_.record.paused;
  }
  return true;
}

void Drain::count(int64_t clients) {
  if (record_.clients_first < 0) {
    record_.clients_first = clients;
    log_info("drain: " + first_count_text(clients, policy()));
  }
  record_.clients = clients;
  record_.clients_at_ns = clock_.boot_ns();
}

Result<void> Drain::lower(const Sighting& seen, Protocols may) {
  const int64_t wanted = wait_timeout_at(policy(), sight()).count();
  Protocols which{may.mysql && seen.mysql.is_served() && !seen.mysql.is_lowered_to(wanted),
                  may.pgsql && seen.pgsql.is_served() && !seen.pgsql.is_lowered_to(wanted)};
  if (which.mysql) {
    const auto waits = waits_for_pull();
    if (!waits) return waits.error();
    which.mysql = !*waits;
  }
  if (!which.any()) return {};
  const Protocols news{which.mysql && record_.wait_timeout_ms < 0, which.pgsql && record_.pgsql_wait_timeout_ms < 0};
  if (which.mysql) remember("mysql", seen.mysql, record_.wait_timeout_ms, record_.poll_timeout_ms);
  if (which.pgsql) remember("pgsql", seen.pgsql, record_.pgsql_wait_timeout_ms, record_.pgsql_poll_timeout_ms);
  if (news.any()) {
    auto edits = admin_.unloaded_edits(news, answer_by());
    if (!edits) return edits.error();
    if (!edits->empty()) edits_ += (edits_.empty() ? "" : ", ") + *edits;
  }
  record_.lowered_to_ms = wanted;
  notice_.publish(record_);  // before it is done: whoever undoes it finds what was there
  return admin_.lower(which, wanted, answer_by());
}

void Drain::remember(const char* protocol, const ListenerSight& seen, int64_t& wait_ms, int64_t& poll_ms) {
  if (remember_found(seen, record_.lowered_to_ms, wait_ms, poll_ms)) return;
  log_info(lowered_again_text(protocol, seen.wait_timeout_ms));
}

// A load of ours would overtake a core's that ProxySQL is about to pull, and keep its variables out for good.
Result<bool> Drain::waits_for_pull() {
  const auto due = admin_.pull_is_due(answer_by());
  if (!due) return due.error();
  if (!*due) {
    pull_due_since_.reset();
    return false;
  }
  if (!pull_due_since_) pull_due_since_ = clock_.now();
  return clock_.now() - *pull_due_since_ < kPullPatience;
}

void Drain::lose_admin(const Error& error) {
  admin_.disconnect();
  if (error.code != ETIMEDOUT && has_ended()) {
    gone_reason_ =
        record_.clients_first < 0 ? "ProxySQL isn't running, there is nothing to drain" : "ProxySQL ended by itself";
    return;
  }
  record_.admin_unresponsive = 1;
  clients_.lost_sight();
  trouble_.failed(error, exit_code_of(error, Phase::connect), clock_.now());
}

bool Drain::has_ended() { return server_.has_ended(in(kSocketTableWithin)); }

int Drain::finish(DrainAction action) {
  if (action == DrainAction::pause_and_stop) pause();
  if (!policy().stops) return end_drained();
  enter(DrainPhase::stop);
  const int64_t left = record_.clients;
  if (!server_.process()) server_.find_process(in(kFindWithin));
  std::string how = ask_to_stop();
  bool ended = !how.empty() && wait_ended(std::min(clock_.now() + kShutdownAnswer, deadline()));
  if (!ended) {
    if (server_.terminate()) {
      how = "SIGTERM to process " + std::to_string(server_.process().value_or(0));
      log_warning("drain: " + how + (trouble_.text().empty() ? "" : ", for " + trouble_.text()));
    }
    ended = wait_ended(deadline());
  }
  record_.clients = left;
  if (ended) return end(DrainOutcome::stopped, kExitOk, stopped_text(how, left));
  return end(DrainOutcome::failed, failure_code(), runs_on_text(trouble_.text(), server_.process().has_value(), left));
}

bool Drain::wait_ended(MonotonicTime by) {
  while (!has_ended()) {
    if (clock_.now() >= by) return false;
    server_.wait_for_end(Deadline::at(std::min(clock_.now() + kPoll, by)));
  }
  return true;
}

// New connections are refused from its end on. It holds the admin mutex meanwhile, so nothing else is asked.
void Drain::pause() {
  enter(DrainPhase::pause);
  log_warning("drain: " + clients_text(record_.clients) + " still here near the deadline: PROXYSQL PAUSE");
  const auto paused = admin_.pause(Deadline::at(last_steps()));
  const bool already = !paused && paused.error().text.find("already paused") != std::string::npos;
  // One that wasn't answered in time may still come into effect. What somebody else has paused isn't ours to resume.
  if (paused || !is_refusal(paused.error())) record_.paused = 1;
  clients_.set_paused(paused || already);
  if (!paused && !already) {
    trouble_.refused(paused.error(), trouble_.exit_code());
    log_warning("drain: " + trouble_.text());
  }
  admin_.disconnect();  // some versions answer twice; what comes next asks on a connection of its own
  if (clients_.has_pgsql() && (paused || already)) read_back_pause();
  look_by_server();
}

// Each protocol has an answer of its own, and only the first was read.
void Drain::read_back_pause() {
  if (!admin_.connect(in(kShutdownAnswer))) return;
  if (const auto seen = admin_.look(in(kShutdownAnswer))) {
    record_.paused = record_.paused != 0 || (seen->is_paused() && !clients_.was_paused()) ? 1 : 0;
    clients_.set_paused(seen->refuses_all());
  }
  admin_.disconnect();
}

// How ProxySQL was asked to stop; "" if it can't be asked. A connection that is lost on the way is ProxySQL's way to
// say yes.
std::string Drain::ask_to_stop() {
  const Deadline by = in(kShutdownAnswer);
  if (record_.admin_unresponsive != 0 && !admin_.is_connected() && server_.process()) return "";  // a signal is surer
  if (!admin_.is_connected()) {
    if (auto connected = admin_.connect(by); !connected) {
      lose_admin(connected.error());
      return gone_reason_.empty() ? "" : "itself";
    }
  }
  const auto done = admin_.shut_down(by);
  admin_.disconnect();
  if (done || (done.error().code >= 2000 && done.error().code < 3000)) return "PROXYSQL SHUTDOWN";
  trouble_.refused(done.error(), exit_code_of(done.error(), Phase::act));
  if (done.error().code == ETIMEDOUT) record_.admin_unresponsive = 1;
  return "";
}

int Drain::end_drained() {
  if (record_.clients != 0 && !clients_.paused()) {
    return end(DrainOutcome::failed, failure_code(), still_here_text(trouble_.text(), record_.clients));
  }
  return end(DrainOutcome::drained, kExitOk, drained_text(clients_.paused(), record_.clients));
}

int Drain::failure_code() const { return trouble_.exit_code() == 0 ? kExitTimeout : trouble_.exit_code(); }

int Drain::end(DrainOutcome outcome, int code, const std::string& what) {
  record_.ended_ns = clock_.boot_ns();
  const bool succeeded = outcome != DrainOutcome::failed;
  const std::string message =
      what + circumstances_text(record_, succeeded, clock_.now() - setup_.began_monotonic, trouble_.text(), edits_);
  set_text(record_.message, message);
  record_.outcome = static_cast<uint8_t>(outcome);
  if (record_.proxysql_started_ns == 0) record_.proxysql_started_ns = before_.proxysql_started_ns;
  enter(DrainPhase::ended);
  if (code == kExitOk) {
    log_info("drain: " + message);
  } else {
    log_error("drain: " + message);
  }
  return code;
}

int run_drain(const Options& options) {
  SystemClock clock;
  DrainSetup setup;
  setup.began_monotonic = clock.now();
  setup.began_boot_ns = clock.boot_ns();
  arm_hard_timer(Deadline::at(setup.began_monotonic + kLoadWithin));
  limit_memory();
  StateAccess state(options);
  if (!state.load_for_drain()) {
    log_error(state.config_error());
    return kExitConfig;
  }
  const Config& config = state.loaded().config;
  setup.policy = drain_policy(config);
  setup.policy.stops = !options.no_shutdown;
  setup.beat_timeout = config.beat.timeout;
  const MonotonicTime deadline = setup.began_monotonic + setup.policy.timeout;
  arm_hard_timer(Deadline::at(deadline + kDrainHardTimerSlack));
  state.open_existing();
  if (state.layout() == nullptr) {
    log_warning("drain: " + state.problem() + "; probes can't be told, and beats don't stand aside");
  }
  if (state.layout() != nullptr && !state.problem().empty()) log_warning("drain: " + state.problem());
  Announcement announcement(state, clock);
  auto own = announcement.take_lock(state.layout() != nullptr);
  if (!own) {
    log_error("drain: " + own.error().text);
    return kExitUnavailable;
  }
  if (!*own) {
    if (auto joined = announcement.join(setup.began_boot_ns, setup.policy.stops, deadline)) return *joined;
  }
  DrainAdmin admin(admin_target(config));
  DrainedProcess server(drained_ports(config));
  return Drain(std::move(setup), admin, server, announcement, clock).run();
}

namespace {

constexpr std::array<Option, 2> kDrainOptions = {{
    {"no-shutdown", nullptr, "leave ProxySQL up; \"undrain\" puts it back into service\n",
     take_flag<&Options::no_shutdown>},
    timeout_option(3'000, 3'600'000, "of the whole drain, {}\n(pulse.drain.timeout_ms, 25000)\n"),
}};

constexpr std::array<Exit, 3> kDrainExits = {{
    {nullptr, kExitOk},
    {"ProxySQL couldn't be stopped: readiness stays 503 until \"undrain\"", kExitUnavailable, kExitStatement,
     kExitTimeout},
    {nullptr, kExitConfig},
}};

}  // namespace

constinit const Command kDrainCommand = {
    .name = "drain",
    .summary = "lets clients leave, then shuts ProxySQL down",
    .usage = "[--no-shutdown] [OPTION...]",
    .about = R"(Lets clients leave, then shuts this ProxySQL down: readiness is 503 at once,
idle connections are closed while it still serves, and when nobody has been
there for a second, or at the deadline, it is stopped. For a preStop hook, and
for people. A second one waits for the first.
)",
    .options = kDrainOptions,
    .exits = kDrainExits,
    .timeout_key = "drain.timeout_ms",
    .run = run_drain,
};

}  // namespace pulse
