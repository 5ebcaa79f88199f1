// What must hold at each instant, and at rest.
#include <algorithm>

#include "shm/record/applied.h"
#include "shm/record/core_record.h"
#include "tests/model/cluster.h"

namespace pulse::model {

namespace {

size_t module_of(const std::string& part) {
  size_t module = 0;
  while (module < kModules - 1 && part != name_of(module)) ++module;
  return module;
}

}  // namespace

int64_t Cluster::rank(const Host& host) const {
  if (options_.authority == Authority::always || options_.is_static) return 0;
  return options_.has_revisions ? host.revision : host.created_at;
}

// A person's load on a satellite is no word of the cluster's: it may go with any load on a core. What comes must have
// been said.
bool Cluster::is_of_a_satellite_alone(const ProxysqlNode& node, size_t module, const Rows& before, Cause cause) {
  const auto found = hosts_.find(node.address);
  if (found == hosts_.end() || found->second.is_core || module >= kFileModulesHere) return false;
  std::optional<Rows>& own = found->second.own_rows[module];
  const Rows& after = node.modules[module].runtime;
  if (cause == Cause::person) {
    own = after;
    return true;
  }
  const bool was_own = own == before;
  own.reset();
  if (cause == Cause::boot || !was_own) return false;
  if (!harm_.was_said(module, after)) broken(node.address + " got " + shown(after) + ", which nobody had said");
  return true;
}

void Cluster::changed(const ProxysqlNode& node, size_t module, const Rows& before, Cause cause) {
  const Rows& after = node.modules[module].runtime;
  if (is_of_a_satellite_alone(node, module, before, cause) || cause == Cause::boot) return;
  if (module == kMembership) {
    if (!after.empty() || before.empty()) return;
    if (cause == Cause::person) emptied_ms_ = now_ms_;
    if (emptied_ms_ < 0) broken(node.address + " has an empty proxysql_servers now");
    return;
  }
  if (cause == Cause::person) return harm_.says(module, after, now_ms_, true, "a person at " + node.address);
  const std::string wrong = harm_.judge(module, before, after, now_ms_);
  if (wrong.empty()) return;
  // A node that has just started takes what the first peer has that it meets, one that has been cut off for long, say.
  constexpr int64_t kLongAgoMs = 20'000;
  const ModuleState& state = node.modules[module];
  const bool is_first = cause == Cause::pull && state.version == 2 && now_ms_ - state.loaded_ms > kLongAgoMs;
  if (is_first && harm_.was_said(module, after)) return;
  broken(node.address + " " + name_of(module) + ": " + wrong + " by " +
         (cause == Cause::pull ? "a pull" : "Pulse's load") + ", and nobody had said so");
}

void Cluster::about_to_run(Host& host, const Step& step) {
  if (!step.loads) return;
  const size_t module = module_of(step.part);
  ModuleState& state = host.proxysql.modules[module];
  // What is emptied between the count and the load isn't seen by anybody.
  if (state.memory.empty() && !host.counted) broken(host.address() + " loads an empty " + name_of(module));
  const bool is_pulled_from = host.is_core || module != kMembership;
  // The same rows may be loaded again at once where a pull has replaced them: whoever has pulled them has what is
  // meant.
  const bool again = state.loaded_by == Cause::pull && (state.agent_loaded == state.memory || !host.noted);
  if (is_pulled_from && state.agent_loaded_s == now_s(host) && !again) {
    broken(host.address() + " loads " + name_of(module) + " twice in one second");
  }
  state.agent_loaded_s = now_s(host);
  state.agent_loaded = state.memory;
  host.noted = false;
  if (module == kMembership) return;
  if (step.as_served && state.memory != state.runtime && !state.edited_in_memory && !host.proxysql.pull) {
    broken(host.address() + " loads something else than it serves of " + step.part);
  }
  step.from_file ? before_file_load(host, module) : before_own_load(host, module);
}

// Nobody who could be asked remembers that a file was ever applied.
bool Cluster::nobody_knows(const Host& host, size_t module) const {
  constexpr int64_t kTwoRoundsMs = 11'000;  // until all have heard of it
  return !host.knows[module] && std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
    const Host& other = entry.second;
    return &other == &host || !other.is_core || !other.knows[module] || !is_reached(host, other) ||
           now_ms_ - other.knows_since_ms[module] < kTwoRoundsMs;
  });
}

bool Cluster::is_reached(const Host& host, const Host& other) const {
  if (&other == &host) return true;
  // A static list may lack it, and there may be no list at all yet.
  const auto& list = host.daemon.list;
  const bool is_listed = host.daemon.ok_ns != 0 && std::any_of(list.begin(), list.end(), [&](const Core& core) {
                           return core.server.first == other.address();
                         });
  return is_listed && other.machine_up && !other.reports_blocked && !other.older_pulse && !host.reports_blocked;
}

