// What lies in the state segment, byte for byte. Any change here needs a new kLayoutVersion.
//
// All stamps are CLOCK_BOOTTIME nanoseconds unless they say otherwise; 0 means never. Strings end with a zero byte
// or fill their array: readers go through text() and never trust a length, a count or an enumerator.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "shm/segment/layout_jobs.h"
#include "shm/segment/section.h"

namespace pulse {

inline constexpr uint64_t kMagic = 0x45534C5550515850;  // "PXQPULSE" in memory
inline constexpr uint32_t kLayoutVersion = 5;

enum class Phase : uint8_t { none, lock, config, connect, observe, plan, act, publish };
enum class Outcome : uint8_t {
  none,       // no attempt has ended yet
  ok,         // reconciled
  failed,     // refused, a statement failed, bad configuration, or the process died
  timed_out,  // by its own deadline
  overdue,    // past its own deadline and still there: killed by a later beat
};

// The process that holds the lock (a beat, or a command that excludes beats), so that one stuck past its deadline can
// be told from any other process and killed.
struct Holder {
  int64_t pid;
  int64_t began_ns;  // a process of this pid that started later is another one
  int64_t deadline_ns;
};

// One beat that got past the lock and the back-off. Attempts are numbered from 1: the number is the count of attempts.
struct Attempt {
  uint64_t id;
  int64_t began_ns;
  int64_t deadline_ns;
};

struct Ended {  // one line of the history
  int64_t at_ns;
  int64_t duration_ns;
  uint8_t outcome;
  uint8_t phase;
  uint16_t exit_code;
  uint32_t writes;
};

inline constexpr size_t kHistory = 32;

// The durations of attempts are counted in buckets: each bucket up to its bound, the bound included, and one more for
// what is longer than all.
inline constexpr std::array<int64_t, 12> kDurationBoundsNs = {
    2'500'000,   5'000'000,   10'000'000,    25'000'000,    50'000'000,    100'000'000,
    250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

// What all attempts up to `attempt` came to. Each attempt is folded in exactly once, so the counters add up:
// attempt == ok + failed + timed_out == the sum of durations.
struct BeatRecord {
  uint64_t attempt;
  uint64_t ok;
  uint64_t failed;
  uint64_t timed_out;
  uint64_t killed_overdue;  // of timed_out
  int64_t last_ok_ns;
  int64_t failing_since_ns;  // begin of the first attempt of the present row of failures
  int64_t wedged_since_ns;   // begin of the first attempt of the present row of timeouts
  int64_t next_attempt_ns;   // back-off: no attempt before this instant
  uint32_t consecutive_failures;
  uint32_t consecutive_timeouts;
  uint32_t interval_ms;  // what back-off and silence are reckoned by; 0 until a configuration was read
  uint32_t backoff_max_ms;
  // Back-off watches ProxySQL's threads: each abandoned attempt leaves one, all go when the wedge ends.
  int64_t parent_pid;
  int64_t parent_start_ticks;
  uint32_t parent_threads_most;
  uint32_t history_count;  // ever; the newest is history[(history_count - 1) % kHistory]
  int64_t duration_ns;     // of all attempts together
  std::array<uint64_t, kDurationBoundsNs.size() + 1> durations;  // each attempt is in one bucket
  std::array<Ended, kHistory> history;
  std::array<char, 512> message;  // of the last attempt, "" after a good one
};

struct Module {  // a row of runtime_checksums_values
  std::array<char, 32> name;
  std::array<char, 24> checksum;
  int64_t version;
  int64_t epoch;
  int64_t differs_since_ns;  // since when a live peer has had another checksum; 0: none has
  uint32_t differing_peers;
  uint32_t equal_epochs;  // of those, with the same epoch: ProxySQL doesn't sync over that
};

struct Peer {  // a row of proxysql_servers, in memory or at runtime
  std::array<char, 256> hostname;
  uint32_t port;
  uint8_t in_memory;
  uint8_t in_runtime;
  uint8_t live;
  uint8_t checked;        // ProxySQL has read checksums from it at least once
  int64_t updated_at;     // epoch seconds of ProxySQL's last good check; 0 if none
  int64_t first_seen_ns;  // by a beat, at runtime; 0 if it isn't there
};

inline constexpr size_t kModules = 12;
inline constexpr size_t kPeers = 16;

// What the last good beat saw of its ProxySQL.
struct Observation {
  int64_t at_ns;
  int64_t globals_ns;  // when uptime, clients, backends, listener and version were last read: not with every beat
  int64_t proxysql_started_ns;
  int64_t clients;
  uint32_t backends_online;
  uint32_t backends_shunned;
  uint32_t backends_offline;  // OFFLINE_SOFT and OFFLINE_HARD
  uint32_t backends_total;
  uint8_t listener_paused;
  uint8_t configured;  // a configuration has been received from a core, or came with the file
  uint8_t is_core;
  uint8_t unused;
  uint32_t modules_count;
  uint32_t peers_count;  // of all rows; peers[] holds the first kPeers
  uint32_t live_peers;
  std::array<char, 64> version;
  std::array<Module, kModules> modules;
  uint64_t connection_id;  // of the beat that saw this; ProxySQL counts them from its start
  std::array<Peer, kPeers> peers;
};

struct Hostgroup {  // its backends by status, as in Observation
  uint32_t id;
  uint32_t online;
  uint32_t shunned;
  uint32_t offline;
};

inline constexpr size_t kHostgroups = 64;

// The backends of each hostgroup, from the last time that a beat looked at everything. No beat reads it.
struct Hostgroups {
  int64_t at_ns;
  uint32_t count;           // of all; hostgroups[] holds those with the lowest numbers
  uint32_t without_online;  // of all: hostgroups none of whose backends is ONLINE
  std::array<Hostgroup, kHostgroups> hostgroups;
};

// What a core's beats remember of one boot of ProxySQL: whether this core's configuration file is the authority, and
// what became of the modules that were loaded from it.
enum class Standing : uint8_t { undecided, authority, aside };

struct Stamp {  // one module, loaded from the file in this boot
  std::array<char, 32> name;
  std::array<char, 24> checksum;  // as ProxySQL had it right after the load
  int64_t epoch;
  int64_t at_ns;
  uint32_t loads;  // more than one: a pull that was under way overwrote it
  uint8_t settled;
  std::array<uint8_t, 3> unused;
};

struct CoreRecord {
  int64_t proxysql_started_ns;  // the boot that this is about; a second or two off
  int64_t newest_created_at;    // epoch seconds, of all cores ever seen in a list of members
  uint8_t standing;
  uint8_t waiting;      // the file's modules are to be loaded and not all were
  uint8_t taken_apart;  // one bit a module: its memory tables were being replaced when this was published
  uint8_t unused;
  uint32_t stamps_count;
  std::array<char, 256> reason;  // of the standing
  std::array<Stamp, kModules> stamps;
};

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
  int64_t clients;              // when last looked at; at the end, those that were cut
  int64_t wait_timeout_ms;      // as it was before, to be restored; -1: not lowered
  int64_t poll_timeout_ms;
  int64_t lowered_to_ms;  // mysql-wait_timeout now; -1: not lowered
  uint8_t phase;
  uint8_t outcome;
  uint8_t stops;               // ProxySQL is to be shut down
  uint8_t admin_unresponsive;  // at some time, and the drain went on without it
  uint8_t paused;
  std::array<uint8_t, 3> unused;
  std::array<char, 512> message;
};

// Where a list of members comes from.
enum class Source : uint8_t { none, kubernetes, dns, fixed };

struct Member {                  // of the cluster, as discovered
  std::array<char, 128> name;    // of the pod; "" where the source knows none
  std::array<char, 48> address;  // numeric, without brackets
  int64_t created_at;            // epoch seconds; 0 where the source doesn't say
  uint32_t port;                 // of the admin interface
  uint8_t is_core;
  uint8_t is_self;
  uint8_t ready;
  uint8_t unused;
};

inline constexpr size_t kMembers = 1024;

// The list as it is. Cores come first, ordered by address and port, so that a beat reads no more than it needs.
struct Members {
  int64_t changed_ns;
  uint64_t boot_id;  // of the machine: a list from before its last boot is none
  uint32_t count;
  uint32_t cores;  // of count
  std::array<Member, kMembers> members;
};

// How discovery fares. `ok_ns` is the last instant at which the list was known to be right: a beat acts on a list only
// if that is recent, and if nothing was left out.
struct Discovery {
  uint64_t boot_id;
  int64_t ok_ns;
  int64_t looked_ns;          // last answer or failure of any kind
  int64_t failing_since_ns;   // 0: the last look was good
  uint64_t failures;          // ever
  uint32_t members_left_out;  // more than kMembers
  uint8_t source;
  std::array<uint8_t, 3> unused;
  std::array<char, 256> error;  // of the last look, "" if it was good
};

struct Layout {
  // Written once by the creator, before the file has its name.
  uint64_t magic;
  uint32_t layout_version;
  uint32_t size;
  int64_t created_realtime_ns;

