#include "src/satellite_plan.h"

#include <algorithm>
#include <set>
#include <utility>

namespace pulse {

namespace {

using Server = std::pair<std::string, uint16_t>;

std::string shown(const Server& server) { return server.first + ":" + std::to_string(server.second); }

std::string insert(const Server& server, const std::string& comment, int64_t weight) {
  return "INSERT OR REPLACE INTO proxysql_servers (hostname, port, weight, comment) VALUES (" +
         sql_quote(server.first) + ", " + std::to_string(server.second) + ", " + std::to_string(weight) + ", " +
         sql_quote(comment) + ")";
}

Step insert_known(const Server& server) {
  return {insert(server, "", 0), shown(server) + " is at runtime and missing in the table"};
}

std::string remove(const Server& server) {
  return "DELETE FROM proxysql_servers WHERE hostname = " + sql_quote(server.first) +
         " AND port = " + std::to_string(server.second);
}

}  // namespace

Plan plan_satellite(const SatelliteInput& input) {
  const Seen& seen = input.seen;
  std::set<Server> memory, runtime, dead;
  bool any_live = false;
  bool any_pending = false;  // not reached yet, not given up either
  for (const ServerRow& row : seen.servers) {
    const Server server{row.hostname, row.port};
    if (row.in_memory) memory.insert(server);
    if (row.in_runtime) runtime.insert(server);
    if (is_dead(row, seen.now_s, input.now_ns, input.peer_timeout)) {
      dead.insert(server);
    } else if (is_live(row, seen.now_s, input.peer_timeout)) {
      any_live = true;
    } else if (row.in_runtime) {
      any_pending = true;
    }
  }

  Plan plan;
  if (any_live && !input.resync_requested) {
    // The runtime is well. Only a table that was emptied is put back, for the next LOAD would isolate this node; any
    // other difference is somebody's edit in progress.
    if (memory.empty()) {
      plan.situation = "proxysql_servers is empty";
      for (const Server& server : runtime) plan.steps.push_back(insert_known(server));
    }
    return plan;
  }
  if (any_pending && !runtime.empty() && !input.resync_requested) {
    plan.situation = "waiting for ProxySQL's first check of a core";
    if (memory.empty()) {
      for (const Server& server : runtime) plan.steps.push_back(insert_known(server));
    }
    return plan;
  }

  plan.situation = input.resync_requested ? "a resync was asked for"
                   : runtime.empty()      ? "proxysql_servers is empty"
                                          : "no core is alive";

  // First what is to be there, then what is to go, then the load: never an empty table.
  std::set<Server> after = memory;
  std::vector<std::string> from_file;
  bool bootstrap_missing = false;
  for (const ServerEntry& entry : input.bootstrap) {
    const Server server{entry.hostname, entry.port};
    from_file.push_back(insert(server, entry.comment, entry.weight));
    bootstrap_missing |= memory.count(server) == 0;
    after.insert(server);
    dead.erase(server);
  }
  if (!input.bootstrap.empty() && (bootstrap_missing || input.resync_requested)) {
    plan.steps.push_back(
        {"LOAD PROXYSQL SERVERS FROM CONFIG", plan.situation + ": back to the file's entries", from_file});
  }
  for (const Server& server : runtime) {
    if (memory.count(server) == 0 && after.count(server) == 0 && dead.count(server) == 0) {
      plan.steps.push_back(insert_known(server));
      after.insert(server);
    }
  }
  const bool any_stays =
      std::any_of(after.begin(), after.end(), [&](const Server& server) { return dead.count(server) == 0; });
  if (any_stays) {
    for (const Server& server : dead) {
      if (after.erase(server) == 0) continue;
      plan.steps.push_back({remove(server), shown(server) + " hasn't been reached for longer than the peer timeout"});
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
  // Two loads within one second would have equal epochs, which peers never sync over: the next beat does it.
  if (input.servers_loaded_ns != 0 && input.now_ns - input.servers_loaded_ns <= 1'000'000'000) {
    plan.situation += "; loaded less than a second ago, the next beat loads again";
    plan.deferred = true;
    return plan;
  }
  plan.steps.push_back({"LOAD PROXYSQL SERVERS TO RUNTIME", plan.situation, {}, true});
  return plan;
}

}  // namespace pulse
