#include "tests/model/agent.h"

#include <algorithm>
#include <map>

#include "scheduler/beat/observation.h"
#include "scheduler/cluster/cluster_query.h"
#include "scheduler/cluster/mend.h"
#include "shm/record/applied.h"
#include "src/base/clock.h"

namespace pulse::model {

namespace {

void append_modules(std::vector<ModuleRow>& rows, size_t module, int64_t version, int64_t epoch,
                    const std::string& checksum) {
  rows.push_back({name_of(module), version, epoch, checksum});
  if (module == kServers) rows.push_back({"mysql_servers_v2", version, epoch, checksum});
}

class Beat {
 public:
  Beat(Host& host, BeatWorld& world) : host_(host), world_(world) {}

  bool run() {
    if (!world_.between(host_)) return false;
    Seen before = look();
    if (!world_.between(host_)) return false;
    CorePlan made = plan(before);
    if (!made.plan.steps.empty()) {  // of a second look
      before = look();
      made = plan(before);
    }
    const bool acts = !made.plan.steps.empty();
    if (host_.is_core && acts) {
      host_.segment.record = made.record;
      host_.segment.mends = made.mends;
    }
    if (!act(made.plan) || (acts && !world_.between(host_))) return false;
    const Seen after = acts ? look() : before;
    if (host_.is_core && acts) {
      settle_core(made.record, made.applied, made.plan, outcomes_, before, after, now_ns());
      settle_mends(made.mends, made.plan, outcomes_);
      note_membership_load(made.record.dispute, outcomes_.loaded, now_ns());
    }
    host_.segment.last =
        to_observation(after, host_.segment.last, now_ns(), host_.config.satellite.peer_timeout, host_.is_core);
    if (!host_.is_core) return true;
    host_.segment.record = made.record;
    host_.segment.applied = made.applied;
    host_.segment.mends = made.mends;
    return true;
  }

 private:
  int64_t now_ns() const { return host_.now_ns(world_.now_ms()); }

  Seen look() const {
    Seen seen;
    seen.now_s = world_.now_s(host_);
    seen.has_globals = true;
    seen.uptime_s = (world_.now_ms() - host_.proxysql.started_ms) / 1000;
    const auto& modules = host_.proxysql.modules;
    for (size_t i = 0; i < kModules; ++i) {
      append_modules(seen.modules, i, modules[i].version, modules[i].epoch, modules[i].checksum);
    }
    Rows all = modules[kMembership].memory;
    all.insert(modules[kMembership].runtime.begin(), modules[kMembership].runtime.end());
    for (const auto& [name, unused] : all) {
      ServerRow row{name, kPort, modules[kMembership].memory.count(name) != 0,
                    modules[kMembership].runtime.count(name) != 0};
      const auto known = host_.proxysql.peers.find(name);
      if (row.in_runtime && known != host_.proxysql.peers.end() && known->second.updated_at != 0) {
        row.updated_at = known->second.updated_at;
        for (size_t i = 0; i < kModules; ++i) {
          const KnownPeer::Module& theirs = known->second.modules[i];
          append_modules(row.modules, i, theirs.version, theirs.epoch, theirs.checksum);
        }
      }
      seen.servers.push_back(std::move(row));
    }
    watch_peers(seen, host_.segment.last, now_ns(), {host_.config.beat.interval, host_.config.satellite.peer_timeout});
    return seen;
  }

  CoreList list() const {
    const Daemon& daemon = host_.daemon;
    CoreList list;
    list.age = nanoseconds(now_ns() - daemon.ok_ns);
    if (daemon.ok_ns == 0) {
      list.unusable = "no list of members yet";
    } else if (list.age > host_.config.discovery.max_age) {
      list.unusable = "the list of members is old";
    } else if (daemon.list.empty()) {
      list.unusable = "no core among the members";
    } else {
      list.cores = daemon.list;
      list.changed_ns = daemon.changed_ns;
      if (list.cores.front().revision == 0) list.no_revisions = "the Role doesn't allow it";
    }
    return list;
  }

