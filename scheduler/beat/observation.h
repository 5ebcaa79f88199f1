// What a beat makes of a snapshot of ProxySQL: what to read next, and what the segment gets to know. Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "scheduler/cluster/cluster_query.h"
#include "shm/segment/layout.h"

namespace pulse {

// How often everything is looked at.
inline constexpr std::chrono::seconds kEverythingEvery{10};

// What to look at, given the last observation: everything if that is due, or if another ProxySQL seems to run by now.
// `connection_id` is the present connection's.
Look what_to_look_at(const Observation& last, uint64_t connection_id, int64_t now_ns);

// Whether a module's version has changed since the last observation: something was loaded, or this is another boot of
// ProxySQL. Everything is worth a look then.
bool has_loaded(const Seen& seen, const Observation& last);

// Gives each server at runtime the first_seen_ns that the last observation has of it, if that was of the same boot of
// ProxySQL, else `now_ns`: a ProxySQL that has just started hasn't failed to reach anybody yet.
void carry_first_seen(Seen& seen, const Observation& last, int64_t now_ns);

// As published to the segment. `last` is the observation before it: of the same ProxySQL boot, once configured is
// configured.
Observation to_observation(const Seen& seen, const Observation& last, int64_t now_ns,
                           std::chrono::milliseconds peer_timeout, bool is_core);

// The hostgroups of a look at everything, as published. With more than kHostgroups, those with the lowest numbers; the
// counts are of all.
Hostgroups to_hostgroups(const Seen& seen, int64_t now_ns);

}  // namespace pulse
