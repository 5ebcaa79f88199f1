// How this node is, read once: what `status` shows and what `doctor` begins with. Never asks ProxySQL.
#pragma once

#include <cstdint>

#include "scheduler/cli/command_line.h"
#include "shm/status/health.h"
#include "shm/status/status_json.h"
#include "src/base/clock.h"
#include "src/config/settings.h"

namespace pulse {

struct NodeStatus {
  Config config;
  StateView view;  // with members, jobs and what has been applied
  PortView port;   // MySQL's
  PortView pgsql;  // not known where nobody looks at it
  Verdict verdict;
  int64_t clients = -1;        // of both protocols; -1: not known
  int64_t pgsql_clients = -1;  // of those
  int64_t now_ns = 0;          // of all this, CLOCK_BOOTTIME

  // Refers to this; for status_json() and status_text().
  StatusInput input() const { return {view, verdict, port, config, clients, now_ns, now_ns, &pgsql, pgsql_clients}; }
};

// Reads segment and socket tables. What can't be read is said in `view.problem` and in the log, that no beat has made
// the segment yet in `view.absent`. Looks no longer than 1.5 s at the socket tables, and no longer than until
// `deadline`.
NodeStatus read_node_status(const Options& options, Deadline deadline);

}  // namespace pulse