  // Plain words, any process.
  std::atomic<uint64_t> boot_id;                 // of the machine: stamps of another boot mean nothing
  std::atomic<int64_t> last_beat_ns;             // any beat, also one that was skipped: the scheduler is alive
  std::atomic<uint64_t> config_identity;         // of the file that was read and names this segment; see config.h
  std::atomic<uint64_t> config_path;             // a hash of that file's name alone
  std::atomic<int64_t> maintenance_realtime_ns;  // since when; 0: off
  std::atomic<int64_t> draining_since_ns;  // announced by whoever drains, before anything else is done; 0: not draining
  std::atomic<uint64_t> resync_requested;
  std::atomic<uint64_t> resync_done;
  std::atomic<uint64_t> skipped_busy;
  std::atomic<uint64_t> skipped_backoff;

  // Of the running attempt, written by its own process (also from its timer's signal handler) or by its killer.
  std::atomic<uint64_t> phase_mark;  // attempt << 8 | Phase
  std::atomic<int64_t> ended_ns;     // written before end_mark
  std::atomic<uint64_t> end_mark;    // attempt << 8 | Outcome: ended without a record of its own

  // Written by the lock's holder.
  Section<Holder> holder;
  Section<Attempt> attempt;
  Section<BeatRecord> record;
  Section<Observation> observation;
  Section<CoreRecord> core;
  Section<Hostgroups> hostgroups;

  // Written by the holder of the drain's lock.
  Section<DrainRecord> drain;

  // Written by the daemon. Last in the file: a beat touches few pages of it.
  Section<Discovery> discovery;
  Section<Members> members;
  Section<LeaderState> leader;

  // One of each job, written by its guard.
  std::array<JobSlot, kJobSlots> jobs;
};

template <size_t N>
std::string_view text(const std::array<char, N>& chars) {
  return {chars.data(), static_cast<size_t>(std::find(chars.begin(), chars.end(), '\0') - chars.begin())};
}

// Copies as much of `from` as fits, cut at a UTF-8 character's boundary, and clears the rest.
template <size_t N>
void set_text(std::array<char, N>& to, std::string_view from) {
  size_t length = std::min(from.size(), N - 1);
  while (length < from.size() && length > 0 && (static_cast<unsigned char>(from[length]) & 0xC0) == 0x80) --length;
  to.fill('\0');
  std::memcpy(to.data(), from.data(), length);
}

}  // namespace pulse
