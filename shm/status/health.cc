#include "shm/status/health.h"

#include <algorithm>
#include <array>

#include "shm/record/attempts.h"
#include "shm/record/drains.h"
#include "shm/record/starts.h"
#include "shm/segment/lock.h"
#include "shm/segment/names.h"
#include "shm/status/served.h"
#include "src/base/clock.h"
#include "src/base/hash.h"
#include "src/base/show.h"

namespace pulse {

namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Beats come and find the lock taken, one after the other, for longer than any of them lasts.
bool is_kept_out(const StateView& view, int64_t interval_ns, int64_t now_ns) {
  return view.busy_in_row >= 3 && now_ns - view.busy_since_ns > first_beat_ns(interval_ns);
}

// When the last attempt in the record ended.
int64_t last_ended_ns(const BeatRecord& record) {
  return record.history_count == 0 ? record.last_ok_ns : record.history[(record.history_count - 1) % kHistory].at_ns;
}

// What is recorded of beats to an earlier ProxySQL says nothing about this one.
bool is_of_this_start(const StateView& view) { return is_of(view.start, last_ended_ns(view.record)); }

State decide_state(const StateView& view, int64_t answers_since_ns, const Policy& policy, int64_t running_since_ns,
                   int64_t now_ns) {
  if (is_draining(view.draining_since_ns, view.drain, answers_since_ns)) return State::draining;
  if (view.maintenance_realtime_ns != 0) return State::maintenance;
  if (!view.problem.empty()) return State::failing;
  if (view.last_beat_ns == 0 || !is_of(view.start, view.last_beat_ns)) {
    const int64_t since_ns = std::max(running_since_ns, view.start.since_ns);
    return now_ns - since_ns > first_beat_ns(policy.interval_ns) ? State::scheduler_silent : State::starting;
  }
  if (now_ns - view.last_beat_ns > silence_ns(policy.interval_ns)) return State::scheduler_silent;
  const bool stuck = view.attempt_open && now_ns > view.attempt.deadline_ns + kSecond;
  if (stuck && is_of(view.start, view.attempt.began_ns)) return State::admin_unresponsive;
  if (!is_of_this_start(view)) return State::starting;
  if (view.record.consecutive_timeouts > 0) return State::admin_unresponsive;
  if (view.record.consecutive_failures > 0 || is_kept_out(view, policy.interval_ns, now_ns)) return State::failing;
  return view.record.ok > 0 ? State::beating : State::starting;
}

// A core's startup waits this long for its configuration file's modules to be loaded.
constexpr int64_t kLoadPatience = 60 * kSecond;

bool has_loaded_its_file(const StateView& view) {
  const auto standing = static_cast<Standing>(view.core.standing);
  return standing == Standing::aside || (standing == Standing::authority && view.core.waiting == 0);
}

std::string why_not_loaded(const StateView& view) {
  const std::string reason(text(view.core.reason));
  if (static_cast<Standing>(view.core.standing) == Standing::authority) {
    return "the configuration file's modules are still to be loaded: " + reason;
  }
  return "whether this core's configuration file is the authority isn't decided yet" +
         (reason.empty() ? "" : ": " + reason);
}

// Since when this ProxySQL's admin interface doesn't answer, if it doesn't.
int64_t unresponsive_since_ns(const StateView& view) {
  return std::max(view.record.wedged_since_ns, view.start.since_ns);
}

// Whether beats go on to find that: an attempt that timed out long ago, with none since, confirms nothing.
bool is_confirmed(const StateView& view, const Policy& policy, int64_t now_ns) {
  if (view.record.consecutive_timeouts == 0 || !is_of_this_start(view)) return false;
  return view.attempt_open ||
         now_ns - last_ended_ns(view.record) <= policy.backoff_max_ns + first_beat_ns(policy.interval_ns);
}

// A look at the port that is older says no more than how it was.
constexpr int64_t kLookPatience = 5 * kSecond;

bool is_stale(const PortView& port, int64_t now_ns) { return port.known && now_ns - port.looked_at_ns > kLookPatience; }

// What the ports of those protocols say that the node serves.
class Ports {
 public:
  Ports(const StateView& view, const PortView& mysql, const PortView& pgsql, Served served, int64_t now_ns)
      : view_(view), now_ns_(now_ns), all_{{{"MySQL", mysql, served.mysql}, {"PostgreSQL", pgsql, served.pgsql}}} {}

