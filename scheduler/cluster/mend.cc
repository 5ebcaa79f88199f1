#include "scheduler/cluster/mend.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shm/record/core_record.h"
#include "src/base/clock.h"
#include "src/base/host_port.h"

namespace pulse {

namespace {

bool is_of(const Mend& mend, const StuckModule& stuck) {
  return mend.port == stuck.port && mend.address == stuck.address && mend.module == stuck.module;
}

bool has_passed(int64_t now_ns, int64_t since_ns, nanoseconds span) {
  return since_ns == 0 || now_ns - since_ns >= span.count();
}

std::string name_of(const StuckModule& stuck) { return "satellite " + host_port_text(text(stuck.address), stuck.port); }

std::span<const StuckModule> stuck_modules(const CoreInput& input) {
  const SatelliteReports* reports = input.satellites;
  if (reports == nullptr || reports->leads_ns == 0 || has_passed(input.now_ns, reports->leads_ns, kLeadershipAge)) {
    return {};
  }
  return {reports->modules.data(), std::min<size_t>(reports->count, kStuckModules)};
}

bool is_stuck(std::span<const StuckModule> stuck, const Mend& mend) {
  return std::any_of(stuck.begin(), stuck.end(), [&](const StuckModule& one) { return is_of(mend, one); });
}

// A free one, or that of a satellite which is well: of the one that was loaded for least often, or longest ago. Null if
// all are stuck.
Mend* place_for_another(std::span<const StuckModule> stuck, MendRecord& record) {
  if (record.count < kMends) return &record.mends[record.count++];
  Mend* least = nullptr;
  for (Mend& mend : record.mends) {
    if (is_stuck(stuck, mend)) continue;
    if (least == nullptr || std::pair(mend.loads, mend.loaded_ns) < std::pair(least->loads, least->loaded_ns)) {
      least = &mend;
    }
  }
  return least;
}

// Leaves out what nobody needs to know any more, and makes room for what is new.
void keep_mends(const CoreInput& input, std::span<const StuckModule> stuck, MendRecord& record) {
  record.count = std::min<uint32_t>(record.count, kMends);
  const auto begin = record.mends.begin();
  const auto end = std::remove_if(begin, begin + record.count, [&](const Mend& mend) {
    if (is_stuck(stuck, mend)) return false;
    return mend.loads == 0 || mend.loaded_ns > input.now_ns ||
           has_passed(input.now_ns, mend.loaded_ns, kMendsForgottenAfter);
  });
  record.count = static_cast<uint32_t>(end - begin);
  for (Mend& mend : record.mends) {
    const bool used = &mend < &record.mends[0] + record.count;
    if (!used) mend = Mend{};
    if (mend.loaded_ns > input.now_ns) mend.loaded_ns = 0;  // of an earlier boot of the machine
    if (used && !is_stuck(stuck, mend)) mend.why = {};
  }
  for (const StuckModule& one : stuck) {
    const auto now = record.mends.begin() + record.count;
    if (std::any_of(record.mends.begin(), now, [&](const Mend& mend) { return is_of(mend, one); })) continue;
    Mend* const place = place_for_another(stuck, record);
    if (place == nullptr) return;
    Mend& mend = *place;
    mend = Mend{};
    mend.address = one.address;
    mend.module = one.module;
    mend.port = one.port;
  }
}

// Of what can be pulled; 0: nobody has anything above version 1.
int64_t newest_epoch(const CoreInput& input, const ModuleRow& own) {
  int64_t newest = own.version > 1 ? own.epoch : 0;
  for (const ServerRow& row : input.seen.servers) {
    const ModuleRow* theirs = find_module(row.modules, own.name);
    if (theirs == nullptr || theirs->version <= 1 || !is_live(row, input.config.satellite.peer_timeout)) continue;
    newest = std::max(newest, theirs->epoch);
  }
  return newest;
}

// Why the cores don't say with one voice what is right; "" if they do. `own` is what this one has.
std::string disagreement(const CoreInput& input, const Core& self, const ModuleRow& own) {
  const int64_t newest = newest_epoch(input, own);
  for (const ServerRow& row : input.seen.servers) {
    if (self.server == ServerKey{row.hostname, row.port}) continue;
    const std::string peer = host_port_text(row.hostname, row.port);
    const ModuleRow* theirs = find_module(row.modules, own.name);
    const bool differs = theirs == nullptr || theirs->checksum != own.checksum;
    if (is_live(row, input.config.satellite.peer_timeout)) {
      if (differs) return "core " + peer + " has something else: the cores don't agree";
    } else if (!is_dead(row, input.config.satellite.peer_timeout)) {
      return "core " + peer + " hasn't been reached yet";
    } else if (differs && theirs != nullptr && theirs->version > 1 && theirs->epoch > newest) {
      // A satellite may have pulled it from there while it was alive.
      return "core " + peer + ", which isn't reached, had something newer";
    }
  }
  for (const Core& core : input.list.cores) {
    if (core.is_self || server_row(input.seen, core.server) != nullptr) continue;
    return "core " + host_port_text(core.server.first, core.server.second) + " isn't in proxysql_servers yet";
  }
  return "";
}

// Why this core can't say what is right, or isn't asked to; "" if it may.
std::string why_not_here(const CoreInput& input, const Core& self, const FileModule& module, const CorePlan& out) {
  const ModuleRow* own = checksum_of(module, input.seen.modules);
  if (own == nullptr) return "this core doesn't have it";
  if (is_empty_checksum(own->checksum)) return "it is empty on this core: not loaded, the emptiness would spread";
  if (const CoreModule* file = find_core_module(out.record, module.name); file != nullptr) {
    const auto state = static_cast<FileState>(file->state);
    if (state == FileState::waiting || state == FileState::to_be_loaded || file->pending != 0 || file->unsure != 0) {
      return "this core's file is being loaded";
    }
  }
  if (std::string why = disagreement(input, self, *own); !why.empty()) return why;
  // A core that has started with the same as the others stays at version 1: that one of them is above says for all.
  if (newest_epoch(input, *own) == 0) return "it is at version 1 on all cores, which may have started with an old one";
  return "";
}

// Why a load wouldn't help this satellite, or would take too much away; "" if it is right. Nothing that moves with each
// beat: what is said is published and logged.
std::string why_not_for(const CoreInput& input, const FileModule& module, const StuckModule& stuck, const Mend& mend) {
  const ModuleRow& own = *checksum_of(module, input.seen.modules);
  const auto origin = static_cast<ModuleOrigin>(stuck.origin);
  const int64_t newest = newest_epoch(input, own);
  if (has_passed(input.now_ns, stuck.seen_ns, kSatelliteReportAge)) return "what it says is old";
  if (text(stuck.checksum) == own.checksum) return "it has the same by now";
  if (text(stuck.peers_checksum) != own.checksum) {
    return "the cores that it knows have something else than this one: a change under way, or another cluster's";
  }
  if (newest > stuck.epoch) return "a core has loaded it since: the satellite is about to pull";
  // What a core had, and nobody has any more, may be the newest that was ever meant.
  if (newest < stuck.epoch && origin == ModuleOrigin::core) {
    return "it has pulled this from a core that isn't there any more: a LOAD on the right node decides";
  }
  if (newest < stuck.epoch && origin != ModuleOrigin::here) {
    return "no beat there has seen whether it was loaded there or pulled: a LOAD on the right node decides";
  }
  if (stuck.epoch >= input.seen.now_s)
    return "its load is of a time to come by this core's clock: one here wouldn't count";
  if (mend.loads >= kMostMends) {
    return "it was loaded again " + std::to_string(kMostMends) + " times, which didn't last: no more is done";
  }
  if (!has_passed(input.now_ns, stuck.since_ns, kStuckBeforeMend)) return "it must have stood for a minute";
  if (input.config.satellite.mend == MendMode::report) return "satellite.mend is \"report\"";
  if (!has_passed(input.now_ns, mend.loaded_ns, kMendEvery)) return "it is tried again after five minutes";
  return "";
}

bool is_loaded(const Plan& plan, const FileModule& module) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [&](const Step& step) { return step.loads && step.part == module.name; });
}

