#include "scheduler/cluster/membership.h"

#include <algorithm>
#include <set>

#include "scheduler/admin/admin_client.h"
#include "shm/record/member_list.h"
#include "src/base/host_port.h"

namespace pulse {

namespace {

// A peer's clock may be this much ahead before its epochs stop counting as the present second.
constexpr int64_t kClockSlackS = 5;

}  // namespace

std::string shown(const ServerKey& server) { return host_port_text(server.first, server.second); }

const Core* CoreList::self() const {
  const auto found = std::find_if(cores.begin(), cores.end(), [](const Core& core) { return core.is_self; });
  return found == cores.end() ? nullptr : &*found;
}

bool CoreList::has(const ServerKey& server) const {
  return std::any_of(cores.begin(), cores.end(), [&](const Core& core) { return core.server == server; });
}

CoreList usable_cores(const Members& members, const Discovery& discovery, uint64_t boot_id, int64_t now_ns,
                      std::chrono::milliseconds max_age) {
  CoreList list;
  list.unusable = why_unusable(members, discovery, boot_id, now_ns, max_age);
  if (!list.usable()) return list;
  list.age = nanoseconds(now_ns - discovery.ok_ns);
  list.changed_ns = members.changed_ns;
  list.no_revisions = text(discovery.no_revisions);
  const size_t cores = std::min<size_t>({members.cores, members.count, kMembers});
  for (size_t i = 0; i < cores; ++i) {
    const Member& member = members.members[i];
    if (text(member.address).empty() || member.port == 0 || member.port > 65'535) continue;
    list.cores.push_back({{std::string(text(member.address)), static_cast<uint16_t>(member.port)},
                          std::string(text(member.name)),
                          member.created_at,
                          member.is_self != 0,
                          member.revision});
  }
  if (list.cores.empty()) list.unusable = "no core among the members";
  return list;
}

bool loaded_this_second(const ModuleRow* module, int64_t now_s) {
  return module != nullptr && module->version > 0 && module->epoch >= now_s && module->epoch <= now_s + kClockSlackS;
}

std::string insert_server(const ServerKey& server, int64_t weight, const std::string& comment) {
  return "INSERT OR REPLACE INTO proxysql_servers (hostname, port, weight, comment) VALUES (" +
         sql_quote(server.first) + ", " + std::to_string(server.second) + ", " + std::to_string(weight) + ", " +
         sql_quote(comment) + ")";
}

std::string delete_server(const ServerKey& server) {
  return "DELETE FROM proxysql_servers WHERE hostname = " + sql_quote(server.first) +
         " AND port = " + std::to_string(server.second);
}

// Could destroy: the way to all cores, on every node that pulls it, if memory is empty: counted right before.
Step load_servers(const std::string& reason) {
  Step step{"LOAD PROXYSQL SERVERS TO RUNTIME", reason};
  step.needs_rows_in = "proxysql_servers";
  step.loads = true;
  return step;
}

void plan_membership(const CoreList& list, const Seen& seen, Pulled pulled, Plan& plan) {
  std::set<ServerKey> memory, runtime, wanted;
  for (const ServerRow& row : seen.servers) {
    if (row.in_memory) memory.insert({row.hostname, row.port});
    if (row.in_runtime) runtime.insert({row.hostname, row.port});
  }
  for (const Core& core : list.cores) {
    wanted.insert(core.server);
    if (memory.count(core.server) != 0) continue;
    // Could destroy: weight and comment of a row that came since the look. No row is lost.
    plan.steps.push_back({insert_server(core.server, 0, core.name),
                          shown(core.server) + (core.name.empty() ? "" : " (" + core.name + ")") + " is a core"});
  }
  for (const ServerKey& server : memory) {
    if (wanted.count(server) == 0) {
      // Could destroy: the way to a live core that the list lacks. Lists that are old, incomplete, empty or lack this
      // core never get here, and the list's cores are in the table already: it isn't empty on the way.
      plan.steps.push_back({delete_server(server), shown(server) + " is not among the cores"});
    }
  }
  if (runtime == wanted) return;
  std::string reason;
  for (const ServerKey& server : wanted) reason += runtime.count(server) == 0 ? " +" + shown(server) : "";
  for (const ServerKey& server : runtime) reason += wanted.count(server) == 0 ? " -" + shown(server) : "";
  if (pulled == Pulled::by_peers && loaded_this_second(find_module(seen.modules, "proxysql_servers"), seen.now_s)) {
    plan.situation = "proxysql_servers was loaded in this second, the next beat loads again:" + reason;
    plan.deferred = true;
    return;
  }
  plan.steps.push_back(load_servers("the cores have changed:" + reason));
}

}  // namespace pulse
