#include "scheduler/cluster/core_plan.h"

#include <algorithm>

#include "scheduler/cluster/config_authority.h"
#include "scheduler/cluster/mend.h"
#include "scheduler/cluster/unlock_and_divergence.h"
#include "shm/record/core_record.h"
#include "shm/segment/boot.h"
#include "src/base/clock.h"

namespace pulse {

namespace {

void begin_boot(const CoreInput& input, CoreRecord& record) {
  const bool same_boot =
      record.proxysql_started_ns != 0 && is_same_boot(record.proxysql_started_ns, input.proxysql_started_ns);
  if (same_boot) return;
  const Dispute dispute = record.dispute;
  record = core_record_after_boot(record);
  record.dispute = dispute;
  record.dispute.stands = 0;  // nobody has undone what ended with the earlier ProxySQL
  record.proxysql_started_ns = input.proxysql_started_ns;
}

// A load makes version 2 at least: ProxySQL has started again, too soon after the last time to tell by its uptime.
void forget_stamp_of_earlier_boot(const CoreInput& input, const FileModule& module, CoreRecord& record) {
  const ModuleRow* counted = find_module(input.seen.modules, module.name);
  Stamp* stamp = find_stamp(record, module.name);
  if (stamp == nullptr || counted == nullptr || counted->version > 1) return;
  *stamp = record.stamps[std::min<size_t>(record.stamps_count, kModules) - 1];
  --record.stamps_count;
}

// A load that fails takes a person's changes in memory with it each time: after the second try in a row it waits, for a
// minute in the end.
bool must_wait(const CoreInput& input, const CoreModule& module) {
  constexpr int kAtOnce = 2, kMostDoublings = 6;
  if (module.failures <= kAtOnce || module.tried_ns > input.now_ns) return false;
  const std::chrono::seconds pause(std::min(60, 1 << std::min(module.failures - kAtOnce, kMostDoublings)));
  return input.now_ns - module.tried_ns < nanoseconds(pause).count();
}

// With core.apply = "on_change". True if the module may be unlocked: nothing of the file is to be done with it.
bool apply_change(const CoreInput& input, const Rank& rank, const FileModule& module, CoreModule& record,
                  CorePlan& out) {
  forget_stamp_of_earlier_boot(input, module, out.record);
  Stamp* stamp = find_stamp(out.record, module.name);
  if (decide_module(input, rank, stamp != nullptr, record, out.applied)) {
    if (must_wait(input, record)) {
      record.state = static_cast<uint8_t>(FileState::waiting);
      set_text(record.why, std::to_string(record.failures) + " tries in a row to load it failed, the log says why; " +
                               "it is tried again within a minute");
      out.record.waiting = 1;
      return false;
    }
    load_file(input, module, std::string(module.name) + " as in the file: " + std::string(text(record.why)), out);
    return false;
  }
  const auto state = static_cast<FileState>(record.state);
  if (state == FileState::waiting) {
    // What it waits for comes soon, or another core's file counts, or nobody's: then it is as for a core that stands
    // aside.
    const bool soon = !rank.too_early.empty();
    if (soon && static_cast<Standing>(out.record.standing) == Standing::authority) out.record.waiting = 1;
    return !soon;
  }
  if (stamp == nullptr || state != FileState::applied) return true;
  const std::string reason = overwritten(input, module, *stamp);
  if (!reason.empty()) load_file(input, module, reason, out);
  if (stamp->settled != 0) record.pending = 0;
  return stamp->settled != 0;
}

// A pull that has replaced this core's load of proxysql_servers since has brought its own epoch, by which the load
// can't be told any more: another one in that second would never reach those that have pulled the first. An empty table
// doesn't wait.
bool loaded_a_moment_ago(const Dispute& dispute, const CoreInput& input) {
  const auto& servers = input.seen.servers;
  const int64_t age_ns = input.now_ns - dispute.loaded_ns;
  const bool is_recent = dispute.loaded_ns != 0 && age_ns >= 0 && age_ns < nanoseconds(std::chrono::seconds(1)).count();
  return is_recent && std::any_of(servers.begin(), servers.end(), [](const ServerRow& row) { return row.in_runtime; });
}

// Whether anything is to be done with a module of PostgreSQL's: what a LOAD of it comes to shows in its version alone,
// and where nobody pulls it, each node has its own. Says in `record` why not.
bool takes_part(const CoreInput& input, const FileModule& module, CoreModule& record) {
  const ModuleRow* own = checksum_of(module, input.seen.modules);
  std::string why;
  if (own == nullptr) {
    why = "this ProxySQL has no PostgreSQL modules";
  } else if (!input.syncs_pgsql) {
    why = "ProxySQL syncs it since 3.0.7: each node serves what its own file or database says";
  } else if (own->version == 0) {
    why = "ProxySQL keeps no version of it, so what a load comes to can't be seen";
  }
  if (why.empty()) return true;
  record.state = static_cast<uint8_t>(FileState::none);
  set_text(record.why, why);
  return false;
}

}  // namespace

const Core* self_of(const CoreInput& input) { return input.list.usable() ? input.list.self() : nullptr; }

bool comes_before(const Core& core, const Core& self) {
  if (core.revision != self.revision) return core.revision > self.revision;
  if (core.created_at != self.created_at) return core.created_at > self.created_at;
  return &core < &self;  // the list is ordered by address
}

const ServerRow* server_row(const Seen& seen, const ServerKey& server) {
  for (const ServerRow& row : seen.servers) {
    if (row.port == server.second && row.hostname == server.first) return &row;
  }
  return nullptr;
}

CorePlan plan_core(const CoreInput& input) {
  CorePlan out{{}, input.record, input.applied, input.mends};
  begin_boot(input, out.record);
  const uint32_t taken_apart = out.record.taken_apart;
  note_cores(input, out.record);
  const Rank rank = rank_of(input, out.record);
  take_file(input, rank, out.record);
  decide_standing(input, rank, out.record);
  const Core* self = self_of(input);
  if (self != nullptr) {
    watch_dispute(out.record.dispute, input.list, input.seen, input.now_ns, input.resync_requested);
    Plan membership;
    plan_membership(input.list, input.seen, Pulled::by_peers, membership,
                    allowed_changes(out.record.dispute, input.seen, input.now_ns));
    const bool loads = !membership.steps.empty() && membership.steps.back().loads;
    if (loads && loaded_a_moment_ago(input.record.dispute, input)) {
      out.plan.situation = "proxysql_servers was loaded a moment ago, a later beat loads again";
      out.plan.deferred = true;
    } else {
      out.plan = std::move(membership);
    }
  } else {
    out.plan.situation = why_no_membership(input);
  }
  out.record.waiting = 0;
  const auto standing = static_cast<Standing>(out.record.standing);
  for (const FileModule& module : file_modules()) {
    const bool wanted =
        contains(input.config.core.modules, module.name) && contains(input.config.file_groups, module.name);
    // Without the module there is no statement that ProxySQL would take.
    const bool is_there = !module.pgsql || checksum_of(module, input.seen.modules) != nullptr;
    if (!is_there && !wanted) continue;
    if (is_there) put_together(module, taken_apart, out.plan);
    CoreModule* record = core_module(out.record, module.name);
    if (record == nullptr) continue;
    if (module.pgsql && !takes_part(input, module, *record)) continue;
    note_served(input, module, *record);
    if (!wanted) continue;
    bool may_unlock = standing == Standing::aside;
    if (input.config.core.apply == Apply::on_change) {
      may_unlock = apply_change(input, rank, module, *record, out);
    } else if (standing == Standing::authority) {
      load_file_once_per_boot(input, module, taken_apart, out);
    }
    if (may_unlock && self != nullptr) {
      unlock(input, *self, module, *record, out);
    } else {
      record->locked_beats = 0;
    }
  }
  if (self != nullptr) {
    end_divergence(input, *self, out.plan);
    mend_satellites(input, *self, out);
  }
  for (const Step& step : out.plan.steps) {
    CoreModule* loaded = step.loads ? find_core_module(out.record, step.part) : nullptr;
    if (loaded != nullptr) loaded->tried_ns = input.now_ns;
  }
  return out;
}

}  // namespace pulse
