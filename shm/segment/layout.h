// What lies in the state segment, byte for byte. Any change here needs a new kLayoutVersion.
//
// All stamps are CLOCK_BOOTTIME nanoseconds unless they say otherwise; 0 means never. Strings end with a zero byte
// or fill their array: readers go through text() and never trust a length, a count or an enumerator.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "shm/segment/layout_applied.h"
#include "shm/segment/layout_beat.h"
#include "shm/segment/layout_drain.h"
#include "shm/segment/layout_jobs.h"
#include "shm/segment/layout_members.h"
#include "shm/segment/layout_owner.h"
#include "shm/segment/layout_proxysql.h"
#include "shm/segment/layout_satellites.h"
#include "shm/segment/section.h"
#include "shm/segment/text.h"

namespace pulse {

inline constexpr uint64_t kMagic = 0x45534C5550515850;  // "PXQPULSE" in memory
inline constexpr uint32_t kLayoutVersion = 12;

struct Layout {
  // Written once by the creator, before the file has its name.
  uint64_t magic;
  uint32_t layout_version;
  uint32_t size;
  int64_t created_realtime_ns;

  // Plain words, any process.
  std::atomic<uint64_t> boot_id;          // of the machine: stamps of another boot mean nothing
  std::atomic<int64_t> last_beat_ns;      // any beat, also one that was skipped: the scheduler is alive
  std::atomic<uint64_t> config_identity;  // of the file that was read and names this segment; see config_identity()
  std::atomic<uint64_t> config_path;      // a hash of that file's name alone
  std::atomic<int64_t> maintenance_realtime_ns;  // since when; 0: off
  std::atomic<int64_t> draining_since_ns;  // announced by whoever drains, before anything else is done; 0: not draining
  std::atomic<uint64_t> resync_requested;
  std::atomic<uint64_t> resync_done;
  std::atomic<uint64_t> skipped_busy;
  std::atomic<uint64_t> skipped_backoff;
  // Of beats in a row that found the lock taken.
  std::atomic<uint64_t> busy_in_row;
  std::atomic<int64_t> busy_since_ns;     // 0: the last beat had the lock
  std::atomic<uint64_t> busy_other_user;  // uid + 1 of who held it last, if that is known and another user; 0: not so
  std::atomic<uint64_t> odd_lock_in_row;  // beats in a row whose lock file wasn't to be believed
  std::atomic<uint64_t> spare_runs;       // beats for which this is a spare segment: their own is another's

  // Of the running attempt, written by its own process (also from its timer's signal handler) or by its killer.
  std::atomic<uint64_t> phase_mark;  // attempt << 8 | Phase
  std::atomic<int64_t> ended_ns;     // written before end_mark
  std::atomic<uint64_t> end_mark;    // attempt << 8 | Outcome: ended without a record of its own

  // Written by the lock's holder.
  Section<Owner> owner;
  Section<Holder> holder;
  Section<Attempt> attempt;
  Section<BeatRecord> record;
  Section<Observation> observation;
  Section<CoreRecord> core;
  Section<Hostgroups> hostgroups;
  Section<Applied> applied;
  Section<MendRecord> mends;

  // Written by the holder of the drain's lock.
  Section<DrainRecord> drain;

  // Written by the daemon. Last in the file: a beat touches few pages of it.
  Section<ProxysqlStart> start;
  Section<Discovery> discovery;
  Section<Members> members;
  Section<LeaderState> leader;
  Section<PeerReports> peer_reports;
  Section<SatelliteReports> satellite_reports;

  // One of each job, written by its guard.
  std::array<JobSlot, kJobSlots> jobs;
};

}  // namespace pulse
