#include "scheduler/cluster/unlock_and_divergence.h"

#include <algorithm>

namespace pulse {

namespace {

// A core that answered once and doesn't any more is dead. One that never did may hold the newest configuration behind
// a network that is slow to come up: it gets more time.
bool is_given_up(const CoreInput& input, const ServerRow& row) {
  const std::chrono::milliseconds patience = row.updated_at > 0 ? input.config.satellite.peer_timeout : kNeverReached;
  return is_dead(row, patience);
}

bool is_planned(const Plan& plan, const std::string& name) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    return step.loads && (step.part == name || (name == "mysql_servers_v2" && step.part == "mysql_servers"));
  });
}

// Why this core is to load the module again: a live core has another checksum with the same epoch, and this core is
// the first of all that are alive. "" if it isn't to. If the first one doesn't share the epoch, ProxySQL brings it
// there, or brings its newer content to those that do; a load by anyone else could overtake its.
std::string divergence(const CoreInput& input, const Core& self, const ModuleRow& own, const Plan& plan) {
  const Seen& seen = input.seen;
  if (own.version <= 1 || loaded_this_second(&own, seen.now_s) || is_planned(plan, own.name)) return "";
  const Core* other = nullptr;
  for (const Core& core : input.list.cores) {
    const ServerRow* row = core.is_self ? nullptr : server_row(seen, core.server);
    if (row == nullptr || !is_live(*row, input.config.satellite.peer_timeout)) continue;
    if (comes_before(core, self)) return "";
    const ModuleRow* theirs = find_module(row->modules, own.name);
    if (theirs == nullptr || theirs->version <= 1 || theirs->checksum == own.checksum) continue;
    if (theirs->epoch > own.epoch) return "";  // about to be pulled
    // Read after that second was over, so that no load of that second is still to be seen. By a clock that has stepped
    // back since, that second would be over only much later.
    const bool stepped_back = own.epoch > seen.now_s;
    if (theirs->epoch == own.epoch && (row->updated_at > own.epoch || stepped_back)) other = &core;
  }
  if (other == nullptr) return "";
  return own.name + " differs from " + shown(other->server) + " at the same epoch: ProxySQL doesn't sync over that";
}

}  // namespace

void unlock(const CoreInput& input, const Core& self, const FileModule& module, Plan& plan) {
  const Seen& seen = input.seen;
  const ModuleRow* own = find_module(seen.modules, module.name);
  if (own == nullptr || own->version != 1) return;
  for (const Core& core : input.list.cores) {
    if (core.is_self) continue;
    const ServerRow* row = server_row(seen, core.server);
    if (row == nullptr || !row->in_runtime) return;  // not checked yet
    if (is_live(*row, input.config.satellite.peer_timeout)) {
      if (comes_before(core, self)) return;  // it may be loading its file this very moment
      const ModuleRow* theirs = find_module(row->modules, module.name);
      if (theirs == nullptr || theirs->version > 1) return;
    } else if (!is_given_up(input, *row)) {
      return;
    }
  }
  if (loaded_in_this_second(input, module, plan)) return;
  plan.steps.push_back(load_to_runtime(
      module, std::string(module.name) + " is at version 1, which satellites ignore, and no core has a newer one"));
}

void end_divergence(const CoreInput& input, const Core& self, Plan& plan) {
  for (const FileModule& module : file_modules()) {
    const ModuleRow* own = checksum_of(module, input.seen.modules);
    if (own == nullptr) continue;
    const std::string reason = divergence(input, self, *own, plan);
    if (!reason.empty()) plan.steps.push_back(load_to_runtime(module, reason));
  }
  const ModuleRow* own = find_module(input.seen.modules, "proxysql_servers");
  const std::string reason = own == nullptr ? "" : divergence(input, self, *own, plan);
  if (!reason.empty()) plan.steps.push_back(load_servers(reason));
}

}  // namespace pulse
