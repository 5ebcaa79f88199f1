// Which protocols a node serves, so that its readiness needs their ports. Pure.
#pragma once

#include "shm/status/health.h"

namespace pulse {

// What the file says of the protocols. Of MySQL it always says something, unless it speaks of PostgreSQL alone.
FileProtocols protocols_of(const Config& config);

// What ProxySQL says counts, once a beat has seen this start of it: a protocol that is off, or that this version lacks,
// is none. Of PostgreSQL, whose port ProxySQL 3 opens unasked, it isn't enough that it is on: the file has rows for it,
// or ProxySQL has backends, and then its port is one that the file names or that has answered. Until a beat has seen
// it, the file counts, and PostgreSQL's port only once it has answered: the ProxySQL may be one without.
Served served_protocols(const StateView& view, const PortView& mysql, const PortView& pgsql, const FileProtocols& file);

}  // namespace pulse