  bool answer() const { return silent() == nullptr; }
  bool have_ever_answered() const {
    return any([](const Port& port) { return port.view.ever_answered; });
  }
  // Why one doesn't answer, PROXYSQL PAUSE aside. Only where one doesn't.
  std::string message(bool is_beating) const { return message(*silent(), is_beating); }

  // One that answered doesn't for longer than that, by a look that isn't too old.
  bool is_dead(int64_t span_ns) const { return dead(span_ns) != nullptr; }
  std::string death(int64_t span_ns) const {
    const Port& port = *dead(span_ns);
    return message(port, false) + ", for " + show_span(now_ns_ - port.view.since_ns);
  }

  std::string with_age(std::string message) const {
    for (const Port& port : all_) {
      if (!port.needed || !is_stale(port.view, now_ns_)) continue;
      message.insert(0, std::string("the ") + port.name + " port hasn't been looked at for " +
                            show_span(now_ns_ - port.view.looked_at_ns) + ", what was known of it stands; ");
    }
    return message;
  }

 private:
  struct Port {
    const char* name;
    const PortView& view;
    bool needed;
  };

  template <class Is>
  bool any(Is is) const {
    return std::any_of(all_.begin(), all_.end(), [&](const Port& port) { return port.needed && is(port); });
  }
  template <class Is>
  const Port* find(Is is) const {
    const auto found =
        std::find_if(all_.begin(), all_.end(), [&](const Port& port) { return port.needed && is(port); });
    return found == all_.end() ? nullptr : &*found;
  }
  const Port* silent() const {
    return find([](const Port& port) { return !port.view.answers; });
  }
  const Port* dead(int64_t span_ns) const {
    return find([&](const Port& port) {
      return port.view.known && port.view.ever_answered && !port.view.answers && !is_stale(port.view, now_ns_) &&
             now_ns_ - port.view.since_ns > span_ns;
    });
  }
  std::string message(const Port& port, bool is_beating) const {
    const std::string the_port = std::string("the ") + port.name + " port";
    if (!port.view.known) return the_port + " hasn't been looked at yet";
    if (is_beating && view_.observation.listener_paused != 0) {
      return "PROXYSQL PAUSE has closed " + the_port + ": PROXYSQL RESUME opens it";
    }
    return the_port + " doesn't answer: " + port.view.reason;
  }

  const StateView& view_;
  const int64_t now_ns_;
  const std::array<Port, 2> all_;
};

// The latest instant at which a port began to answer that still does; 0: none does.
int64_t answers_since_ns(const PortView& mysql, const PortView& pgsql) {
  return std::max(mysql.answers ? mysql.since_ns : 0, pgsql.answers ? pgsql.since_ns : 0);
}

bool has_ended(const StateView& view) { return view.drain.ended_ns >= view.draining_since_ns; }

std::string describe_drain(const StateView& view, int64_t now_ns) {
  const DrainRecord& drain = view.drain;
  if (drain.began_ns < view.draining_since_ns) return "draining: announced";
  if (has_ended(view)) return std::string(text(drain.message));
  const std::string clients =
      drain.clients < 0 ? "clients not counted" : counted(static_cast<uint64_t>(drain.clients), "client");
  return std::string("draining: ") + name(static_cast<DrainPhase>(drain.phase)) + ", " + clients + ", " +
         show_span(drain.deadline_ns - now_ns) + " left" +
         (drain.admin_unresponsive != 0 ? "; the admin interface is unresponsive" : "");
}

std::string describe(State state, const StateView& view, int64_t now_ns) {
  const BeatRecord& record = view.record;
  switch (state) {
    case State::maintenance:
      return "in maintenance: proxysql-pulse maintenance off ends it";
    case State::failing:
      if (!view.problem.empty()) return view.problem;
      if (record.consecutive_failures == 0) {
        return std::to_string(view.busy_in_row) + " beats in a row found the lock taken, for " +
               show_span(now_ns - view.busy_since_ns) +
               (view.busy_with ? ": " + other_holder_text(*view.busy_with)
                               : ": a process holds it that is no beat, or one that is stuck");
      }
      return "beats have failed for " + show_span(now_ns - record.failing_since_ns) + ": " +
             std::string(text(record.message));
    case State::admin_unresponsive: {
      if (record.consecutive_timeouts == 0) return "a beat is stuck past its deadline";
      const int64_t next = record.next_attempt_ns - now_ns;
      return "the admin interface hasn't answered for " + show_span(now_ns - unresponsive_since_ns(view)) + ", " +
             std::to_string(record.consecutive_timeouts) + " attempts timed out, next " +
             (next > 0 ? "in " + show_span(next) : "with the next beat");
    }
    case State::scheduler_silent:
      return view.last_beat_ns == 0
                 ? "no beat has ever come: is there an active scheduler row that runs proxysql-pulse beat, and can it "
                   "create the state segment (see ProxySQL's log)? A ProxySQL that has a proxysql.db runs on its rows, "
                   "and not on the file's: LOAD SCHEDULER FROM CONFIG, LOAD SCHEDULER TO RUNTIME, SAVE SCHEDULER TO "
                   "DISK bring those in"
                 : "no beat for " + show_span(now_ns - view.last_beat_ns) +
                       ": ProxySQL is stopped or wedged, its scheduler row was switched off, or its configuration "
                       "can't be read (see ProxySQL's log)";
    case State::starting:
      return view.record.ok == 0 ? "no beat has succeeded yet" : "no beat has succeeded since ProxySQL's start";
    case State::draining:
      return describe_drain(view, now_ns);
    case State::beating:
      break;
  }
  const Observation& seen = view.observation;
  if (seen.is_core == 0 && seen.at_ns != 0 && seen.live_peers == 0) {
    return seen.no_cluster_user == 0 ? "beating; no core is alive"
                                     : "beating; admin-cluster_username isn't set, so ProxySQL never checks a core";
  }
  if (seen.backends.total() == 0) return "beating; no backends";
  if (seen.backends.online == 0) return "all backends offline";
  return seen.backends.online < seen.backends.total() ? "some backends offline" : "all backends online";
}

}  // namespace