// Somebody who could be asked remembers that these rows were applied from a file of this core's revision or later.
bool Cluster::is_known(const Host& host, size_t module, const Rows& rows) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
    const AppliedModule* applied = find_applied(entry.second.segment.applied, name_of(module));
    const AppliedFile* file = applied == nullptr ? nullptr : find_content(*applied, content_of(rows));
    return is_reached(host, entry.second) && file != nullptr && file->revision >= rank(host);
  });
}

void Cluster::before_file_load(Host& host, size_t module) {
  const Rows& rows = host.file.rows[module];
  bool may = false;
  if (host.loading[module] == rows) {
    may = true;  // once more: it isn't certain yet
  } else if (options_.authority == Authority::never) {
    broken(host.address() + " loads its file, but core.authority is never");
  } else if (options_.authority == Authority::always && host.last_loaded[module]) {
    may = *host.last_loaded[module] != rows;
  } else if (options_.authority == Authority::always && !is_known(host, module, rows)) {
    may = true;  // its own memory is lost, and nobody has another
  } else if (nobody_knows(host, module)) {
    harm_.starts_over(module);
    may = rank(host) >= host.newest_planned;
  } else {
    may = harm_.may_load(module, rows, rank(host), is_known(host, module, rows)) && rank(host) >= host.newest_planned;
  }
  // A ProxySQL that starts anew before a load is certain has it again, also where a person has loaded since then.
  host.loading[module] = rows;
  if (options_.authority == Authority::always) host.last_loaded[module] = rows;
  // Nobody sees a pull that lands between the plan and the load, nor a core that the list lacks before ProxySQL's first
  // checks.
  constexpr int64_t kFirstChecksMs = 2000;
  const bool has_just_started = now_ms_ - host.proxysql.started_ms < kFirstChecksMs;
  // Nor does a load last, to be known as applied, beside a clock that stands ahead.
  const bool is_unseen = host.proxysql.modules[module].version != host.planned_versions[module];
  if (!may && (has_just_started || is_unseen || clock_has_stepped_)) {
    harm_.doubts(module, rows, now_ms_);
  }
  if (!may) return;
  harm_.file_is_loaded(module, rows, now_ms_, "the file of " + host.address());
}

// To unlock or to end a divergence: what this node has counts from now on, if all who may know better are gone.
void Cluster::before_own_load(Host& host, size_t module) {
  const ModuleState& state = host.proxysql.modules[module];
  if (state.edited_in_memory) {
    return harm_.says(module, state.memory, now_ms_, true, "a person in memory of " + host.address());
  }
  const bool another_has_it = std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
    const Host& other = entry.second;
    return &other != &host && other.is_core && !is_down(other) && other.proxysql.modules[module].version > 1;
  });
  const bool as_served = !host.served[module] || *host.served[module] == state.memory;
  // Two loads of one second: one of them wins.
  if (state.version > 1 && harm_.was_said(module, state.memory)) {
    return harm_.doubts(module, state.memory, now_ms_);
  }
  // A core whose own list lacks the others knows nobody: that is what was written into its file.
  if ((another_has_it && !host.own_list) || state.version > 1 || !as_served) return;
  harm_.says(module, state.memory, now_ms_, false, host.address() + ", the only one");
}

void Cluster::after_beat(Host& host) {
  host.noted = true;
  host.newest_known = host.newest_planned;
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    const ModuleState& state = host.proxysql.modules[i];
    if (state.version > 1 && state.version == host.planned_versions[i]) host.served[i] = state.runtime;
    if (!host.is_core) continue;
    const bool knows = find_applied(host.segment.applied, name_of(i)) != nullptr;
    if (knows != host.knows[i]) host.knows_since_ms[i] = now_ms_;
    host.knows[i] = knows;
    const CoreModule* record = find_core_module(host.segment.record, name_of(i));
    if (record == nullptr || static_cast<FileState>(record->state) != FileState::applied) continue;
    const Rows& rows = host.file.rows[i];
    if (record->content != content_of(rows)) continue;  // not read yet
    if (record->pending != 0) continue;
    if (host.loading[i] == rows || harm_.is_loaded(i, rows)) {
      harm_.applied(i, rows, rank(host));
      host.last_loaded[i] = rows;
    }
    host.loading[i].reset();
  }
}

void Cluster::person_empties_membership(Host& host, bool loads) {
  note("a person empties proxysql_servers at " + host.address());
  emptied_ms_ = now_ms_;
  host.proxysql.modules[kMembership].memory.clear();
  if (loads) person_runs(host, "LOAD PROXYSQL SERVERS TO RUNTIME");
}

void Cluster::person_loads_here(Host& satellite, size_t module, const Rows& rows) {
  satellite.proxysql.modules[module].memory = rows;
  person_runs(satellite, std::string("LOAD ") + (module == kUsers ? "MYSQL USERS" : "MYSQL SERVERS") + " TO RUNTIME");
}

void Cluster::person_runs(Host& host, const std::string& statement) {
  note("a person at " + host.address() + ": " + statement);
  host.proxysql.run(statement, host.file, now_ms_, now_s(host), Cause::person);
}

