// What a core's beat does about what it saw. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/cluster/cluster_query.h"
#include "scheduler/cluster/membership.h"
#include "scheduler/cluster/plan.h"
#include "src/config/settings.h"

namespace pulse {

struct CoreInput {
  const Seen& seen;
  const CoreList& list;
  const Config& config;
  const CoreRecord& record;     // as the last beat left it
  int64_t proxysql_started_ns;  // boottime, of the ProxySQL that was seen
  int64_t now_ns;
};

struct CorePlan {
  Plan plan;
  CoreRecord record;  // to be published, after settle_core()
};

// Four parts, in this order: the membership (proxysql_servers holds exactly the discovered cores); the configuration
// file's modules, once per boot of ProxySQL, where this core is the authority; else unlocking of modules that sit at
// version 1, which satellites ignore, with no newer peer; divergence (equal epochs, different checksums), which one
// core ends by loading again: the newest, or the lowest address where nobody says who that is. Nothing is done on a
// list that isn't usable or lacks this core, except the stamp of an authority that needs no list ("always").
CorePlan plan_core(const CoreInput& input);

// What came of a plan: the parts whose load went through, and those whose memory was brought back after a refusal.
struct Outcomes {
  std::vector<std::string> loaded;
  std::vector<std::string> restored;
};

// Enters into the record what came of the plan; `before` and `after` are what was seen before and after it. A load that
// a pull has overwritten already isn't entered, so that the next beat loads again. The record that plan_core() made is
// to be published before the plan is run: a beat that dies then has left word of which tables it was replacing.
void settle_core(CoreRecord& record, const Plan& plan, const Outcomes& outcomes, const Seen& before, const Seen& after,
                 int64_t now_ns);

// Who is the newest core is only decided by a list that was known to be right this long after ProxySQL's start: before,
// or while discovery fails, a newer core may have come, and this one's file must not win over that one's.
inline constexpr std::chrono::seconds kListAfterStart{1};

// A member that ProxySQL hasn't reached since it started keeps this one from unlocking for so long.
inline constexpr std::chrono::seconds kNeverReached{60};

// So often a stamp that somebody's later load has replaced within the settle time is put back. An old core's last word
// is meant; two cores that disagree must not go on for ever.
inline constexpr uint32_t kMostLoads = 4;

// A stamped module counts as settled when it is found as stamped after this time: a pull that was under way at the
// stamp would have ended by then.
inline constexpr std::chrono::seconds kSettleTime{10};

}  // namespace pulse
