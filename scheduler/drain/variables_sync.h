// How a satellite's MySQL variables stand against the cores': what a drain's own loads may keep from arriving. Pure.
//
// A node pulls a module only from a peer whose epoch is greater than its own, and each LOAD sets the own epoch to now.
// So a load made here right after a core's keeps the core's content out, for good, and no command takes the own epoch
// back: only another load on a core ends that. What can be done here is not to overtake a pull that is due, and to say
// it where one was overtaken.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/admin/admin_session.h"

namespace pulse {

struct VariablesSync {
  bool pull_due = false;   // a core has something newer, which ProxySQL is about to pull
  uint32_t overtaken = 0;  // cores with other content that isn't newer than this node's last load: it never arrives
};

// Tables as reviewed for the beat (cluster/cluster_query.h).
std::string variables_sync_statement();
VariablesSync variables_sync_of(const AdminResult& answer);

// What to say where `overtaken` isn't 0.
std::string overtaken_text(const VariablesSync& sync);

}  // namespace pulse