void mend_module(const CoreInput& input, const Core& self, const FileModule& module, std::span<const StuckModule> stuck,
                 CorePlan& out) {
  const std::string here = why_not_here(input, self, module, out);
  std::vector<Mend*> mended;
  bool recently = is_loaded(out.plan, module);
  std::string reason;
  for (uint32_t i = 0; i < out.mends.count; ++i) {
    Mend& mend = out.mends.mends[i];
    if (text(mend.module) != module.checksum) continue;
    recently = recently || !has_passed(input.now_ns, mend.loaded_ns, kMendModuleEvery);
    const auto one =
        std::find_if(stuck.begin(), stuck.end(), [&](const StuckModule& each) { return is_of(mend, each); });
    if (one == stuck.end()) continue;
    const std::string why = !here.empty() ? here : why_not_for(input, module, *one, mend);
    // Of a refused load it says more than that some minutes have to pass.
    const bool has_said = !text(mend.why).empty() && !has_passed(input.now_ns, mend.loaded_ns, kMendEvery);
    if (!has_said || !here.empty()) set_text(mend.why, why);
    if (!why.empty()) continue;
    mended.push_back(&mend);
    if (reason.empty()) {
      reason = name_of(*one) + " has " + std::string(text(one->checksum)) +
               ", loaded there, and pulls no more: again what all cores serve, " +
               std::string(text(one->peers_checksum));
    }
  }
  if (mended.empty() || recently || loaded_in_this_second(input, module, out.plan)) return;
  // Could destroy: what the cores serve, if memory weren't the same: compared right before, and counted. And what was
  // loaded on these satellites alone: asked for, see mend_satellites().
  Step step = load_to_runtime(module, reason);
  step.as_served = true;
  out.plan.steps.push_back(std::move(step));
  for (Mend* mend : mended) {
    mend->loaded_ns = input.now_ns;
    ++mend->loads;
  }
}

}  // namespace

