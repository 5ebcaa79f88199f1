// What beats saw of their ProxySQL, and what a core's beats remember of one boot of it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace pulse {

inline constexpr size_t kModules = 24;
inline constexpr size_t kPeers = 64;

// Where a module's content came from, as far as beats have seen it come.
enum class ModuleOrigin : uint8_t {
  unknown,
  core,  // pulled: a row of proxysql_servers had the same checksum and epoch
  here,  // loaded on this node: no row had it, and none has had anything newer
};

struct Module {  // a row of runtime_checksums_values
  std::array<char, 32> name;
  std::array<char, 24> checksum;
  int64_t version;
  int64_t epoch;
  int64_t differs_since_ns;  // since when a live peer has had another checksum, also while none is live; 0: none has
  uint32_t differing_peers;  // live ones
  uint32_t equal_epochs;     // of those, with the same epoch: ProxySQL doesn't sync over that
  uint32_t older_peers;  // of those, with an older epoch: a satellite never pulls from them, for its own load is newer
  uint32_t unloaded_peers;  // of those, at version 1: nobody pulls from them
  // The checksum that all live peers have, where it is another one than this node's; "" where it isn't, or they differ.
  std::array<char, 24> peers_checksum;
  // Since when ProxySQL can't bring this node there by itself, for no peer's epoch is newer, and neither side has
  // changed; 0: it can, or needn't. Of modules with rows alone.
  int64_t stuck_since_ns;
  uint8_t origin;  // ModuleOrigin
  std::array<uint8_t, 7> unused;
};

struct Peer {  // a row of proxysql_servers, in memory or at runtime
  std::array<char, 256> hostname;
  uint32_t port;
  uint8_t in_memory;
  uint8_t in_runtime;
  uint8_t live;
  uint8_t checked;     // ProxySQL has read checksums from it at least once
  int64_t updated_at;  // epoch seconds of ProxySQL's last good check; 0 if none
  int64_t moved_ns;    // of the beat that last found updated_at moved; 0: none has
  int64_t silent_ns;   // for how long beats have watched it since, or since they first saw it; not an instant
};

// What the last good beat saw of its ProxySQL.
// What ProxySQL's process takes, as the kernel tells it. Its scheduler starts programs by fork(), which copies the page
// tables: see shm/record/fork_cost.h.
struct ProcessMemory {
  int64_t read_ns;         // 0: never
  int64_t failed_ns;       // the last try of a beat that may not look into it: another container's, or another user's
  uint64_t failed_in;      // the pid namespace of that beat
  uint64_t resident_kb;    // VmRSS
  uint64_t page_table_kb;  // VmPTE
  uint64_t huge_kb;        // AnonHugePages: of the resident memory
};

// Backends by status.
struct BackendCounts {
  uint32_t online;
  uint32_t shunned;
  uint32_t offline;  // OFFLINE_SOFT and OFFLINE_HARD
  uint32_t total() const { return online + shunned + offline; }
};

struct Observation {
  int64_t at_ns;
  int64_t globals_ns;  // when uptime, clients, backends, listener and version were last read: not with every beat
  int64_t proxysql_started_ns;
  int64_t clients;               // of both protocols
  int64_t pgsql_clients;         // of those
  int64_t clients_idle;          // of MySQL's, those in ProxySQL's idle threads; 0 without --idle-threads
  int64_t threads;               // MySQL threads; 0: not known
  BackendCounts backends;        // of both protocols
  BackendCounts pgsql_backends;  // of those
  uint8_t listener_paused;       // of a protocol at least
  uint8_t configured;            // a configuration has been received from a core, or came with the file
  uint8_t is_core;
  uint8_t no_cluster_user;  // admin-cluster_username isn't set: ProxySQL checks no peer
  uint8_t serves_mysql;     // a protocol that is off has no statistics
  uint8_t serves_pgsql;
  uint8_t modules_left_out;  // of runtime_checksums_values, beyond kModules
  std::array<uint8_t, 5> unused;
  uint32_t modules_count;
  uint32_t peers_count;  // of all rows; peers[] holds the first kPeers, those at runtime before others
  uint32_t live_peers;
  std::array<char, 64> version;
  std::array<Module, kModules> modules;
  uint64_t connection_id;  // of the beat that saw this; ProxySQL counts them from its start
  ProcessMemory memory;    // looked at every five minutes
  std::array<Peer, kPeers> peers;
};

// How much of it, from the beginning, says something.
inline size_t used_bytes(const Observation& seen) {
  return offsetof(Observation, peers) + std::min<size_t>(seen.peers_count, kPeers) * sizeof(Peer);
}

// One start of ProxySQL, as the daemon tells it by the sockets that listen on ProxySQL's ports. What was seen of an
// earlier one counts for nothing: see shm/record/starts.h.
inline constexpr size_t kListeners = 16;

