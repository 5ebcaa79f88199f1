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
  int64_t revision = 0;  // of the workload's template that made it; 0: not known
};

// The cores that discovery names, ordered by address. Only a list that is known to be right may be acted on.
struct CoreList {
  std::vector<Core> cores;
  std::string unusable;             // why no beat may act on it; "" if one may
  std::chrono::nanoseconds age{0};  // since it was last known to be right
  int64_t changed_ns = 0;           // Members::changed_ns
  std::string no_revisions = {};    // why the cores' revisions aren't known; "" if they are
  // Others may know more cores than the list: what they have put into the table stays there.
  bool keeps_others = false;

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

// So many loads in a row that other nodes undo make this one stop taking rows away.
inline constexpr uint32_t kMostUndone = 4;
// After twice as many, it loads no more than once in so long. A load that lasts so long wasn't undone.
inline constexpr std::chrono::minutes kLoadLasts{5};

// Nodes whose lists differ undo each other's loads: each load is pulled by the others, whose beats make it what their
// own lists say. One that has been undone kMostUndone times takes nothing away any more (`additions`): it inserts what
// its list has and runtime lacks, and leaves in place the addresses that others have put there. Of all that a fight can
// cost, that is the least: a live core that somebody knows stays in every table, and a row too many only costs ProxySQL
// a check that fails. As no stopped node takes anything away, the tables come to hold what any of the lists has, and
// rest. Host names go all the same: ProxySQL can hang on one that leads to itself. If even additions are undone, by
// somebody who never stops, they are made once in kLoadLasts (`nothing` in between).
enum class Changes { all, additions, nothing };

// Notes what has become of the last load; to be called with each look, before the plan. A load counts as undone if
// runtime differs from it within kLoadLasts. It begins anew with another list, with `begin_anew` (a resync), and after
// runtime has been exactly as the list says for kLoadLasts.
void watch_dispute(Dispute& dispute, const CoreList& list, const Seen& seen, int64_t now_ns, bool begin_anew);

// What the plan may do now. An empty runtime is mended in any case.
Changes allowed_changes(const Dispute& dispute, const Seen& seen, int64_t now_ns);

// Notes a load of proxysql_servers, if it is among the parts of a plan that were loaded.
void note_membership_load(Dispute& dispute, const std::vector<std::string>& loaded, int64_t now_ns);

// What to say of a dispute: when it begins, once an hour while it lasts, and at its end. "" if there is nothing to say.
// Sets said_ns.
std::string dispute_line(const Dispute& before, Dispute& now, int64_t now_ns);

// Appends to `plan` what makes proxysql_servers hold exactly the list's cores, in memory and at runtime (of a list that
// keeps others: all of them, and nothing is taken away), or as much of that as `changes` allows: first what is missing,
// then what is to go, then one load, so that the table is never empty on the way. `list` must be usable.
void plan_membership(const CoreList& list, const Seen& seen, Pulled pulled, Plan& plan, Changes changes = Changes::all);

// Whether `module` was loaded in this very second of ProxySQL's clock, so that another load now would have the same
// epoch. A clock that is far behind doesn't count.
bool loaded_this_second(const ModuleRow* module, int64_t now_s);

std::string insert_server(const ServerKey& server, int64_t weight, const std::string& comment);
std::string delete_server(const ServerKey& server);
Step load_servers(const std::string& reason);

}  // namespace pulse
