// How a module is loaded from the configuration file, and what is remembered of it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scheduler/cluster/core_input.h"
#include "src/config/modules.h"

namespace pulse {

// The module's own row, or null. mysql_servers itself also moves when the monitor shuns a backend or finds a new
// writer; mysql_servers_v2, where there is one, only with a load.
const ModuleRow* checksum_of(const FileModule& module, const std::vector<ModuleRow>& modules);

// "LOAD MYSQL USERS TO RUNTIME" of what is in memory: it becomes the newest in the cluster.
// Could destroy: everything that the module serves anywhere, if memory is empty; that is counted right before, and the
// statement isn't run on a table without rows. It also loads what a person has changed in memory and not loaded yet.
Step load_to_runtime(const FileModule& module, const std::string& reason);

// Whether the module was loaded in this very second, so that its load must be left to a later beat: says so in `plan`.
bool loaded_in_this_second(const CoreInput& input, const FileModule& module, Plan& plan);

// Before anything else of a module: brings back the memory tables that a beat which died was replacing (`taken_apart`,
// one bit a module). Loaded as they are now, they would be an incident.
void put_together(const FileModule& module, uint32_t taken_apart, Plan& plan);

// The module's load in this boot of ProxySQL; null if there was none.
Stamp* find_stamp(CoreRecord& record, std::string_view module);

// Why the module is to be loaded once more: a pull, or an old core's last word, has replaced what was loaded in this
// boot. "" if it is as it was loaded, or somebody has loaded it since who means it; the stamp is settled then.
std::string overwritten(const CoreInput& input, const FileModule& module, Stamp& stamp);

// Appends what makes the module's tables the file's rows and no others, at runtime too.
void load_file(const CoreInput& input, const FileModule& module, const std::string& reason, CorePlan& out);

// With core.apply = "on_boot": loads the module from the file if this boot's stamp of it is missing or was overwritten.
void load_file_once_per_boot(const CoreInput& input, const FileModule& module, uint32_t taken_apart, CorePlan& out);

struct Held {
  std::string part;
  std::string why;
};

// What came of a plan: the parts whose load went through, those whose memory was brought back after a refusal, and
// those that weren't loaded because memory isn't what serves.
struct Outcomes {
  std::vector<std::string> loaded;
  std::vector<std::string> restored;
  std::vector<Held> held = {};
  // Of those loaded, variables that ProxySQL didn't take: the part, and its words.
  std::vector<std::pair<std::string, std::string>> refused = {};
};

// Enters into record and history what came of the plan; `before` and `after` are what was seen before and after it. A
// load that a pull has overwritten already isn't entered, so that the next beat loads again. The record that
// plan_core() made is to be published before the plan is run: a beat that dies then has left word of which tables it
// was replacing.
void settle_core(CoreRecord& record, Applied& applied, const Plan& plan, const Outcomes& outcomes, const Seen& before,
                 const Seen& after, int64_t now_ns);

// So often a stamp that somebody's later load has replaced within the settle time is put back. An old core's last word
// is meant; two cores that disagree must not go on for ever.
inline constexpr uint32_t kMostLoads = 4;

// A stamped module counts as settled when it is found as stamped after this time: a pull that was under way at the
// stamp would have ended by then.
inline constexpr std::chrono::seconds kSettleTime{10};

}  // namespace pulse
