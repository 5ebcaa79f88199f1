#include "scheduler/cluster/membership.h"

#include <algorithm>
#include <set>

#include "scheduler/admin/admin_client.h"
#include "shm/record/member_list.h"
#include "src/base/clock.h"
#include "src/base/hash.h"
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

namespace {

std::set<ServerKey> at_runtime(const Seen& seen) {
  std::set<ServerKey> runtime;
  for (const ServerRow& row : seen.servers) {
    if (row.in_runtime) runtime.insert({row.hostname, row.port});
  }
  return runtime;
}

std::set<ServerKey> servers_of(const CoreList& list) {
  std::set<ServerKey> servers;
  for (const Core& core : list.cores) servers.insert(core.server);
  return servers;
}

std::string difference(const std::set<ServerKey>& runtime, const std::set<ServerKey>& wanted) {
  std::string text;
  for (const ServerKey& server : wanted) text += runtime.count(server) == 0 ? " +" + shown(server) : "";
  for (const ServerKey& server : runtime) text += wanted.count(server) == 0 ? " -" + shown(server) : "";
  return text;
}

bool has_lasted(int64_t since_ns, int64_t now_ns) { return now_ns - since_ns > nanoseconds(kLoadLasts).count(); }

constexpr int64_t kSayEveryNs = 3'600'000'000'000;

}  // namespace

void watch_dispute(Dispute& dispute, const CoreList& list, const Seen& seen, int64_t now_ns, bool begin_anew) {
  const std::set<ServerKey> runtime = at_runtime(seen), wanted = servers_of(list);
  uint64_t hash = fnv1a("");
  for (const ServerKey& server : wanted) hash = fnv1a(shown(server) + "\n", hash);
  if (dispute.list != hash || begin_anew) {
    const int64_t loaded_ns = dispute.loaded_ns;
    dispute = Dispute{};
    dispute.loaded_ns = loaded_ns;  // the next load waits for its second to be over, whatever the list
    dispute.list = hash;
  }
  const bool has_all = std::includes(runtime.begin(), runtime.end(), wanted.begin(), wanted.end());
  const bool agrees = runtime == wanted || (list.keeps_others && has_all);
  if (!agrees) {
    dispute.agrees_ns = 0;
    set_text(dispute.difference, difference(runtime, wanted));
  } else if (dispute.agrees_ns == 0) {
    dispute.agrees_ns = now_ns;
  }
  const bool stopped = dispute.stopped_ns != 0;
  const bool as_loaded = agrees || (stopped && has_all);
  if (as_loaded) {
    if (dispute.stands == 0) dispute.loaded_ns = now_ns;  // by another node
    dispute.stands = 1;
    if (agrees && has_lasted(dispute.agrees_ns, now_ns)) {
      dispute.undone = 0;
      dispute.stopped_ns = 0;
    }
    return;
  }
  if (dispute.stands == 0) return;
  dispute.stands = 0;
  if (!has_lasted(dispute.loaded_ns, now_ns)) {
    ++dispute.undone;
  } else {
    dispute.undone = stopped ? kMostUndone : 0;
  }
  if (dispute.undone >= kMostUndone && !stopped) dispute.stopped_ns = now_ns;
}

Changes allowed_changes(const Dispute& dispute, const Seen& seen, int64_t now_ns) {
  if (dispute.stopped_ns == 0 || at_runtime(seen).empty()) return Changes::all;
  if (dispute.undone < 2 * kMostUndone || has_lasted(dispute.loaded_ns, now_ns)) return Changes::additions;
  return Changes::nothing;
}

void note_membership_load(Dispute& dispute, const std::vector<std::string>& loaded, int64_t now_ns) {
  if (std::find(loaded.begin(), loaded.end(), "proxysql_servers") == loaded.end()) return;
  dispute.loaded_ns = now_ns;
  dispute.stands = 1;
}

std::string dispute_line(const Dispute& before, Dispute& now, int64_t now_ns) {
  if (now.stopped_ns == 0) {
    now.said_ns = 0;
    return before.stopped_ns == 0 ? "" : "proxysql_servers is kept to this node's list of cores again";
  }
  if (now.said_ns != 0 && now_ns - now.said_ns < kSayEveryNs) return "";
  now.said_ns = now_ns;
  return "other nodes have undone " + std::to_string(now.undone) +
         " loads of proxysql_servers in a row: their lists of cores differ from this one's, by" +
         std::string(text(now.difference)) +
         " when last seen. This node adds what is missing and takes nothing away until a list changes or a resync is "
         "asked for";
}

// What could be lost: a row that is deleted and loaded is gone at every node that pulls. Only rows that a usable list
// of cores lacks are deleted, after those that it has are in, so that the table is never empty; a list that other nodes
// contradict deletes nothing (see Changes); and load_servers() isn't run on an empty table.
void plan_membership(const CoreList& list, const Seen& seen, Pulled pulled, Plan& plan, Changes changes) {
  const std::set<ServerKey> runtime = at_runtime(seen), listed = servers_of(list);
  std::set<ServerKey> memory, wanted = listed;
  for (const ServerRow& row : seen.servers) {
    if (row.in_memory) memory.insert({row.hostname, row.port});
  }
  if (changes == Changes::nothing) wanted.clear();
  for (const ServerKey& server : runtime) {
    const bool stays =
        changes == Changes::nothing || list.keeps_others || (changes == Changes::additions && is_address(server.first));
    if (stays) wanted.insert(server);
  }
  for (const Core& core : list.cores) {
    if (wanted.count(core.server) == 0 || memory.count(core.server) != 0) continue;
    // Could destroy: weight and comment of a row that came since the look. No row is lost.
    plan.steps.push_back({insert_server(core.server, 0, core.name),
                          shown(core.server) + (core.name.empty() ? "" : " (" + core.name + ")") + " is a core"});
  }
  for (const ServerKey& server : wanted) {
    if (listed.count(server) != 0 || memory.count(server) != 0) continue;
    plan.steps.push_back({insert_server(server, 0, ""), shown(server) + " is at runtime, put there by other nodes"});
  }
  for (const ServerKey& server : memory) {
    if (wanted.count(server) == 0 && !list.keeps_others) {
      // Could destroy: the way to a live core that the list lacks. Lists that are old, incomplete, empty or lack this
      // core never get here, and the list's cores are in the table already: it isn't empty on the way.
      plan.steps.push_back({delete_server(server), shown(server) + " is not among the cores"});
    }
  }
  if (changes != Changes::all && runtime != listed) {
    plan.situation =
        "other nodes undo this one's loads of proxysql_servers, nothing is taken away:" + difference(runtime, listed);
  }
  if (runtime == wanted) return;
  const std::string reason = difference(runtime, wanted);
  if (pulled == Pulled::by_peers && loaded_this_second(find_module(seen.modules, "proxysql_servers"), seen.now_s)) {
    plan.situation = "proxysql_servers was loaded in this second, the next beat loads again:" + reason;
    plan.deferred = true;
    return;
  }
  plan.steps.push_back(load_servers("the cores have changed:" + reason));
}

}  // namespace pulse