const char* name(State state) {
  switch (state) {
    case State::starting:
      return "starting";
    case State::beating:
      return "beating";
    case State::failing:
      return "failing";
    case State::admin_unresponsive:
      return "admin_unresponsive";
    case State::scheduler_silent:
      return "scheduler_silent";
    case State::draining:
      return "draining";
    case State::maintenance:
      return "maintenance";
  }
  return "unknown";
}

Policy make_policy(const Config& config, const std::string& host_name) {
  const auto ns = [](milliseconds span) { return nanoseconds(span).count(); };
  Policy policy;
  policy.is_core = config.is_core();
  policy.is_standalone = config.role == Role::standalone;
  policy.file = protocols_of(config);
  policy.interval_ns = ns(config.beat.interval);
  policy.backoff_max_ns = ns(config.beat.backoff_max);
  policy.mysql_dead_after_ns = ns(config.daemon.mysql_dead_after);
  policy.live_unready_after_ns = ns(config.daemon.live_unready_after);
  policy.live_after_ns = ns(config.daemon.live_after);
  policy.drain_timeout = config.drain.timeout;
  uint64_t hash = fnv1a(host_name);  // with a last mixing step: pod names differ in their last letters
  hash ^= hash >> 32;
  hash *= 0x9E3779B97F4A7C15;
  hash ^= hash >> 29;
  if (config.daemon.live_stagger.count() > 0) {
    policy.live_stagger_ns = static_cast<int64_t>(hash % static_cast<uint64_t>(ns(config.daemon.live_stagger)));
  }
  return policy;
}

namespace {

// Takes in what the view tells of the present start of ProxySQL.
void remember(const StateView& view, const Policy& policy, Memory& memory) {
  if (memory.start_ns != view.start.since_ns) {
    memory.start_ns = view.start.since_ns;
    memory.started = memory.configured = memory.served = false;
  }
  const Observation& seen = view.observation;
  const int64_t last_ok_ns = view.record.last_ok_ns;
  const bool seen_now = seen.at_ns != 0 && is_of(view.start, seen.at_ns, seen.proxysql_started_ns);
  if (last_ok_ns != 0) memory.ever_started = true;
  if (last_ok_ns != 0 && (seen_now || is_of(view.start, last_ok_ns))) memory.started = true;
  if (seen_now) memory.configured = seen.configured != 0;
  // Some daemon has found this ProxySQL started: so has everybody else then.
  if (view.start.served_ns != 0) memory.served = memory.started = memory.ever_started = true;
  memory.loaded = memory.loaded || !policy.is_core || has_loaded_its_file(view);
}

}  // namespace

