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

void Cluster::changed(const ProxysqlNode& node, size_t module, const Rows& before, Cause cause) {
  const Rows& after = node.modules[module].runtime;
  if (cause == Cause::boot) return;
  if (module == kMembership) {
    if (!after.empty() || before.empty()) return;
    if (cause == Cause::person) emptied_ms_ = now_ms_;
    if (now_ms_ - emptied_ms_ > 20'000) broken(node.address + " has an empty proxysql_servers now");
    return;
  }
  if (cause == Cause::person) return harm_.says(module, after, now_ms_, true, "a person at " + node.address);
  const std::string wrong = harm_.judge(module, before, after, now_ms_);
  if (wrong.empty()) return;
  broken(node.address + " " + name_of(module) + ": " + wrong + " by " +
         (cause == Cause::pull ? "a pull" : "Pulse's load") + ", and nobody had said so");
}

void Cluster::about_to_run(Host& host, const Step& step) {
  if (!step.loads) return;
  const size_t module = module_of(step.part);
  ModuleState& state = host.proxysql.modules[module];
  if (state.memory.empty() && (module != kMembership || now_ms_ - emptied_ms_ > 20'000))
    broken(host.address() + " loads an empty " + name_of(module));
  const bool is_pulled_from = host.is_core || module != kMembership;
  // The same rows may be loaded again at once where a pull has replaced them: whoever has pulled them has what is
  // meant.
  const bool again = state.loaded_by == Cause::pull && (module == kMembership || state.agent_loaded == state.memory);
  if (is_pulled_from && state.agent_loaded_s == now_s(host) && !again) {
    broken(host.address() + " loads " + name_of(module) + " twice in one second");
  }
  state.agent_loaded_s = now_s(host);
  state.agent_loaded = state.memory;
  if (module == kMembership) return;
  step.from_file ? before_file_load(host, module) : before_own_load(host, module);
}

// Nobody who could be asked remembers that a file was ever applied.
bool Cluster::nobody_knows(const Host& host, size_t module) const {
  return !host.knows[module] && std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
    const Host& other = entry.second;
    const bool reached = other.machine_up && !other.reports_blocked && !other.older_pulse && !host.reports_blocked;
    return &other == &host || !other.is_core || !other.knows[module] || !reached;
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
  } else if (nobody_knows(host, module)) {
    harm_.starts_over(module);
    may = rank(host) >= host.newest_planned;
  } else {
    may = rank(host) >= host.newest_planned && harm_.may_load(module, rows, rank(host));
  }
  if (!may) return;
  harm_.file_is_loaded(module, rows, now_ms_, "the file of " + host.address());
  host.loading[module] = rows;
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
  if (another_has_it || state.version > 1 || !as_served) return;
  harm_.says(module, state.memory, now_ms_, false, host.address() + ", the only one");
}

void Cluster::after_beat(Host& host) {
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    const ModuleState& state = host.proxysql.modules[i];
    if (state.version > 1) host.served[i] = state.runtime;
    if (!host.is_core) continue;
    host.knows[i] = find_applied(host.segment.applied, name_of(i)) != nullptr;
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

void Cluster::person_runs(Host& host, const std::string& statement) {
  note("a person at " + host.address() + ": " + statement);
  host.proxysql.run(statement, host.file, now_ms_, now_s(host), Cause::person);
}

void Cluster::write_file(Host& host, size_t module, const Rows& rows) {
  note("a person writes " + std::string(name_of(module)) + " " + shown(rows) + " into the file of " + host.address());
  host.file.rows[module] = rows;
  ++host.file.identity;
}

std::string Cluster::unsettled(int64_t calm_since_ms) const {
  Rows cores;
  for (const auto& [address, host] : hosts_) {
    if (host.is_core) cores[address] = "";
  }
  std::array<bool, kFileModulesHere> kept{}, stuck{};
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
      const bool nothing_to_pull = rows.empty() && !host.is_core;
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
