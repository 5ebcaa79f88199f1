// What doctor concludes from what it has seen. Pure.
#pragma once

#include <string>
#include <vector>

#include "scheduler/doctor/finding.h"
#include "scheduler/doctor/seen.h"
#include "scheduler/status/node_status.h"

namespace pulse {

struct Examined {
  NodeStatus node;
  std::string file_error;           // why the configuration can't be used; "" if it can
  std::vector<std::string> advice;  // check-config's
  std::string grace_problem;        // "" if the grace fits, or none is configured
  bool file_has_beat_row = false;   // its group `scheduler` has an active row that runs the beat
  ProcessSeen process;
  std::vector<AdminConnection> connections;
  AdminSeen admin;
  DaemonSeen daemon;
  std::vector<PeerSeen> peers;
};

// Why no statement is to be added to those that wait already, from the segment alone; "" if one may be sent.
std::string why_not_to_ask(const NodeStatus& node);

Findings configuration_findings(const Examined& all);
Findings segment_findings(const Examined& all);
Findings health_findings(const Examined& all);  // state and probes
Findings admin_findings(const Examined& all);   // login, answers, what it hangs on
Findings scheduler_findings(const Examined& all);
Findings module_findings(const Examined& all);
Findings peer_findings(const Examined& all);
Findings member_findings(const Examined& all);
Findings satellite_findings(const Examined& all);  // of the core that asks them
Findings daemon_findings(const Examined& all);
Findings drain_findings(const Examined& all);

// All of these, in the order in which a person mends things.
Findings findings_of(const Examined& all);

}  // namespace pulse
