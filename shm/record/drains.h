// What the record of a drain means: whether it is in effect, at work, or left behind. Pure.
#pragma once

#include <cstdint>

#include "shm/segment/layout.h"
#include "src/base/clock.h"

namespace pulse {

// Whether a drain is in effect. `port_answers_since_ns` is 0 while the MySQL port doesn't answer. A port that has
// answered only since ProxySQL was stopped belongs to another ProxySQL.
bool is_draining(int64_t draining_since_ns, const DrainRecord& record, int64_t port_answers_since_ns);

// Whether the process of that drain may still be at work, a little beyond its deadline included. Its record says so; if
// the drain hasn't written one, the configured timeout does.
bool may_be_at_work(int64_t draining_since_ns, const DrainRecord& record, milliseconds timeout, int64_t now_ns);

// What a beat makes of a drain that it finds in the segment and that no process works on.
enum class DrainLeft {
  stays,      // done, in the same boot of ProxySQL: in effect until undrain or ProxySQL's end
  died,       // its process was killed half-way: to be undone
  other_boot  // of a ProxySQL that is gone
};
DrainLeft judge_drain(const DrainRecord& record, int64_t draining_since_ns, int64_t proxysql_started_ns);

// Whether what the drain of `record` changed is still to be undone in a ProxySQL that started then. The last record may
// be of an earlier drain than the one that was announced.
bool has_left_changes(const DrainRecord& record, int64_t proxysql_started_ns);

}  // namespace pulse
