// The rule of leader.mode = "lowest". Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "shm/segment/layout.h"

namespace pulse {

// The leader among the listed members of one role: of the ready ones, the first in the list's order, which is that of
// addresses. Only a list that may be acted on says so: see why_unusable().
struct Lowest {
  bool is_self = false;
  std::string holder;    // "10.0.0.1:6032", with the pod's name where there is one
  std::string unusable;  // why nothing can be said, "" if it can
};
Lowest lowest(const Members& members, const Discovery& discovery, bool of_cores, uint64_t boot_id, int64_t now_ns,
              std::chrono::milliseconds max_age);

}  // namespace pulse