Verdict decide(const StateView& view, const PortView& mysql, const Policy& policy, Memory& memory,
               int64_t running_since_ns, int64_t now_ns, const PortView& pgsql) {
  remember(view, policy, memory);

  Verdict verdict;
  verdict.state = decide_state(view, answers_since_ns(mysql, pgsql), policy, running_since_ns, now_ns);
  verdict.message = describe(verdict.state, view, now_ns);
  verdict.served = served_protocols(view, mysql, pgsql, policy.file);
  const Ports ports(view, mysql, pgsql, verdict.served, now_ns);
  const bool state_is_known = view.problem.empty();
  const std::string port_message = ports.answer() ? "" : ports.message(verdict.state == State::beating);

  // Started: one beat has gone through, and a port has answered; a core has loaded its file's modules, if that is up
  // to it. It is waited for a while only: a restart doesn't mend a discovery that fails. A ProxySQL whose predecessor
  // had started isn't restarted for want of beats, for it would come back without them. Without a segment the ports
  // alone count.
  const int64_t since_ns = std::max(running_since_ns, view.start.since_ns);
  const bool waited = now_ns - since_ns > kLoadPatience;
  const bool without_beats = memory.ever_started && now_ns - since_ns > first_beat_ns(policy.interval_ns) &&
                             verdict.state != State::admin_unresponsive && ports.answer();
  const bool beaten = memory.started || without_beats;
  const bool loaded = memory.loaded || memory.served;
  const bool has_answered = ports.have_ever_answered() || memory.served;
  verdict.started.passes = ((beaten && (loaded || waited)) || !state_is_known) && has_answered;
  verdict.started.message = !has_answered            ? port_message
                            : beaten && !loaded      ? why_not_loaded(view)
                            : verdict.started.passes ? "started"
                                                     : verdict.message;

  // Ready: a fault of the control plane must not take a working data plane out of service.
  if (verdict.state == State::maintenance || verdict.state == State::draining) {
    verdict.ready.message = verdict.message;
  } else if (!ports.answer()) {
    verdict.ready.message = ports.with_age(port_message);
  } else if (!policy.is_core && !policy.is_standalone && !memory.configured && state_is_known) {
    verdict.ready.message = "no configuration has been received from a core; " + verdict.message;
  } else {
    verdict.ready.passes = true;
    verdict.ready.message = ports.with_age(verdict.message);
  }
  if (verdict.started.passes && verdict.ready.passes) memory.served = true;

  // Live: only what a restart can mend, and only once it is certain.
  const bool draining = verdict.state == State::draining;
  const bool deliberately_closed =
      verdict.state == State::maintenance || draining || view.observation.listener_paused != 0;
  const bool port_dead = !deliberately_closed && ports.is_dead(policy.mysql_dead_after_ns);
  const int64_t unresponsive_ns = verdict.state == State::scheduler_silent || !is_confirmed(view, policy, now_ns)
                                      ? 0
                                      : now_ns - unresponsive_since_ns(view);
  const bool wedged_for_long =
      policy.live_after_ns > 0 && unresponsive_ns > policy.live_after_ns + policy.live_stagger_ns;
  // It has never served anybody, so a restart takes nothing away: ProxySQL may hang from its start on.
  const bool nobody_there = mysql.clients == 0 || (mysql.clients < 0 && view.start.since_ns != 0);
  const bool never_served = verdict.state == State::admin_unresponsive && !memory.served && nobody_there &&
                            policy.live_unready_after_ns > 0 && unresponsive_ns > policy.live_unready_after_ns;
  // A restart in the middle of a drain would cut those whom it waits for.
  const bool drain_runs = draining && may_be_at_work(view.draining_since_ns, view.drain, policy.drain_timeout, now_ns);
  verdict.live.passes = drain_runs || (!port_dead && !wedged_for_long && !never_served);
  verdict.live.message = verdict.live.passes ? ports.with_age(verdict.message)
                         : port_dead         ? ports.death(policy.mysql_dead_after_ns)
                         : wedged_for_long   ? verdict.message + "; that is longer than live_after"
                                             : verdict.message +
                                                 "; this ProxySQL was never ready, and that is longer "
                                                 "than live_unready_after";
  return verdict;
}

}  // namespace pulse
