#include "scheduler/cluster/unlock_and_divergence.h"

#include <algorithm>
#include <string_view>

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

// Live cores at version 1 beside this one, whose own is, too.
struct Locked {
  bool locked = false;  // nobody has a newer one, and all that may have are known
  int before = 0;       // of those who come before this one and have something
  std::string other;    // one that has something else; "": none
};

Locked look_for_lock(const CoreInput& input, const Core& self, const FileModule& module) {
  const Seen& seen = input.seen;
  Locked found;
  const ModuleRow* own = find_module(seen.modules, module.name);
  const ModuleRow* own_content = checksum_of(module, seen.modules);
  if (own == nullptr || own_content == nullptr || own->version != 1) return {};
  // Also one that the list lacks: a list may be a minute behind, and ProxySQL is about to pull from that one.
  for (const ServerRow& row : seen.servers) {
    const ModuleRow* theirs = find_module(row.modules, module.name);
    const bool is_other = self.server != ServerKey{row.hostname, row.port};
    const bool has_newer = theirs != nullptr && theirs->version > 1;
    if (is_other && has_newer && is_live(row, input.config.satellite.peer_timeout)) return {};
  }
  for (const Core& core : input.list.cores) {
    if (core.is_self) continue;
    const ServerRow* row = server_row(seen, core.server);
    if (row == nullptr || !row->in_runtime) return {};  // not checked yet
    if (is_live(*row, input.config.satellite.peer_timeout)) {
      const ModuleRow* theirs = find_module(row->modules, module.name);
      if (theirs == nullptr || theirs->version > 1) return {};
      // One that has nothing has nothing to unlock either, and would keep all others from it for ever.
      const ModuleRow* content = checksum_of(module, row->modules);
      const bool has_some = content == nullptr || !is_empty_checksum(content->checksum);
      if (!has_some) continue;
      // It may be loading its file this very moment.
      if (comes_before(core, self)) ++found.before;
      if (content == nullptr || content->checksum != own_content->checksum) found.other = shown(core.server);
    } else if (!is_given_up(input, *row)) {
      return {};
    }
  }
  found.locked = true;
  return found;
}

// Whether it is this core's turn to unlock. One that has nothing to say about what was served comes last, where others
// have something else: it may have started from an old database, and one of the others may know.
bool is_its_turn(const Locked& lock, const CoreModule& record, bool is_known) {
  if (!is_known && !lock.other.empty() && record.locked_beats < kStrangersTurn) return false;
  if (lock.before == 0) return true;
  return is_known && record.locked_beats >= std::min(lock.before * kBeatsOfATurn, kLastTurn);
}

// A peer that can be pulled from has the same.
bool is_served_by_a_peer(const CoreInput& input, const ModuleRow& own) {
  return std::any_of(input.seen.servers.begin(), input.seen.servers.end(), [&](const ServerRow& row) {
    const ModuleRow* theirs = find_module(row.modules, own.name);
    return theirs != nullptr && theirs->version > 1 && theirs->checksum == own.checksum &&
           is_live(row, input.config.satellite.peer_timeout);
  });
}

}  // namespace

void note_served(const CoreInput& input, const FileModule& module, CoreModule& record) {
  const ModuleRow* counted = find_module(input.seen.modules, module.name);
  const ModuleRow* own = checksum_of(module, input.seen.modules);
  if (counted == nullptr || own == nullptr) return;
  if (counted->version > 1 || is_served_by_a_peer(input, *own)) set_text(record.served, own->checksum);
}

void unlock(const CoreInput& input, const Core& self, const FileModule& module, CoreModule& record, CorePlan& out) {
  const ModuleRow* own = checksum_of(module, input.seen.modules);
  record.kept = {};
  const uint8_t locked_beats = record.locked_beats;
  record.locked_beats = 0;
  if (module.pgsql) {
    // A peer's newer one isn't seen from here: a load of this one's would take its place.
    const ModuleRow* counted = find_module(input.seen.modules, module.name);
    if (counted == nullptr || counted->version != 1) return;
    set_text(record.kept, std::string(module.name) +
                              " is at version 1, which satellites ignore. ProxySQL doesn't say " +
                              "whether another core has a newer one, so it isn't loaded: LOAD " + module.command +
                              " TO RUNTIME on one core makes it count");
    return;
  }
  const Locked lock = look_for_lock(input, self, module);
  if (own == nullptr || !lock.locked) return;
  record.locked_beats = static_cast<uint8_t>(std::min<int>(locked_beats + 1, kStrangersTurn));
  const bool is_known = !text(record.served).empty();
  if (!is_its_turn(lock, record, is_known)) {
    if (lock.before != 0 || is_known) return;
    set_text(record.kept, std::string(module.name) + " is at version 1 everywhere, core " + lock.other +
                              " has something else, and it isn't known what was served before ProxySQL's start: the " +
                              "others are waited for. LOAD " + module.command + " TO RUNTIME makes this one's count");
    return;
  }
  const std::string at_version_1 =
      std::string(module.name) + " is at version 1, which satellites ignore, and no core has a newer one";
  const bool as_served = !is_known || own->checksum == text(record.served);
  if (as_served &&
      is_empty_checksum(own->checksum)) {  // there is nothing for anybody to pull, although the file has rows
    const std::string command = module.command;
    set_text(record.kept, std::string(module.name) + " is empty, and no core has a newer one: not loaded. LOAD " +
                              command + " FROM CONFIG and LOAD " + command + " TO RUNTIME makes the file's rows count");
    return;
  }
  if (!as_served) {
    const bool file_is_what_was_served = record.content != Content{} && record.content == record.loaded &&
                                         !text(record.loaded_checksum).empty() &&
                                         text(record.loaded_checksum) == text(record.served);
    if (file_is_what_was_served) {
      return load_file(input, module,
                       at_version_1 + "; ProxySQL started with something else than it served, which was the file's, " +
                           "unchanged: back to the file",
                       out);
    }
    const std::string command = module.command;
    set_text(record.kept, std::string(module.name) +
                              (is_empty_checksum(own->checksum) ? " is empty" : " is not what was served") +
                              " before ProxySQL's start (" + std::string(text(record.served)) + "), it is " +
                              own->checksum + " now: not loaded, satellites keep what they have. LOAD " + command +
                              " TO RUNTIME makes it count, LOAD " + command + " FROM CONFIG before that takes the " +
                              "file's, and a load on another core brings that one's");
    return;
  }
  if (loaded_in_this_second(input, module, out.plan)) return;
  // Could destroy: what the satellites serve, for this becomes the newest. It is what this core served itself before,
  // or the first that is ever served; memory is counted right before.
  out.plan.steps.push_back(load_to_runtime(module, at_version_1));
}

void end_divergence(const CoreInput& input, const Core& self, Plan& plan) {
  for (const FileModule& module : file_modules()) {
    if (module.pgsql) continue;  // whether a peer's differs isn't seen from here
    const ModuleRow* own = checksum_of(module, input.seen.modules);
    if (own == nullptr) continue;
    const std::string reason = divergence(input, self, *own, plan);
    // Could destroy: the other core's content, which ProxySQL would never sync with this one's. Memory is counted right
    // before: an emptiness isn't loaded.
    if (reason.empty() || loaded_in_this_second(input, module, plan)) continue;
    plan.steps.push_back(load_to_runtime(module, reason));
  }
  const ModuleRow* own = find_module(input.seen.modules, "proxysql_servers");
  const std::string reason = own == nullptr ? "" : divergence(input, self, *own, plan);
  if (!reason.empty()) plan.steps.push_back(load_servers(reason));
}

}  // namespace pulse
