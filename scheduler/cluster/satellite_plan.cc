#include "scheduler/cluster/satellite_plan.h"

#include <algorithm>
#include <set>
#include <utility>

namespace pulse {

namespace {

Step insert_known(const ServerKey& server) {
  return {insert_server(server, 0, ""), shown(server) + " is at runtime and missing in the table"};
}

// Whether no live core has a table that ProxySQL would pull: this node has loaded one itself, which is newer than all
// of theirs, or they are at version 1, however late they have started, and nobody pulls that.
bool nothing_is_pulled(const Seen& seen, std::chrono::milliseconds peer_timeout) {
  const ModuleRow* own = find_module(seen.modules, "proxysql_servers");
  if (own == nullptr) return false;
  bool any = false;
  for (const ServerRow& row : seen.servers) {
    if (!is_live(row, peer_timeout)) continue;
    const ModuleRow* theirs = find_module(row.modules, "proxysql_servers");
    if (theirs == nullptr) continue;
    const bool is_newer = theirs->version > 1 && (own->version <= 1 || theirs->epoch > own->epoch);
    const bool pulled = own->version > 1 && theirs->epoch == own->epoch && theirs->checksum == own->checksum;
    if (is_newer || pulled) return false;
    any = true;
  }
  return any;
}

}  // namespace

Plan plan_satellite(const SatelliteInput& input) {
  const Seen& seen = input.seen;
  std::set<ServerKey> memory, runtime, dead;
  bool any_live = false;
  bool any_pending = false;  // not reached yet, not given up either
  for (const ServerRow& row : seen.servers) {
    const ServerKey server{row.hostname, row.port};
    if (row.in_memory) memory.insert(server);
    if (row.in_runtime) runtime.insert(server);
    if (is_dead(row, input.peer_timeout)) {
      dead.insert(server);
    } else if (is_live(row, input.peer_timeout)) {
      any_live = true;
    } else if (row.in_runtime && (input.remembers || row.updated_at == 0)) {
      any_pending = true;
    }  // else it seems to be gone by the wall clock alone: others are put beside it, and it stays
  }

  Plan plan;
  // None of the cores that discovery knows is at runtime: they were all replaced, nobody will push the new ones here.
  const bool replaced =
      input.list.usable() && !runtime.empty() &&
      std::none_of(runtime.begin(), runtime.end(), [&](const ServerKey& server) { return input.list.has(server); });
  if (any_live && !input.resync_requested) {
    if (input.list.usable() && !memory.empty() && (replaced || nothing_is_pulled(seen, input.peer_timeout))) {
      plan_membership(input.list, seen, Pulled::by_nobody, plan);
      return plan;
    }
    // The runtime is well. Only a table that was emptied is put back, for the next LOAD would isolate this node; any
    // other difference is somebody's edit in progress.
    if (memory.empty()) {
      plan.situation = "proxysql_servers is empty";
      for (const ServerKey& server : runtime) plan.steps.push_back(insert_known(server));
    }
    return plan;
  }
  if (any_pending && !runtime.empty() && !replaced && !input.resync_requested) {
    plan.situation = seen.no_cluster_user ? "admin-cluster_username isn't set, so ProxySQL never checks a core"
                                          : "waiting for ProxySQL's first check of a core";
    if (memory.empty()) {
      for (const ServerKey& server : runtime) plan.steps.push_back(insert_known(server));
    }
    return plan;
  }

  plan.situation = input.resync_requested ? "a resync was asked for"
                   : runtime.empty()      ? "proxysql_servers is empty"
                   : replaced             ? "all cores have been replaced"
                                          : "no core is alive";

  // First what is to be there, then what is to go, then the load: never an empty table.
  std::set<ServerKey> after = memory;
  std::vector<std::string> from_file;
  bool bootstrap_missing = false;
  for (const ServerEntry& entry : input.bootstrap) {
    const ServerKey server{entry.hostname, entry.port};
    from_file.push_back(insert_server(server, entry.weight, entry.comment));
    bootstrap_missing |= memory.count(server) == 0;
    after.insert(server);
    dead.erase(server);
  }
  // Could destroy: nothing, FROM CONFIG puts the file's rows beside those that are there.
  if (!input.bootstrap.empty() && (bootstrap_missing || input.resync_requested)) {
    plan.steps.push_back(
        {"LOAD PROXYSQL SERVERS FROM CONFIG", plan.situation + ": back to the file's entries", from_file});
  }
  if (input.list.usable()) {
    for (const Core& core : input.list.cores) {
      dead.erase(core.server);
      if (!after.insert(core.server).second) continue;
      plan.steps.push_back(
          {insert_server(core.server, 0, core.name), plan.situation + ": " + shown(core.server) + " is a core"});
    }
  }
  for (const ServerKey& server : runtime) {
    if (memory.count(server) == 0 && after.count(server) == 0 && dead.count(server) == 0) {
      plan.steps.push_back(insert_known(server));
      after.insert(server);
    }
  }
  const bool any_stays =
      std::any_of(after.begin(), after.end(), [&](const ServerKey& server) { return dead.count(server) == 0; });
  // Could destroy: the way to a core that is alive but hasn't been reached. Only where another row stays.
  if (any_stays) {
    for (const ServerKey& server : dead) {
      if (after.erase(server) == 0) continue;
      plan.steps.push_back(
          {delete_server(server), shown(server) + " hasn't been reached for longer than the peer timeout"});
    }
  }
  if (after.empty()) {
    plan.situation += ", and the configuration file has no proxysql_servers to go back to";
    return plan;
  }
  if (after == runtime && !input.resync_requested) {
    plan.situation += "; the table is as it should be, waiting for a core";
    return plan;
  }
  // Could destroy: nothing that serves; a satellite is in nobody's table, so nobody pulls this.
  plan.steps.push_back(load_servers(plan.situation));
  return plan;
}

}  // namespace pulse
