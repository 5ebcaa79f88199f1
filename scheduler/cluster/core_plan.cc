#include "scheduler/cluster/core_plan.h"

#include <algorithm>

#include "scheduler/admin/admin_client.h"
#include "shm/segment/boot.h"

namespace pulse {

namespace {

// A module of configuration: how commands name it, where its checksum stands, and the tables that its groups of the
// configuration file fill (ProxySQL_Config.cpp; a group is named as its table).
struct FileModule {
  const char* name;
  const char* command;
  const char* checksum;
  std::vector<const char*> tables;
};

const std::vector<FileModule>& file_modules() {
  static const std::vector<FileModule> modules = {
      {"mysql_servers",
       "MYSQL SERVERS",
       "mysql_servers_v2",
       {"mysql_servers", "mysql_replication_hostgroups", "mysql_group_replication_hostgroups",
        "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups", "mysql_servers_ssl_params"}},
      {"mysql_users", "MYSQL USERS", "mysql_users", {"mysql_users"}},
      {"mysql_query_rules", "MYSQL QUERY RULES", "mysql_query_rules", {"mysql_query_rules"}},
      {"mysql_variables", "MYSQL VARIABLES", "mysql_variables", {}},
      {"admin_variables", "ADMIN VARIABLES", "admin_variables", {}},
  };
  return modules;
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// mysql_servers itself also moves when the monitor shuns a backend or finds a new writer; mysql_servers_v2, where there
// is one, only with a load.
const ModuleRow* checksum_of(const FileModule& module, const std::vector<ModuleRow>& modules) {
  const ModuleRow* row = find_module(modules, module.checksum);
  return row != nullptr ? row : find_module(modules, module.name);
}

std::string command(const char* verb, const FileModule& module, const char* direction) {
  return std::string(verb) + " " + module.command + " " + direction;
}

Step load_to_runtime(const FileModule& module, const std::string& reason) {
  Step step{command("LOAD", module, "TO RUNTIME"), reason};
  step.part = module.name;
  step.loads = true;
  return step;
}

class Planner {
 public:
  explicit Planner(const CoreInput& input) : in_(input), self_(input.list.usable() ? input.list.self() : nullptr) {
    out_.record = input.record;
  }

  CorePlan run() {
    begin_boot();
    apart_ = out_.record.taken_apart;
    see_cores();
    decide_standing();
    if (self_ != nullptr) {
      plan_membership(in_.list, in_.seen, Pulled::by_peers, out_.plan);
    } else {
      out_.plan.situation = why_no_membership();
    }
    out_.record.waiting = 0;
    for (const FileModule& module : file_modules()) {
      put_together(module);
      const bool wanted = contains(in_.config.core.modules, module.name) && in_file(module.name);
      if (!wanted) continue;
      if (standing() == Standing::authority) {
        stamp(module);
      } else if (standing() == Standing::aside && self_ != nullptr) {
        unlock(module);
      }
    }
    if (self_ != nullptr) end_divergence();
    return std::move(out_);
  }

 private:
  Standing standing() const { return static_cast<Standing>(out_.record.standing); }
  bool in_file(const char* group) const { return contains(in_.config.file_groups, group); }
  const Seen& seen() const { return in_.seen; }

  void begin_boot() {
    CoreRecord& record = out_.record;
    if (record.proxysql_started_ns != 0 && is_same_boot(record.proxysql_started_ns, in_.proxysql_started_ns)) return;
    const int64_t newest = record.newest_created_at;
    record = CoreRecord{};
    record.newest_created_at = newest;
    record.proxysql_started_ns = in_.proxysql_started_ns;
  }

  // The newest core comes first; of several from the same second, and where nobody says how old they are, the lowest
  // address.
  bool comes_before_self(const Core& core) const {
    if (core.created_at != self_->created_at) return core.created_at > self_->created_at;
    return &core < self_;  // the list is ordered by address
  }

  void see_cores() {
    if (!in_.list.usable()) return;
    for (const Core& core : in_.list.cores) {
      out_.record.newest_created_at = std::max(out_.record.newest_created_at, core.created_at);
    }
  }

  std::string why_no_membership() const {
    if (!in_.list.usable()) return in_.list.unusable;
    return "this core is not among the members: set pulse.address if it isn't known by its interfaces' addresses";
  }

  void decide(Standing standing, const std::string& reason) {
    out_.record.standing = static_cast<uint8_t>(standing);
    set_text(out_.record.reason, reason);
  }

  // Once aside, aside for this boot: an old core that restarts in the middle of a rollout must not bring the old
  // configuration back when the new core that kept it from doing so is replaced.
  void decide_standing() {
    if (standing() == Standing::aside) return;
    const Authority authority = in_.config.core.authority;
    if (authority == Authority::always) return decide(Standing::authority, "core.authority is \"always\"");
    if (authority == Authority::never) return decide(Standing::aside, "core.authority is \"never\"");
    if (self_ == nullptr) {
      if (standing() == Standing::undecided) decide(Standing::undecided, why_no_membership());
      return;
    }
    if (self_->created_at == 0) {
      return decide(Standing::aside, "the source of members doesn't say which core is the newest: set core.authority");
    }
    if (self_->created_at < out_.record.newest_created_at) {
      return decide(Standing::aside, "a core that was created " +
                                         std::to_string(out_.record.newest_created_at - self_->created_at) +
                                         " s later has been seen");
    }
    for (const Core& core : in_.list.cores) {
      if (comes_before_self(core)) {
        return decide(Standing::aside, shown(core.server) + " was created in the same second and comes first");
      }
    }
    const nanoseconds looked(in_.now_ns - in_.list.age.count());
    if (looked.count() < in_.proxysql_started_ns + nanoseconds(kListAfterStart).count()) {
      return decide(Standing::undecided, "no list of members since ProxySQL's start: is there a newer core?");
    }
    decide(Standing::authority, "this is the newest core");
  }

  static uint32_t bit(const FileModule& module) { return 1U << (&module - file_modules().data()); }

  // A beat died while it replaced this module's memory tables. Loaded as they are now, they would be an incident.
  void put_together(const FileModule& module) {
    if ((apart_ & bit(module)) == 0) return;
    Step save{command("SAVE", module, "TO MEMORY"),
              std::string("a beat died while it loaded ") + module.name + " from the file"};
    save.part = module.name;
    save.restores = true;
    out_.plan.steps.push_back(std::move(save));
  }

  Stamp* find_stamp(const char* name) {
    for (uint32_t i = 0; i < std::min<uint32_t>(out_.record.stamps_count, kModules); ++i) {
      if (text(out_.record.stamps[i].name) == name) return &out_.record.stamps[i];
    }
    return nullptr;
  }

  bool in_this_second(const FileModule& module) {
    const bool now = loaded_this_second(checksum_of(module, seen().modules), seen().now_s);
    if (now) out_.plan.deferred = true;
    return now;
  }

  void stamp(const FileModule& module) {
    const ModuleRow* own = checksum_of(module, seen().modules);
    Stamp* stamp = find_stamp(module.name);
    std::string reason = std::string("this core's file is the authority (") + std::string(text(out_.record.reason)) +
                         "): " + module.name + " as in the file";
    // A beat that died over it had decided already.
    const bool resumed = (apart_ & bit(module)) != 0;
    // A load makes version 2 at least: ProxySQL has started again, too soon after the last time to tell by its uptime.
    const ModuleRow* counted = find_module(seen().modules, module.name);
    const bool restarted = stamp != nullptr && counted != nullptr && counted->version <= 1 && stamp->loads < kMostLoads;
    if (stamp != nullptr && !resumed && !restarted) {
      if (stamp->settled != 0) return;
      const bool as_stamped = own != nullptr && own->checksum == text(stamp->checksum);
      const bool in_time = in_.now_ns - stamp->at_ns < nanoseconds(kSettleTime).count();
      if (as_stamped && own->epoch >= stamp->epoch) {
        stamp->epoch = own->epoch;
        if (!in_time) stamp->settled = 1;
        return;
      }
      // Whoever loads later has the say; but not so shortly after, when it is an old core's last word. What no other
      // core has was loaded here, by somebody who means it.
      const bool may_undo = in_time && stamp->loads < kMostLoads;
      if (own != nullptr && own->epoch > stamp->epoch && (!may_undo || !may_be_pulled(*own))) {
        stamp->settled = 1;
        return;
      }
      reason = std::string(module.name) + " isn't as loaded from the file any more: a pull that was under way, or an " +
               "older core's load, has replaced it";
    }
    out_.record.waiting = 1;
    if (in_this_second(module)) return;
    // The first read only shows that ProxySQL can parse the file, before anything is taken away. What the file lacks
    // goes; runtime stays as it is until the last statement.
    Step parse{command("LOAD", module, "FROM CONFIG"), reason};
    parse.part = module.name;
    const std::string undo = command("SAVE", module, "TO MEMORY");
    out_.plan.steps.push_back(parse);
    out_.record.taken_apart |= bit(module);
    bool emptied = false;
    for (const char* table : module.tables) {
      if (!in_file(table)) continue;
      Step empty{std::string("DELETE FROM ") + table, "rows that the file lacks go"};
      empty.part = module.name;
      empty.undo = undo;
      out_.plan.steps.push_back(std::move(empty));
      emptied = true;
    }
    if (emptied) {
      parse.reason = "the file's rows and no others";
      parse.undo = undo;
      out_.plan.steps.push_back(parse);
    }
    Step load = load_to_runtime(module, reason);
    load.undo = undo;
    if (!module.tables.empty()) load.needs_rows_in = module.tables.front();
    out_.plan.steps.push_back(std::move(load));
  }

  // Whether own content may have come from another core: that one has an epoch at least as new, for a pull takes it
  // over.
  bool may_be_pulled(const ModuleRow& own) const {
    return std::any_of(seen().servers.begin(), seen().servers.end(), [&](const ServerRow& row) {
      if (self_ != nullptr && self_->server == ServerKey{row.hostname, row.port}) return false;
      const ModuleRow* theirs = find_module(row.modules, own.name);
      return theirs != nullptr && theirs->version > 1 && theirs->epoch >= own.epoch;
    });
  }

  // Satellites and peers pull nothing that is at version 1. Nobody else may have something newer: a load makes this
  // core's content the newest in the cluster. One core is enough: the first of all that are alive.
  void unlock(const FileModule& module) {
    const ModuleRow* own = find_module(seen().modules, module.name);
    if (own == nullptr || own->version != 1) return;
    for (const Core& core : in_.list.cores) {
      if (core.is_self) continue;
      const ServerRow* row = server_row(core.server);
      if (row == nullptr || !row->in_runtime) return;  // not checked yet
      if (is_live(*row, seen().now_s, in_.config.satellite.peer_timeout)) {
        if (comes_before_self(core)) return;  // it may be loading its file this very moment
        const ModuleRow* theirs = find_module(row->modules, module.name);
        if (theirs == nullptr || theirs->version > 1) return;
      } else if (!is_given_up(*row)) {
        return;
      }
    }
    if (in_this_second(module)) return;
    out_.plan.steps.push_back(load_to_runtime(
        module, std::string(module.name) + " is at version 1, which satellites ignore, and no core has a newer one"));
  }

  // A core that answered once and doesn't any more is dead. One that never did may hold the newest configuration behind
  // a network that is slow to come up: it gets more time.
  bool is_given_up(const ServerRow& row) const {
    const std::chrono::milliseconds patience = row.updated_at > 0 ? in_.config.satellite.peer_timeout : kNeverReached;
    return is_dead(row, seen().now_s, in_.now_ns, patience);
  }

  const ServerRow* server_row(const ServerKey& server) const {
    for (const ServerRow& row : seen().servers) {
      if (row.port == server.second && row.hostname == server.first) return &row;
    }
    return nullptr;
  }

  void end_divergence() {
    for (const FileModule& module : file_modules()) {
      const ModuleRow* own = checksum_of(module, seen().modules);
      if (own == nullptr || !diverges(*own, own->name)) continue;
      out_.plan.steps.push_back(load_to_runtime(module, divergence_));
    }
    const ModuleRow* own = find_module(seen().modules, "proxysql_servers");
    if (own != nullptr && diverges(*own, own->name)) out_.plan.steps.push_back(load_servers(divergence_));
  }

  // Whether a live core has another checksum with the same epoch, and this core is the one to load again: the first of
  // all that are alive. If that one doesn't share the epoch, ProxySQL brings it there, or brings its newer content to
  // those that do; a load by anyone else could overtake its.
  bool diverges(const ModuleRow& own, const std::string& name) {
    if (own.version <= 1 || own.epoch >= seen().now_s || is_planned(name)) return false;
    const Core* other = nullptr;
    for (const Core& core : in_.list.cores) {
      const ServerRow* row = core.is_self ? nullptr : server_row(core.server);
      if (row == nullptr || !is_live(*row, seen().now_s, in_.config.satellite.peer_timeout)) continue;
      if (comes_before_self(core)) return false;
      const ModuleRow* theirs = find_module(row->modules, name);
      if (theirs == nullptr || theirs->version <= 1 || theirs->checksum == own.checksum) continue;
      if (theirs->epoch > own.epoch) return false;  // about to be pulled
      // Read after that second was over, so that no load of that second is still to be seen.
      if (theirs->epoch == own.epoch && row->updated_at > own.epoch) other = &core;
    }
    if (other == nullptr) return false;
    divergence_ =
        name + " differs from " + shown(other->server) + " at the same epoch: ProxySQL doesn't sync over that";
    return true;
  }

  bool is_planned(const std::string& name) const {
    return std::any_of(out_.plan.steps.begin(), out_.plan.steps.end(), [&](const Step& step) {
      return step.loads && (step.part == name || (name == "mysql_servers_v2" && step.part == "mysql_servers"));
    });
  }

  const CoreInput& in_;
  const Core* self_;
  CorePlan out_{};
  uint32_t apart_ = 0;
  std::string divergence_;
};

void enter_stamp(CoreRecord& record, const std::string& name, const ModuleRow& row, int64_t now_ns) {
  Stamp* stamp = nullptr;
  const uint32_t count = std::min<uint32_t>(record.stamps_count, kModules);
  for (uint32_t i = 0; i < count; ++i) {
    if (text(record.stamps[i].name) == name) stamp = &record.stamps[i];
  }
  if (stamp == nullptr) {
    if (count == kModules) return;
    stamp = &record.stamps[record.stamps_count++];
    set_text(stamp->name, name);
  }
  set_text(stamp->checksum, row.checksum);
  stamp->epoch = row.epoch;
  stamp->at_ns = now_ns;
  ++stamp->loads;
  stamp->settled = 0;
}

}  // namespace

CorePlan plan_core(const CoreInput& input) { return Planner(input).run(); }

void settle_core(CoreRecord& record, const Plan& plan, const Outcomes& outcomes, const Seen& before, const Seen& after,
                 int64_t now_ns) {
  const std::vector<FileModule>& modules = file_modules();
  for (size_t i = 0; i < modules.size(); ++i) {
    const bool whole = contains(outcomes.loaded, modules[i].name) || contains(outcomes.restored, modules[i].name);
    if (whole) record.taken_apart &= ~(1U << i);
  }
  if (static_cast<Standing>(record.standing) != Standing::authority) return;
  bool all = true;
  for (const Step& step : plan.steps) {
    if (!step.loads || step.part == "proxysql_servers") continue;
    const auto module = std::find_if(modules.begin(), modules.end(),
                                     [&](const FileModule& candidate) { return step.part == candidate.name; });
    const ModuleRow* row = checksum_of(*module, after.modules);
    // An epoch before the load's own second: a pull has brought the peer's content and epoch.
    if (!contains(outcomes.loaded, step.part) || row == nullptr || row->epoch < before.now_s) {
      all = false;
      continue;
    }
    enter_stamp(record, step.part, *row, now_ns);
  }
  if (all && !plan.deferred) record.waiting = 0;
}

}  // namespace pulse
