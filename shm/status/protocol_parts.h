// What a status tells of each protocol apart. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "shm/status/status_json.h"

namespace pulse {

// One protocol's part of what a status tells.
struct ProtocolPart {
  const char* name;          // "mysql", "pgsql"
  bool served;               // its port must answer
  const PortView* port;      // null: nobody looks at it
  int64_t clients;           // -1: not known
  BackendCounts backends{};  // as a beat saw them last
};

// Of MySQL first; PostgreSQL's is left out where ProxySQL doesn't serve it and nobody looks at its port.
std::vector<ProtocolPart> protocol_parts(const StatusInput& input);

}  // namespace pulse
