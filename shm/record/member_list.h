// Whether the list of members may be acted on. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "shm/segment/layout.h"

namespace pulse {

// Why nobody may act on the list, "" if it may be acted on: it is of this boot of the machine, has all cores, and was
// known to be right within `max_age`. Satellites may be left out, those with the highest addresses: nothing that is
// decided needs them all. Who is in the list isn't looked at. Also good is the list of the daemon before the present
// one, while that one hasn't looked yet.
std::string why_unusable(const Members& members, const Discovery& discovery, uint64_t boot_id, int64_t now_ns,
                         std::chrono::milliseconds max_age);

}  // namespace pulse