void mend_satellites(const CoreInput& input, const Core& self, CorePlan& out) {
  const std::span<const StuckModule> stuck = stuck_modules(input);
  if (stuck.empty() && out.mends.count == 0) return;
  keep_mends(input, stuck, out.mends);
  for (const FileModule& module : file_modules()) {
    if (find_row_module(module.checksum) != nullptr) mend_module(input, self, module, stuck, out);
  }
}

void settle_mends(MendRecord& record, const Plan& plan, const Outcomes& outcomes) {
  for (const Step& step : plan.steps) {
    const FileModule* module = step.as_served ? find_file_module(step.part) : nullptr;
    if (module == nullptr) continue;
    const auto held = std::find_if(outcomes.held.begin(), outcomes.held.end(),
                                   [&](const Held& one) { return one.part == step.part; });
    const bool loaded = std::find(outcomes.loaded.begin(), outcomes.loaded.end(), step.part) != outcomes.loaded.end();
    if (loaded) continue;
    int64_t last_ns = 0;  // of the module's mends, those that were planned now
    for (const Mend& mend : record.mends) {
      if (text(mend.module) == module->checksum) last_ns = std::max(last_ns, mend.loaded_ns);
    }
    for (Mend& mend : record.mends) {
      if (text(mend.module) != module->checksum || mend.loads == 0 || mend.loaded_ns != last_ns) continue;
      --mend.loads;
      set_text(mend.why, held == outcomes.held.end() ? "ProxySQL refused the load" : held->why);
    }
  }
}

}  // namespace pulse
