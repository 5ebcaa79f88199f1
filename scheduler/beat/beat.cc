#include "scheduler/beat/beat.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/beat/core_log.h"
#include "scheduler/beat/observation.h"
#include "scheduler/beat/real_beat_system.h"
#include "scheduler/beat/reconciliation.h"
#include "scheduler/cli/command.h"
#include "scheduler/cluster/mend.h"
#include "scheduler/drain/announcement.h"
#include "scheduler/drain/drain_admin.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "shm/record/ownership.h"
#include "shm/segment/names.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/config/identity.h"

namespace pulse {

namespace {

std::optional<std::string> resync_line(const Known& known, const Plan& plan) {
  if (!known.resync || !plan.steps.empty()) return std::nullopt;
  return "resync: nothing done: " + plan.situation;
}

// Of a satellite: the last core has gone, or the first one has come back.
void log_transition(const Known& known, const Plan& plan, const Observation& now) {
  if (const auto line = resync_line(known, plan)) log_warning(*line);
  if (now.modules_left_out != 0 && now.modules_left_out != known.last.modules_left_out) {
    log_warning("ProxySQL has " + std::to_string(now.modules_left_out) +
                " modules more than this Pulse has room for (" + std::to_string(kModules) +
                "): nothing is told of them, and nothing done with them");
  }
  if (now.is_core != 0) return;
  const bool had_core = known.last.at_ns == 0 || known.last.live_peers > 0;
  if (had_core && now.live_peers == 0 && plan.steps.empty()) {
    log_warning("no core is alive" + (plan.situation.empty() ? "" : ": " + plan.situation));
  }
  if (known.last.at_ns != 0 && known.last.live_peers == 0 && now.live_peers > 0) {
    log_info(std::to_string(now.live_peers) + " cores are alive again");
  }
}

// Few beats change anything of it. One that has acted has published the record before.
void publish_core(Layout& layout, const Known& known, Reconciliation& reconciliation, bool has_acted) {
  const CoreRecord& core = reconciliation.core();
  if (has_acted || std::memcmp(&core, &known.core, sizeof core) != 0) layout.core.publish(core);
  const Applied& applied = reconciliation.applied();
  const bool changed = std::memcmp(&applied, &known.applied, sizeof applied) != 0;
  if (changed || known.applied_is_news) layout.applied.publish(applied);
  const MendRecord& mends = reconciliation.mends();
  if (has_acted || std::memcmp(&mends, &known.mends, sizeof mends) != 0) {
    layout.mends.publish_part(mends, mend_bytes(mends));
  }
}

// Of a core. Before the record is published, which remembers when it was said.
void log_dispute(const Dispute& before, Dispute& now, int64_t now_ns) {
  const std::string line = dispute_line(before, now, now_ns);
  if (line.empty()) return;
  now.stopped_ns != 0 ? log_warning(line) : log_info(line);
}

}  // namespace

Beat::Beat(const Options& options, BeatSystem& system, GuardedLayout& layout, std::string no_segment, Moment began,
           Known& known)
    : options_(options),
      system_(system),
      layout_(layout),
      no_segment_(std::move(no_segment)),
      began_(began),
      lock_(system, layout, began.boot),
      log_(system, layout, began.boot),
      drain_(system, layout),
      known_(known) {}

int Beat::run() {
  if (const auto code = skip()) return *code;
  log_.begin(began_.boot + options_.timeout.value_or(kProvisionalTimeout));
  return work();
}

// The way of a beat that makes no attempt, at the least cost.
std::optional<int> Beat::skip() {
  const auto locked = lock_.take();
  if (!locked) {
    log_error(locked.error().text +
              ": no beat without a lock; set pulse.state to a path where this user may make files");
    return kExitConfig;
  }
  if (!*locked) return kExitSkipped;
  if (!layout_.usable()) {
    log_error(no_segment_ + "; this beat goes on without it: no back-off, no report");
    return std::nullopt;
  }
  if (log_.open(lock_.killed_holder()) && (drain_.stands_aside() || !log_.admitted())) return kExitSkipped;
  return std::nullopt;
}

int Beat::work() {
  if (auto configured = configure(); !configured) {
    end_.message = configured.error().text;
    end_.outcome = Outcome::failed;
    end_.exit_code = kExitConfig;
    return log_.finish(end_);
  }
  await_members();
  for (const auto step : {&Beat::connect, &Beat::observe, &Beat::plan, &Beat::act}) {
    if (auto done = (this->*step)(); !done) return fail(done.error());
  }
  publish();
  if (acted_.refused) {
    log_.enter(Phase::act);
    return fail(*acted_.refused);
  }
  return log_.finish(end_);
}

// From here on the attempt has the file's own timeout, counted from the beat's first instruction.
Result<void> Beat::configure() {
  const auto loaded = system_.load();
  if (!loaded) return loaded.error();
  config_ = &(*loaded)->config;
  log_.set_intervals(config_->beat.interval, config_->beat.backoff_max);
  layout_.with([&](Layout& layout) {
    const bool default_path = !options_.state && layout_.path() == kDefaultStatePath;
    if (default_path) {
      layout.config_identity.store((*loaded)->identity, std::memory_order_relaxed);
      layout.config_path.store(config_path_hash(options_.config), std::memory_order_relaxed);
    }
    Owner owner{};
    const Owner self = owner_of(*config_);
    const Ownership ownership = layout.owner.read(owner) ? judge_owner(owner, self) : Ownership::ours;
    if (ownership == Ownership::unclaimed || ownership == Ownership::moved) layout.owner.publish(self);
    resync_requested_ = layout.resync_requested.load(std::memory_order_relaxed);
    static_cast<void>(read_known(layout, log_.boot_id(), began_.boot, config_->discovery.max_age, known_));
    known_.may_load_file = !system_.is_second_user();
  });
  system_.arm_hard_timer(began_.monotonic + config_->beat.timeout);
  log_.move_deadline(began_.boot + config_->beat.timeout);
  deadline_ = io_deadline(began_.monotonic, config_->beat.timeout);
  // At the end of a timeout there is hardly time for it on a big host.
  if (log_.lacks_proxysql()) log_.watch_proxysql(*config_, Deadline::at(began_.monotonic + config_->beat.timeout / 4));
  return {};
}

// The daemon finds the segment that the first beat has made, and puts its list there within milliseconds. Without the
// list this beat would do nothing, and a core would follow its bootstrap name for an interval more: a name that leads
// to the core itself hangs ProxySQL. Only the first attempt since the machine's boot waits, for half of its time at
// most, and for a daemon that doesn't show itself for kDaemonPatience.
void Beat::await_members() {
  constexpr milliseconds kTurn{2};
  constexpr milliseconds kDaemonPatience{250};
  if (config_->discovery.source == Source::none || !log_.is_first() || !layout_.usable()) return;
  const BootTime until = began_.boot + nanoseconds(config_->beat.timeout) / 2;
  for (;;) {
    bool daemon_there = false;
    layout_.with([&](Layout& layout) {
      Discovery discovery{};
      daemon_there = layout.discovery.read(discovery) && discovery.boot_id == log_.boot_id();
      static_cast<void>(read_known(layout, log_.boot_id(), system_.now(), config_->discovery.max_age, known_));
    });
    const BootTime now = system_.now();
    if (known_.list.usable() || now >= until) return;
    if (!daemon_there && now >= began_.boot + kDaemonPatience) return;
    system_.pause(kTurn);
  }
}

Result<void> Beat::connect() {
  log_.enter(Phase::connect);
  auto session = system_.connect(*config_, deadline_);
  if (!session) {
    end_.expected = is_unreachable(session.error()) && drain_.has_stopped_proxysql();
    return session.error();
  }
  session_ = std::move(*session);
  reconciliation_.emplace(*session_, *config_, known_, deadline_, began_.boot);
  return {};
}

// A drain that is left over is judged by the boot of ProxySQL, so everything is read then.
Result<void> Beat::observe() {
  log_.enter(Phase::observe);
  auto seen = reconciliation_->observe(drain_.found() ? std::optional(Look::everything) : std::nullopt);
  if (!seen) return seen.error();
  seen_ = std::move(*seen);
  if (!drain_.found()) return {};
  log_.enter(Phase::act);
  return drain_.end(*config_, began_.boot - std::chrono::seconds(seen_.uptime_s), deadline_);
}

Result<void> Beat::plan() {
  auto planned = reconciliation_->plan(seen_, [this](Phase phase) { log_.enter(phase); });
  if (!planned) return planned.error();
  plan_ = std::move(*planned);
  return {};
}

Result<void> Beat::act() {
  log_.enter(Phase::act);
  // Before anything is done: should this beat die, the next one finds word of what it was about to replace.
  if (config_->is_core() && !plan_.steps.empty()) {
    layout_.with([&](Layout& layout) {
      layout.core.publish(reconciliation_->core());
      layout.mends.publish_part(reconciliation_->mends(), mend_bytes(reconciliation_->mends()));
    });
  }
  auto acted = reconciliation_->act(plan_);
  if (!acted) return acted.error();
  acted_ = std::move(*acted);
  end_.writes = acted_.writes;
  if (!plan_.steps.empty()) {  // what is reported is what is there now
    auto after = reconciliation_->observe(Look::everything);
    if (!after) return after.error();
    if (config_->is_core()) {
      settle_core(reconciliation_->core(), reconciliation_->applied(), plan_, acted_.outcomes, seen_, *after,
                  system_.now().ns);
      settle_mends(reconciliation_->mends(), plan_, acted_.outcomes);
      note_membership_load(reconciliation_->core().dispute, acted_.outcomes.loaded, system_.now().ns);
    }
    seen_ = std::move(*after);
  }
  session_->say_goodbye(deadline_);
  return {};
}

// When all else is done, for it is only told. The daemon's beats in a container of their own can't read it, and leave
// it to the scheduler's.
void Beat::look_at_memory(ProcessMemory& memory) {
  constexpr nanoseconds kEach = std::chrono::minutes(5);
  constexpr milliseconds kWithin{20};
  const int64_t now_ns = system_.now().ns;
  const auto is_old = [&](int64_t instant_ns) { return instant_ns == 0 || now_ns - instant_ns >= kEach.count(); };
  if (!is_old(memory.read_ns) || !layout_.usable()) return;
  const uint64_t place = system_.pid_namespace();
  if (memory.failed_in == place && !is_old(memory.failed_ns)) return;
  const Deadline by = Deadline::at(std::min(deadline_.instant(), Deadline::after(kWithin).instant()));
  if (const auto read = system_.read_memory(*config_, by)) {
    memory = *read;
    memory.read_ns = now_ns;
  } else {
    memory.failed_ns = now_ns;
    memory.failed_in = place;
  }
}

void Beat::publish() {
  log_.enter(Phase::publish);
  if (config_->is_core()) log_dispute(known_.core.dispute, reconciliation_->core().dispute, system_.now().ns);
  Observation observation =
      to_observation(seen_, known_.last, system_.now().ns, config_->satellite.peer_timeout, !config_->is_satellite());
  look_at_memory(observation.memory);
  layout_.with([&](Layout& layout) {
    layout.observation.publish_part(observation, used_bytes(observation));
    if (seen_.has_globals) layout.hostgroups.publish(to_hostgroups(seen_, observation.at_ns));
    if (config_->is_core()) publish_core(layout, known_, *reconciliation_, !plan_.steps.empty());
    if (known_.resync && !plan_.deferred && !acted_.refused) {
      layout.resync_done.store(resync_requested_, std::memory_order_relaxed);
    }
  });
  log_transition(known_, plan_, observation);
  if (!layout_.usable() || !config_->is_core()) return;
  log_core(known_.core, reconciliation_->core());
  log_mends(known_.mends, reconciliation_->mends());
}

int Beat::fail(const Error& error) {
  end_.exit_code = exit_code_of(error, log_.phase());
  const bool timed_out = end_.exit_code == kExitTimeout;
  end_.outcome = timed_out ? Outcome::timed_out : Outcome::failed;
  const std::string hint = log_.phase() == Phase::connect ? login_hint(error, *config_) : "";
  end_.message = timed_out      ? error.text + " in phase " + name(log_.phase())
                 : hint.empty() ? error.text
                                : error.text + ": " + hint;
  const int code = log_.finish(end_);
  // The hard timer would cut it just as well, but with a mark of its own.
  if (timed_out)
    log_.watch_proxysql(*config_, Deadline::at(began_.monotonic + config_->beat.timeout - milliseconds(5)));
  return code;
}

namespace {

void forget_mark() { set_hard_timer_mark(nullptr, 0); }

// Why this isn't the segment that the configuration names: said the 1st, 2nd, 4th, ... time.
void tell_spare(StateAccess& state) {
  uint64_t runs = 1;
  const bool counted = guarded([&] { runs = state.layout()->spare_runs.fetch_add(1, std::memory_order_relaxed) + 1; });
  if (!counted || is_worth_logging(runs)) log_error(state.problem());
}

}  // namespace

int run_beat(const Options& options) {
  const Moment began;
  arm_hard_timer(Deadline::at(began.monotonic + options.timeout.value_or(kProvisionalTimeout)));
  limit_memory();
  // Nothing is ever destroyed: the process ends right after it, and the kernel takes the lock, the mapping and the
  // memory back in one go.
  auto& system = *std::make_unique<RealBeatSystem>(options).release();
  StateAccess& state = system.state();
  state.open();
  if (state.layout() == nullptr && !state.config_error().empty()) {
    log_error(state.config_error());
    return kExitConfig;
  }
  if (state.layout() != nullptr && !state.problem().empty()) tell_spare(state);
  auto& layout =
      *std::make_unique<GuardedLayout>(state.layout(), state.path(), "this beat goes on without it", forget_mark)
           .release();
  static Known known;
  return std::make_unique<Beat>(options, system, layout, state.problem(), began, known).release()->run();
}

namespace {

int run_any_beat(const Options& options) { return options.dry_run ? run_dry_beat(options) : run_beat(options); }

constexpr std::array<Option, 2> kBeatOptions = {{
    {"dry-run", nullptr, "print what a beat would do and why; change nothing\n", take_flag<&Options::dry_run>},
    timeout_option(50, 60'000, "{} (pulse.timeout_ms, 4/5 of the interval)\n"),
}};

constexpr std::array<Exit, 6> kBeatExits = {{
    {nullptr, kExitOk},
    {"admin interface unreachable or login refused", kExitUnavailable},
    {nullptr, kExitStatement},
    {"skipped: another beat runs, or backing off from an admin interface that hangs", kExitSkipped},
    {nullptr, kExitConfig},
    {nullptr, kExitTimeout},
}};

}  // namespace

constinit const Command kBeatCommand = {
    .name = "beat",
    .summary = "one reconciliation, then exit; --dry-run: what it would do",
    .usage = "[--dry-run] [OPTION...]",
    .about = R"(One reconciliation: looks at ProxySQL, repairs what differs, exits. By hand it
is the same as by the scheduler. Quiet when there is nothing to do.
)",
    .options = kBeatOptions,
    .more = R"(What ProxySQL's scheduler needs, in the same file as the group pulse:
  scheduler = ( { id = 1  active = 1  interval_ms = 2000
                  filename = "/usr/bin/proxysql-pulse"  arg1 = "beat" } )
A ProxySQL that has run before takes it in with, on its admin interface,
  LOAD SCHEDULER FROM CONFIG; LOAD SCHEDULER TO RUNTIME; SAVE SCHEDULER TO DISK;
)",
    .exits = kBeatExits,
    .by_scheduler = true,
    .timeout_key = "timeout_ms",
    .run = run_any_beat,
};

}  // namespace pulse
