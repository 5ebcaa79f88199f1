// The drain's part of the segment.
#pragma once

#include <array>
#include <cstdint>

namespace pulse {

// How far a drain has come.
enum class DrainPhase : uint8_t {
  none,
  lock,    // waits for the beat that runs
  settle,  // endpoints take this pod out; connections that are idle for long are closed
  close,   // settled: waits for the clients that are left
  pause,
  stop,  // SHUTDOWN or SIGTERM is on its way
  ended,
};
enum class DrainOutcome : uint8_t {
  none,
  stopped,  // ProxySQL has ended
  drained,  // as asked for, ProxySQL runs on without clients
  failed,   // ProxySQL couldn't be stopped
  undone,   // by undrain, or by a beat after its process was killed
};

// How a drain makes clients leave, and why so. Only what lowers() says lowers mysql-wait_timeout.
enum class DrainWay : uint8_t {
  undecided,
  satellite,  // no node pulls from it
  unsynced,   // no member pulls MySQL variables
  alone,      // there is no other member
  // Resting sessions are closed one by one, for lowered variables would reach other nodes, or might.
  synced,        // MySQL variables are synced
  peers_differ,  // a member has other admin variables, or nobody knows them
  strangers,     // a host that is no member is connected to the admin interface, and may pull; or nobody knows
};

constexpr bool lowers(DrainWay way) {
  return way == DrainWay::satellite || way == DrainWay::unsynced || way == DrainWay::alone;
}

// The last drain. Its writer holds the drain's own lock (PATH.drain.lock): the drain itself, and later a beat or an
// undrain that clears it away. Times are of CLOCK_BOOTTIME.
struct DrainRecord {
  uint64_t number;  // drains ever
  int64_t began_ns;
  int64_t deadline_ns;
  int64_t settled_ns;  // when settle is over
  int64_t ended_ns;
  int64_t looked_ns;            // at the clients
  int64_t proxysql_started_ns;  // the boot that it belongs to; 0: not known
  int64_t clients_first;        // -1: not known
  int64_t clients;              // when last counted; at the end, those that were cut
  int64_t clients_at_ns;        // when they were last counted
  int64_t wait_timeout_ms;      // mysql-wait_timeout as it was before, to be restored; -1: not lowered
  int64_t poll_timeout_ms;
  int64_t lowered_to_ms;          // wait_timeout now, of each protocol; -1: not lowered
  int64_t pgsql_wait_timeout_ms;  // as those of MySQL
  int64_t pgsql_poll_timeout_ms;
  int64_t closed;       // sessions that were closed one by one
  int64_t estimate_ms;  // how long the drain would take, as it was reckoned at its start; -1: it wasn't
  int64_t will_cut;     // and how many clients it couldn't move; -1
  uint8_t phase;
  uint8_t outcome;
  uint8_t stops;               // ProxySQL is to be shut down
  uint8_t admin_unresponsive;  // at some time, and the drain went on without it
  uint8_t paused;
  uint8_t way;  // a DrainWay
  std::array<uint8_t, 2> unused;
  std::array<char, 512> message;
};

}  // namespace pulse
