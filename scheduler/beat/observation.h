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

// How closely beats watch peers.
struct PeerWatch {
  std::chrono::milliseconds interval;  // of beats
  std::chrono::milliseconds peer_timeout;
};

// Says of each server at runtime when it was last found reached and for how long it has been silent since, from what
// the last observation says of it. Only what beats have watched counts as silence: a look adds the time since the last
// one, but no more than one interval, and no more than half of the peer timeout. So beats that were away (back-off, the
// row switched off, a machine that slept) add one interval, and three looks in a row at least must find a peer silent
// before it is dead, however long the interval is. A peer that the last observation doesn't know starts at no silence;
// so do all after a start of ProxySQL, which hasn't failed to reach anybody yet.
void watch_peers(Seen& seen, const Observation& last, int64_t now_ns, const PeerWatch& watch);

// As published to the segment. `last` is the observation before it: of the same ProxySQL boot, once configured is
// configured.
Observation to_observation(const Seen& seen, const Observation& last, int64_t now_ns,
                           std::chrono::milliseconds peer_timeout, bool is_core);  // or standalone

// The hostgroups of a look at everything, as published. With more than kHostgroups, those with the lowest numbers; the
// counts are of all.
Hostgroups to_hostgroups(const Seen& seen, int64_t now_ns);

}  // namespace pulse