  CorePlan plan(const Seen& seen) {
    const CoreList cores = list();
    host_.newest_planned = host_.newest_known;
    for (size_t i = 0; i < kModules; ++i) {
      const ModuleRow* row = find_module(seen.modules, name_of(i));
      host_.planned_versions[i] = row == nullptr ? 0 : row->version;
    }
    for (const Core& core : cores.cores) {
      const int64_t number = core.revision > 0 ? core.revision : core.created_at;
      host_.newest_planned = std::max(host_.newest_planned, number);
    }
    const int64_t now = now_ns();
    CorePlan made;
    if (!host_.is_core) {
      made.plan = plan_satellite({seen, host_.config.bootstrap, host_.config.satellite.peer_timeout, cores, false});
      return made;
    }
    Applied applied = host_.segment.applied;
    if (host_.daemon.reports.any) merge_applied(applied, host_.daemon.reported);
    std::optional<FileContents> contents;
    if (host_.segment.record.file_identity != host_.file.identity) {
      contents = FileContents{host_.file.identity, host_.file.broken ? "syntax error" : "", {}};
      for (size_t i = 0; !host_.file.broken && i < kFileModulesHere; ++i) {
        contents->modules.emplace_back(name_of(i), content_of(host_.file.rows[i]));
      }
    }
    return plan_core({seen, cores, host_.config, host_.segment.record, now - seen.uptime_s * 1'000'000'000, now,
                      applied, host_.daemon.reports, contents ? &*contents : nullptr, false, false,
                      &host_.daemon.satellites, host_.segment.mends});
  }

  // As Reconciliation::act() runs a plan. False if the beat ends on the way.
  bool act(const Plan& plan) {
    std::set<std::string> refused_parts;
    std::map<std::string, int> reads;
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i];
      host_.in_file_load = step.from_file || !step.undo.empty();
      if (refused_parts.count(step.part) != 0) continue;
      bool differs = false, over = false;
      const bool done = run_step(step, differs, over);
      if (over) return false;
      if (done) {
        if (step.loads) outcomes_.loaded.push_back(step.part);
        if (step.restores) outcomes_.restored.push_back(step.part);
        continue;
      }
      if (differs && step.again_from != 0 && ++reads[step.part] < kMostReads) {
        i -= step.again_from + 1;
        continue;
      }
      refused_parts.insert(step.part);
      if (step.undo.empty()) continue;
      if (!world_.between(host_)) return false;
      if (run_statement(step.undo, step)) outcomes_.restored.push_back(step.part);
    }
    return true;
  }

  bool run_step(const Step& step, bool& differs, bool& over) {
    const auto wait = [&] { return !(over = !world_.between(host_)); };
    host_.counted = false;
    if (!wait()) return false;
    if (step.as_served && !serves_its_memory(step)) {
      outcomes_.held.push_back({step.part, "memory isn't what serves"});
      return false;
    }
    if (step.as_served && !wait()) return false;
    if (step.from_file) {
      differs = !holds_the_file(step);
      if (differs || !wait()) return false;
    }
    if (!step.needs_rows_in.empty()) {
      if (memory_of(step.needs_rows_in).empty()) {
        world_.note(host_.address() + " doesn't run " + step.statement + ": " + step.needs_rows_in + " is empty");
        return false;
      }
      host_.counted = true;
      if (!wait()) return false;
    }
    if (run_statement(step.statement, step)) {
      if (!step.from_file) return true;
      if (!wait()) return false;
      return holds_the_file(step);  // else it may have loaded a peer's rows: left to the next beat
    }
    for (const std::string& statement : step.instead) {
      if (!wait() || !run_statement(statement, step)) return false;
    }
    return !step.instead.empty();
  }

  bool run_statement(const std::string& statement, const Step& step) {
    if (world_.refuses(host_, statement)) return false;
    if (statement == step.statement) world_.about_to_run(host_, step);
    world_.note(host_.address() + " " + statement + ": " + step.reason);
    if (!host_.proxysql.run(statement, host_.file, world_.now_ms(), world_.now_s(host_), Cause::agent)) return false;
    if (!host_.proxysql.unknown().empty()) world_.broken("a statement that the model doesn't know: " + statement);
    ++host_.writes;
    return true;
  }

  bool holds_the_file(const Step& step) const {
    for (size_t i = 0; i < kFileModulesHere; ++i) {
      if (step.part == name_of(i)) return memory_of(step.part) == host_.file.rows[i];
    }
    return false;
  }

  bool serves_its_memory(const Step& step) const {
    for (size_t i = 0; i < kFileModulesHere; ++i) {
      const ModuleState& module = host_.proxysql.modules[i];
      if (step.part == name_of(i)) return module.memory == module.runtime;
    }
    return false;
  }

  const Rows& memory_of(const std::string& table) const {
    size_t module = 0;
    while (module < kModules - 1 && table != name_of(module)) ++module;
    return host_.proxysql.modules[module].memory;
  }

  Host& host_;
  BeatWorld& world_;
  Outcomes outcomes_;
};

}  // namespace

Content content_of(const Rows& rows) { return rows.empty() ? Content{} : Content{hash_of(rows), rows.size()}; }

bool run_beat(Host& host, BeatWorld& world) {
  const bool done = Beat(host, world).run();
  host.in_file_load = false;
  return done;
}

}  // namespace pulse::model