void Cluster::write_file(Host& host, size_t module, const Rows& rows) {
  note("a person writes " + std::string(name_of(module)) + " " + shown(rows) + " into the file of " + host.address());
  host.file.rows[module] = rows;
  harm_.is_written(module, rows);
  ++host.file.identity;
}

bool Cluster::has_epochs_ahead() const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
    const auto& modules = entry.second.proxysql.modules;
    return std::any_of(modules.begin(), modules.end(), [&](const ModuleState& module) {
      return module.version > 1 && module.epoch > kEpoch + now_ms_ / 1000 + 1;
    });
  });
}

std::string Cluster::unsettled(int64_t calm_since_ms) const {
  Rows cores;
  for (const auto& [address, host] : hosts_) {
    if (host.is_core) cores[address] = "";
  }
  std::array<bool, kFileModulesHere> kept{}, stuck{};
  std::array<int64_t, kFileModulesHere> newest_epoch{};  // of what cores offer
  const Host* first = nullptr;
  for (const auto& [address, host] : hosts_) {
    if (is_down(host)) return address + " is down";
    const ModuleState& members = host.proxysql.modules[kMembership];
    // What a person has emptied in memory only, a satellite puts back row by row; a beat that dies there leaves the
    // rest to whoever loads next.
    const bool is_half_back = !host.is_core && emptied_ms_ > 0 && !members.memory.empty();
    if (members.runtime != cores || (members.memory != cores && !is_half_back)) {
      return address + " has other cores in proxysql_servers";
    }
    for (size_t i = 0; i < kFileModulesHere; ++i) {
      const CoreModule* record = find_core_module(host.segment.record, name_of(i));
      const ModuleState& own = host.proxysql.modules[i];
      if (host.is_core && own.version > 1) newest_epoch[i] = std::max(newest_epoch[i], own.epoch);
      kept[i] = kept[i] || (record != nullptr && record->kept[0] != '\0');
      for (const auto& [other_address, other] : hosts_) {
        const ModuleState &a = host.proxysql.modules[i], &b = other.proxysql.modules[i];
        stuck[i] = stuck[i] || (a.loaded_ms > b.loaded_ms && a.epoch < b.epoch);
      }
    }
    if (host.is_core && first == nullptr) first = &host;
  }
  if (first == nullptr) return "";
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    // The plan says so; or a clock has stepped, and a later load has the older epoch: ProxySQL doesn't sync that.
    if (kept[i] || (stuck[i] && clock_has_stepped_)) continue;
    const Rows& rows = first->proxysql.modules[i].runtime;
    for (const auto& [address, host] : hosts_) {
      // A satellite keeps for good what it has pulled from a core before that was lost, if others have nothing newer.
      const ModuleState& own = host.proxysql.modules[i];
      const bool is_newest = !host.is_core && own.version > 1 && own.epoch >= newest_epoch[i];
      const bool nothing_to_pull = is_newest || (rows.empty() && !host.is_core);
      if (host.proxysql.modules[i].runtime != rows && !nothing_to_pull) {
        return address + " and " + first->address() + " differ in " + name_of(i);
      }
    }
    if (!clock_has_stepped_ && !harm_.may_rest(i, rows, calm_since_ms)) {
      return std::string(name_of(i)) + " " + shown(rows) + " isn't what was said last";
    }
  }
  return "";
}

std::string Cluster::describe() const {
  std::string text = "at " + std::to_string(now_ms_) + " ms\n";
  for (const auto& [address, host] : hosts_) {
    text += address + (host.is_core ? " core of revision " : " satellite ") + std::to_string(host.revision) +
            (host.machine_up ? "" : " MACHINE DOWN") + (host.proxysql.up ? "" : " DOWN") + " created " +
            std::to_string(host.created_at - kEpoch) + " clock " + std::to_string(host.clock_offset_s) + "\n";
    for (size_t i = 0; i < kModules; ++i) {
      const ModuleState& module = host.proxysql.modules[i];
      text += std::string("  ") + name_of(i) + " v" + std::to_string(module.version) + " e" +
              std::to_string(module.epoch - kEpoch) + " " + shown(module.runtime);
      if (module.memory != module.runtime) text += " memory " + shown(module.memory);
      if (i < kFileModulesHere && host.is_core) text += " file " + shown(host.file.rows[i]);
      const CoreModule* record = find_core_module(host.segment.record, name_of(i));
      if (record != nullptr) {
        text += " state " + std::to_string(record->state) + " " + std::string(pulse::text(record->why)) +
                (record->pending != 0 ? " PENDING " : "") + std::string(pulse::text(record->kept));
      }
      text += "\n";
    }
    text += "  standing " + std::string(pulse::text(host.segment.record.reason)) + "\n";
  }
  text += harm_.describe();
  for (const std::string& line : trace_) text += line + "\n";
  return text;
}

}  // namespace pulse::model
