// The parts of /status about the members of the cluster, as text.
#pragma once

#include <string>

#include "shm/status/status_json.h"

namespace pulse {

// All of the list.
std::string members_json(const StatusInput& input);

// What a core knows of satellites that have diverged; null where it isn't the one to ask them.
std::string satellites_json(const StatusInput& input);

}  // namespace pulse
