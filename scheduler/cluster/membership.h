// Who the cores are, and how proxysql_servers is made to say so. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/cluster/cluster_rows.h"
#include "scheduler/cluster/plan.h"
#include "shm/segment/layout.h"

namespace pulse {

using ServerKey = std::pair<std::string, uint16_t>;  // host name and port, proxysql_servers' primary key

std::string shown(const ServerKey& server);

struct Core {
  ServerKey server;
  std::string name;
  int64_t created_at = 0;  // epoch seconds; 0: the source doesn't say
  bool is_self = false;
};

// The cores that discovery names, ordered by address. Only a list that is known to be right may be acted on.
struct CoreList {
  std::vector<Core> cores;
  std::string unusable;             // why no beat may act on it; "" if one may
  std::chrono::nanoseconds age{0};  // since it was last known to be right

  bool usable() const { return unusable.empty(); }
  const Core* self() const;
  bool has(const ServerKey& server) const;
};

// Decides whether the list may be acted on: not if it is from another boot of the machine, incomplete, empty, or was
// last known to be right longer than `max_age` ago.
CoreList usable_cores(const Members& members, const Discovery& discovery, uint64_t boot_id, int64_t now_ns,
                      std::chrono::milliseconds max_age);

// Who pulls this node's table. Epochs have one-second resolution and peers never sync over equal ones: a node that is
// pulled from never loads twice within one second. A satellite is in nobody's table, so it needn't wait.
enum class Pulled { by_peers, by_nobody };

// Appends to `plan` what makes proxysql_servers hold exactly the list's cores, in memory and at runtime: first what is
// missing, then what is to go, then one load, so that the table is never empty on the way. `list` must be usable.
void plan_membership(const CoreList& list, const Seen& seen, Pulled pulled, Plan& plan);

// Whether `module` was loaded in this very second of ProxySQL's clock, so that another load now would have the same
// epoch. A clock that is far behind doesn't count.
bool loaded_this_second(const ModuleRow* module, int64_t now_s);

std::string insert_server(const ServerKey& server, int64_t weight, const std::string& comment);
std::string delete_server(const ServerKey& server);
Step load_servers(const std::string& reason);

}  // namespace pulse