struct ProxysqlStart {
  uint64_t boot_id;       // of the machine
  int64_t since_ns;       // when a daemon first saw it; 0: it ran already when the first daemon looked
  int64_t not_before_ns;  // the ProxySQL before it had begun by then
  int64_t seen_ns;        // the last look that found it; 0: none has
  int64_t looked_ns;      // the last look
  int64_t served_ns;      // when it was first started and ready; 0: never
  uint32_t mysql_count;   // of mysql[], the inodes of the sockets that listen on the MySQL port
  uint32_t admin_count;   // of admin[], the same of the admin port
  uint8_t gone;           // nothing of it listened at the last look
  std::array<uint8_t, 7> unused;
  std::array<uint32_t, kListeners> mysql;
  std::array<uint32_t, kListeners> admin;
};

struct Hostgroup {  // its backends by status, as in Observation
  uint32_t id;
  uint32_t pgsql;  // one of runtime_pgsql_servers, whose numbers are their own
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

// Whether this core's configuration file is what the cluster gets.
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

// Whose membership loads are undone by other nodes' loads. Of one list of cores; another list begins anew.
struct Dispute {
  uint64_t list;       // a hash of the list's cores
  int64_t loaded_ns;   // the last load, or when beats first found that another node's load has made it so; 0: never
  int64_t agrees_ns;   // since when runtime has been exactly as the list says; 0: it isn't
  int64_t stopped_ns;  // since when this node takes nothing away from proxysql_servers; 0: it does
  int64_t said_ns;     // in the log
  uint32_t undone;     // loads in a row that didn't last
  uint8_t stands;      // the last load does, as far as beats have seen
  std::array<uint8_t, 3> unused;
  std::array<char, 256> difference;  // " +ADDRESS" of what runtime lacks of the list, " -ADDRESS" of what is too much
};

// A keyed hash of a module's rows in a configuration file. Both words 0: none.
struct Content {
  uint64_t high;
  uint64_t low;
  bool operator==(const Content&) const = default;
};

// What becomes of the file's rows of a module.
enum class FileState : uint8_t {
  none,          // the file has none, or isn't asked
  applied,       // the cluster has had this content from a file of this revision or a later one
  waiting,       // not decided yet: `why` says for what
  to_be_loaded,  // by this core
  other_counts,  // the file of a later revision
};

// One module of the configuration file. Outlives ProxySQL's boots and the machine's.
struct CoreModule {
  std::array<char, 32> name;
  Content content;                       // of the file, as of CoreRecord::file_identity
  Content loaded;                        // what this core last loaded, or found applied
  std::array<char, 24> loaded_checksum;  // ProxySQL's, right after this core had loaded that; "" if it hasn't
  std::array<char, 24> served;           // ProxySQL's, when a core that had it was last seen above version 1
  uint8_t state;                         // FileState
  uint8_t pending;                       // loaded, and not yet found as loaded by a later beat
  uint8_t failures;                      // tries to load this content, in a row
  uint8_t edited_back;                   // the file has gone back to a content that was applied before the present one
  uint8_t unsure;                        // loaded, but a peer's rows may have come over it before anybody looked
  uint8_t locked_beats;  // in a row that found it at version 1, and no core with a newer one; counted up to a bound
  std::array<uint8_t, 2> unused;
  int64_t tried_ns;  // the last of these
  std::array<char, 160> why;
  std::array<char, 320> kept;     // why it stays at version 1 although no core has a newer one; "" if it doesn't
  std::array<char, 160> refused;  // what ProxySQL didn't take of `loaded`, as far as it says so; "" if it took all
};

inline constexpr size_t kCoreModules = 12;

// What a core's beats remember. The first part is of one boot of ProxySQL, see core_record_after_boot().
struct CoreRecord {
  int64_t proxysql_started_ns;  // the boot that this is about; a second or two off
  uint8_t standing;
  uint8_t waiting;  // modules of the file are to be loaded by this core and not all were
  std::array<uint8_t, 2> unused;
  uint32_t taken_apart;  // one bit a module: its memory tables were being replaced when this was published
  uint32_t stamps_count;
  uint32_t unused_too;
  std::array<char, 256> reason;  // of the standing
  std::array<Stamp, kModules> stamps;
  Dispute dispute;

  int64_t newest_created_at;  // epoch seconds, of all cores ever seen in a list of members
  int64_t newest_revision;    // the same of their revisions
  int64_t revision;           // this core's own, or its time of creation where revisions aren't known; 0: neither is
  uint64_t file_identity;     // of the file whose contents are below; 0: none was read
  uint32_t modules_count;
  uint32_t unused_three;
  std::array<CoreModule, kCoreModules> modules;
};

// How much of it, from the beginning, says something.
inline size_t core_bytes(const CoreRecord& core) {
  return offsetof(CoreRecord, modules) + std::min<size_t>(core.modules_count, kCoreModules) * sizeof(CoreModule);
}

}  // namespace pulse
