// What a plan is: statements for a beat to run, in order, each with its reason.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pulse {

struct Step {
  std::string statement;
  std::string reason;
  // Run in its place when it is refused; without any, a refusal ends the part of the plan that the step belongs to.
  std::vector<std::string> instead = {};
  // A table. Right before this statement the beat counts its rows and doesn't run the statement if there are none: an
  // emptiness that is loaded is pulled by the peers like any other content.
  std::string needs_rows_in = {};
  // Run when this step is refused or lacks its rows: brings back what earlier steps took away from memory.
  std::string undo = {};
  // Parts are independent of each other; a refusal in one leaves out what is left of it, and no other. Parts are named
  // as in runtime_checksums_values.
  std::string part = "proxysql_servers";
  bool restores = false;  // brings the part's memory back from runtime
  bool loads = false;     // makes the part's new content ProxySQL's runtime, and the newest in the cluster
  // What is loaded is meant to be the file's rows: a peer's pull can land between any two statements. Right before this
  // statement the beat compares the part's memory tables with the file, and goes back by `again_from` steps if they
  // differ, kMostReads times at most; then the step is refused. Once it has run, tables are compared again: if they
  // differ now, it may have loaded a peer's rows, and doesn't count as run.
  bool from_file = false;
  size_t again_from = 0;
  // What is loaded is meant to be what serves already. Right before this statement the beat compares the part's memory
  // tables with runtime's, and doesn't run it if they differ: it would bring what a person has changed and not loaded.
  bool as_served = false;
};

// So often a part's rows are read from the file before its load is given up.
inline constexpr int kMostReads = 3;

// An ordered list of idempotent statements: a beat that is killed between any two of them is made good by the next,
// which plans anew from what it finds.
struct Plan {
  std::vector<Step> steps;
  std::string situation;  // why there are steps, or why there are none although not all is well; "" when all is well
  bool deferred = false;  // a load is left to a later beat
};

}  // namespace pulse
