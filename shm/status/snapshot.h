// The whole segment as one consistent copy, as its readers see it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shm/record/attempts.h"
#include "shm/record/job_runs.h"
#include "shm/segment/segment.h"

namespace pulse {

struct StateView {
  std::string problem;       // why the segment can't be used; "" if it can. All else is then zero
  std::string absent;        // why there is no segment yet; a beat makes it
  std::string lock_problem;  // of the lock file beside it: why beats don't use it; "" if they do. By the caller
  BeatRecord record{};       // with an attempt folded in that ended without a record of its own
  Attempt attempt{};
  Marks marks{};
  Observation observation{};
  CoreRecord core{};
  ProxysqlStart start{};          // the present one of ProxySQL, as far as a daemon has told
  DrainRecord drain{};            // the last one, if it is of this boot
  int64_t draining_since_ns = 0;  // 0: no drain is in effect; see is_draining()
  int64_t last_beat_ns = 0;
  int64_t created_realtime_ns = 0;
  int64_t maintenance_realtime_ns = 0;
  uint64_t skipped_busy = 0;
  uint64_t skipped_backoff = 0;
  uint64_t busy_in_row = 0;        // beats that found the lock taken since one took it
  int64_t busy_since_ns = 0;       // the first of them
  std::optional<uid_t> busy_with;  // another user, who held it
  bool resync_pending = false;
  bool attempt_open = false;  // an attempt began and hasn't ended

  // By read_members() alone:
  std::shared_ptr<const PeerReports> peer_reports;  // without what they say has been applied; null: never asked
  Discovery discovery{};
  std::shared_ptr<const Members> members;              // null: no list was ever published
  std::shared_ptr<const SatelliteReports> satellites;  // null: nobody ever asked satellites from here
  std::shared_ptr<const MendRecord> mends;             // beside them

  // By read_applied() alone:
  std::shared_ptr<const Applied> applied;  // null: it couldn't be read

  // By read_hostgroups() alone:
  Hostgroups hostgroups{};
  // By read_jobs() alone:
  std::vector<JobView> jobs;  // by name
  LeaderState leader{};       // its boot_id is 0 if no daemon has said anything in this boot of the machine
};

// Copies everything. Stamps of another boot of the machine count as never. `boot_id` is machine_boot_id(), which
// costs a system call or three and doesn't change. `backoff_max` and interval come from the configuration.
StateView read_state(const Segment& segment, uint64_t boot_id, const BackoffPolicy& policy, int64_t now_ns);

// Another number whenever something has changed that read_state() reads. To be asked before it reads.
uint64_t state_mark(const Segment& segment);

// Adds discovery and members to `view`: 200 KB at most, which is why probes do without. Those of another boot of the
// machine count as none. If they can't be read, `view` stays as it is.
void read_members(const Segment& segment, uint64_t boot_id, StateView& view);

// Adds to `view` what has been applied from configuration files, 7 KB. It outlives the machine's boot.
void read_applied(const Segment& segment, StateView& view);

// Adds the hostgroups to `view`, in the same way as the members.
void read_hostgroups(const Segment& segment, uint64_t boot_id, StateView& view);

// ProxySQL's row of a member; null if it has none, as far as the observation holds rows.
const Peer* find_peer(const Observation& seen, const Member& member);

// What was done for a satellite's module; null if nothing is known.
const Mend* find_mend(const StateView& view, const StuckModule& stuck);

// Readiness is 503 from on until off. A second "on" keeps the instant of the first.
void switch_maintenance(Layout& layout, bool on);
// Adds the jobs and the leader to `view`, 10 KB. If they can't be read, `view` stays as it is.
void read_jobs(const Segment& segment, uint64_t boot_id, int64_t now_ns, StateView& view);

}  // namespace pulse
