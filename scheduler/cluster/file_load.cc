#include "scheduler/cluster/file_load.h"

#include <algorithm>
#include <string_view>

#include "shm/record/applied.h"
#include "shm/record/core_record.h"
#include "src/base/clock.h"

namespace pulse {

namespace {

std::string command(const char* verb, const FileModule& module, const char* direction) {
  return std::string(verb) + " " + module.command + " " + direction;
}

uint32_t bit(const FileModule& module) { return 1U << (&module - file_modules().data()); }

// Whether own content may have come from another core: that one has an epoch at least as new, for a pull takes it
// over.
bool may_be_pulled(const CoreInput& input, const ModuleRow& own) {
  const Core* self = self_of(input);
  return std::any_of(input.seen.servers.begin(), input.seen.servers.end(), [&](const ServerRow& row) {
    if (self != nullptr && self->server == ServerKey{row.hostname, row.port}) return false;
    const ModuleRow* theirs = find_module(row.modules, own.name);
    return theirs != nullptr && theirs->version > 1 && theirs->epoch >= own.epoch;
  });
}

void enter_stamp(CoreRecord& record, const std::string& name, const ModuleRow& row, int64_t now_ns) {
  Stamp* stamp = find_stamp(record, name);
  const uint32_t count = std::min<uint32_t>(record.stamps_count, kModules);
  if (stamp == nullptr) {
    if (count == kModules) return;
    stamp = &record.stamps[record.stamps_count++];
    set_text(stamp->name, name);
  }
  if (stamp->settled != 0) stamp->loads = 0;
  set_text(stamp->checksum, row.checksum);
  stamp->epoch = row.epoch;
  stamp->at_ns = now_ns;
  ++stamp->loads;
  stamp->settled = 0;
}

}  // namespace

const ModuleRow* checksum_of(const FileModule& module, const std::vector<ModuleRow>& modules) {
  const ModuleRow* row = find_module(modules, module.checksum);
  return row != nullptr ? row : find_module(modules, module.name);
}

Step load_to_runtime(const FileModule& module, const std::string& reason) {
  Step step{command("LOAD", module, "TO RUNTIME"), reason};
  step.part = module.name;
  step.loads = true;
  if (!module.tables.empty()) step.needs_rows_in = module.tables.front();
  return step;
}

bool loaded_in_this_second(const CoreInput& input, const FileModule& module, Plan& plan) {
  // A pull that has replaced the load since has brought its own epoch: the record knows of the load.
  const CoreModule* own = find_core_module(input.record, module.name);
  const bool may_have_run = own != nullptr && own->tried_ns != 0;
  const int64_t age_ns = may_have_run ? input.now_ns - own->tried_ns : -1;
  const bool tried = age_ns >= 0 && age_ns < nanoseconds(std::chrono::seconds(1)).count();
  const bool now = tried || loaded_this_second(checksum_of(module, input.seen.modules), input.seen.now_s);
  if (now) plan.deferred = true;
  return now;
}

void put_together(const FileModule& module, uint32_t taken_apart, Plan& plan) {
  if ((taken_apart & bit(module)) == 0) return;
  // Could destroy: what a person has changed in memory since and not loaded. What serves stays; memory as the dead beat
  // left it would be loaded by the next LOAD of anybody.
  Step save{command("SAVE", module, "TO MEMORY"),
            std::string("a beat died while it loaded ") + module.name + " from the file"};
  save.part = module.name;
  save.restores = true;
  plan.steps.push_back(std::move(save));
}

Stamp* find_stamp(CoreRecord& record, std::string_view module) {
  for (uint32_t i = 0; i < std::min<uint32_t>(record.stamps_count, kModules); ++i) {
    if (text(record.stamps[i].name) == module) return &record.stamps[i];
  }
  return nullptr;
}

std::string overwritten(const CoreInput& input, const FileModule& module, Stamp& stamp) {
  if (stamp.settled != 0) return "";
  const ModuleRow* own = checksum_of(module, input.seen.modules);
  const bool as_stamped = own != nullptr && own->checksum == text(stamp.checksum);
  const bool in_time = input.now_ns - stamp.at_ns < nanoseconds(kSettleTime).count();
  if (as_stamped && own->epoch >= stamp.epoch) {
    stamp.epoch = own->epoch;
    if (!in_time) stamp.settled = 1;
    return "";
  }
  // Whoever loads later has the say; but not so shortly after, when it is the last word of a core that hadn't heard of
  // this load. What no other core has was loaded here, by somebody who means it.
  constexpr int64_t kUnheardOf = 5;  // seconds: ProxySQL's checks of its peers, and a beat
  const bool crossed = own != nullptr && own->epoch - stamp.epoch <= kUnheardOf;
  const bool may_undo = in_time && crossed && stamp.loads < kMostLoads;
  if (own != nullptr && own->epoch > stamp.epoch && (!may_undo || !may_be_pulled(input, *own))) {
    stamp.settled = 1;
    return "";
  }
  return std::string(module.name) +
         " isn't as loaded from the file any more: a pull that was under way, or an older core's load, has replaced it";
}

void load_file(const CoreInput& input, const FileModule& module, const std::string& reason, CorePlan& out) {
  out.record.waiting = 1;
  if (loaded_in_this_second(input, module, out.plan)) return;
  std::vector<Step>& steps = out.plan.steps;
  const std::string undo = command("SAVE", module, "TO MEMORY");
  const auto append = [&](std::string statement, const std::string& why, bool undoes) {
    Step step{std::move(statement), why};
    step.part = module.name;
    if (undoes) step.undo = undo;
    steps.push_back(std::move(step));
  };
  // Could destroy: what a person has changed in memory and not loaded. The file's rows are written over memory's; a
  // file that ProxySQL can't parse is refused here, before anything is taken away.
  append(command("LOAD", module, "FROM CONFIG"), reason, false);
  out.record.taken_apart |= bit(module);
  const size_t begin = steps.size();
  each_table(module, input.reads_later_tables, [&](const char* table) {
    if (!contains(input.config.file_groups, table)) return;
    // Could destroy: the rows in memory, until FROM CONFIG has brought the file's. Runtime, which serves, stays as it
    // is until the last statement; a refusal, and the next beat after a death here, bring memory back from runtime. Of
    // a table that this ProxySQL doesn't read from its file, FROM CONFIG would bring nothing: it is left alone.
    append(std::string("DELETE FROM ") + table, "rows that the file lacks go", true);
  });
  if (steps.size() > begin) append(command("LOAD", module, "FROM CONFIG"), "the file's rows and no others", true);
  // Could destroy: what the module serves, on every node, for this is the newest from now on. The file's rows take its
  // place, which is meant; that they are in memory, all of them and nothing else, is read back right before, and that
  // the table isn't empty is counted.
  Step load = load_to_runtime(module, reason);
  load.undo = undo;
  load.from_file = true;
  load.again_from = steps.size() > begin ? steps.size() - begin : 1;
  steps.push_back(std::move(load));
}

void load_file_once_per_boot(const CoreInput& input, const FileModule& module, uint32_t taken_apart, CorePlan& out) {
  Stamp* stamp = find_stamp(out.record, module.name);
  std::string reason = std::string("this core's file is the authority (") + std::string(text(out.record.reason)) +
                       "): " + module.name + " as in the file";
  // A beat that died over it had decided already.
  const bool resumed = (taken_apart & bit(module)) != 0;
  // A load makes version 2 at least: ProxySQL has started again, too soon after the last time to tell by its uptime.
  const ModuleRow* counted = find_module(input.seen.modules, module.name);
  const bool restarted = stamp != nullptr && counted != nullptr && counted->version <= 1 && stamp->loads < kMostLoads;
  if (stamp != nullptr && !resumed && !restarted) {
    reason = overwritten(input, module, *stamp);
    if (reason.empty()) return;
  }
  load_file(input, module, reason, out);
}

void settle_core(CoreRecord& record, Applied& applied, const Plan& plan, const Outcomes& outcomes, const Seen& before,
                 const Seen& after, int64_t now_ns) {
  const auto modules = file_modules();
  for (const FileModule& module : modules) {
    const bool whole = contains(outcomes.loaded, module.name) || contains(outcomes.restored, module.name);
    if (whole) record.taken_apart &= ~bit(module);
  }
  bool all = true;
  for (const Step& step : plan.steps) {
    if (!step.from_file) continue;
    const auto module = std::find_if(modules.begin(), modules.end(),
                                     [&](const FileModule& candidate) { return step.part == candidate.name; });
    const ModuleRow* row = module == modules.end() ? nullptr : checksum_of(*module, after.modules);
    // An epoch before the load's own second: a pull has brought the peer's content and epoch. One second is no
    // difference: ProxySQL takes epochs from a clock that is up to a tick behind the one that the look was told.
    constexpr int64_t kClocksDiffer = 1;
    CoreModule* own = find_core_module(record, step.part);
    // Another version than the load's own: a pull has come, too, and with an epoch of this second it may be what is
    // served now.
    const ModuleRow* was = module == modules.end() ? nullptr : checksum_of(*module, before.modules);
    const bool is_alone = row != nullptr && (was == nullptr || row->version <= was->version + 1);
    if (!contains(outcomes.loaded, step.part) || !is_alone || row->epoch + kClocksDiffer < before.now_s) {
      all = false;
      if (own == nullptr) continue;
      own->tried_ns = now_ns;
      if (contains(outcomes.loaded, step.part)) own->unsure = 1;
      own->failures = static_cast<uint8_t>(std::min(own->failures + 1, 255));
      continue;
    }
    enter_stamp(record, step.part, *row, now_ns);
    if (own == nullptr || own->content == Content{}) continue;
    own->failures = 0;
    own->loaded = own->content;
    set_text(own->loaded_checksum, row->checksum);
    own->refused = {};
    for (const auto& [part, words] : outcomes.refused) {
      if (part == step.part) set_text(own->refused, words);
    }
    own->pending = 1;
    own->unsure = 0;
    own->edited_back = 0;
    if (static_cast<FileState>(own->state) == FileState::to_be_loaded) {
      own->state = static_cast<uint8_t>(FileState::applied);
      own->why = {};
    }
    enter_load(applied, step.part, own->content, record.revision, before.now_s);
  }
  if (all && !plan.deferred) record.waiting = 0;
}

}  // namespace pulse
