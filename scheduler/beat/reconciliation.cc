#include "scheduler/beat/reconciliation.h"

#include <algorithm>
#include <cstddef>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/beat/observation.h"
#include "src/base/log.h"

namespace pulse {

bool read_known(const Layout& layout, uint64_t boot_id, BootTime now, std::chrono::milliseconds max_age, Known& known) {
  static Members members;  // 200 KB of which the pages of the first few cores are touched
  Discovery discovery{};
  const bool read = layout.observation.read(known.last) && layout.core.read(known.core) &&
                    layout.discovery.read(discovery) &&
                    layout.members.read_part(members, offsetof(Members, members), [](const Members& head) {
                      return offsetof(Members, members) + std::min<size_t>(head.cores, kMembers) * sizeof(Member);
                    });
  known.resync =
      layout.resync_requested.load(std::memory_order_relaxed) != layout.resync_done.load(std::memory_order_relaxed);
  known.has_segment = read;
  if (read) known.list = usable_cores(members, discovery, boot_id, now.ns, max_age);
  return read;
}

Result<Seen> Reconciliation::observe(std::optional<Look> wanted) {
  const uint64_t id = client_.connection_id();
  Look look = wanted.value_or(what_to_look_at(known_.last, id, began_.ns));
  for (;;) {
    auto answer = client_.query(observe_statement(look), deadline_);
    if (!answer) return answer.error();
    auto seen = parse_seen(*answer, look);
    if (!seen) return seen.error();
    if (look == Look::cluster && has_loaded(*seen, known_.last)) {
      look = Look::everything;
      continue;
    }
    seen->connection_id = id;
    watch_peers(*seen, known_.last, began_.ns, {config_.beat.interval, config_.satellite.peer_timeout});
    return seen;
  }
}

Result<Plan> Reconciliation::plan(Seen& seen, const std::function<void(Phase)>& enter) {
  enter(Phase::plan);
  Plan plan = plan_of(seen);
  if (plan.steps.empty()) return plan;
  enter(Phase::observe);
  auto again = observe(seen.has_globals ? Look::everything : Look::cluster);
  if (!again) return again.error();
  seen = std::move(*again);
  enter(Phase::plan);
  return plan_of(seen);
}

Plan Reconciliation::plan_of(const Seen& seen) {
  if (!config_.is_core()) {
    return plan_satellite(
        {seen, config_.bootstrap, config_.satellite.peer_timeout, known_.list, known_.resync, known_.has_segment});
  }
  const int64_t started_ns =
      seen.has_globals ? began_.ns - seen.uptime_s * 1'000'000'000 : known_.last.proxysql_started_ns;
  CorePlan made = plan_core({seen, known_.list, config_, known_.core, started_ns, began_.ns, known_.resync});
  core_ = made.record;
  return std::move(made.plan);
}

Result<Acted> Reconciliation::act(const Plan& plan) {
  Acted acted;
  std::vector<std::string> refused_parts;
  for (const Step& step : plan.steps) {
    if (std::find(refused_parts.begin(), refused_parts.end(), step.part) != refused_parts.end()) continue;
    auto done = run(step, acted);
    if (done) {
      if (step.loads) acted.outcomes.loaded.push_back(step.part);
      if (step.restores) acted.outcomes.restored.push_back(step.part);
      log_info(step.statement + ": " + step.reason);
      continue;
    }
    if (!is_refusal(done.error())) return done.error();
    refused_parts.push_back(step.part);
    if (!acted.refused) {
      acted.refused = done.error();
    } else {
      log_error(done.error().text);
    }
    if (step.undo.empty()) continue;
    if (auto undone = client_.query(step.undo, deadline_); !undone) {
      if (!is_refusal(undone.error())) return undone.error();
      log_error(undone.error().text);
    } else {
      acted.outcomes.restored.push_back(step.part);
      log_warning(step.undo + ": brings back what was in memory, after " + done.error().text);
    }
  }
  return acted;
}

Result<void> Reconciliation::run(const Step& step, Acted& acted) {
  if (!step.needs_rows_in.empty()) {
    auto count = client_.query("SELECT COUNT(*) FROM " + step.needs_rows_in, deadline_);
    if (!count) return count.error();
    if (count->rows.size() != 1 || count->rows[0].empty() || count->rows[0][0] == "0") {
      return Error{step.needs_rows_in + " is empty: not loaded, the emptiness would spread"};
    }
  }
  auto done = client_.query(step.statement, deadline_);
  if (done) {
    ++acted.writes;
    return {};
  }
  if (!is_refusal(done.error()) || step.instead.empty()) return done.error();
  log_warning(done.error().text + ": inserting the file's entries instead");
  for (const std::string& statement : step.instead) {
    done = client_.query(statement, deadline_);
    if (!done) return done.error();
    ++acted.writes;
  }
  return {};
}

}  // namespace pulse
