#include "shm/status/snapshot.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "src/base/clock.h"
#include "src/config/jobs.h"

namespace pulse {

StateView read_state(const Segment& segment, uint64_t boot_id, const BackoffPolicy& policy, int64_t now_ns) {
  StateView view;
  bool read = false;
  const bool mapped = guarded([&] {
    const Layout& layout = segment.layout();
    view.created_realtime_ns = layout.created_realtime_ns;
    view.maintenance_realtime_ns = layout.maintenance_realtime_ns.load(std::memory_order_relaxed);
    view.skipped_busy = layout.skipped_busy.load(std::memory_order_relaxed);
    view.skipped_backoff = layout.skipped_backoff.load(std::memory_order_relaxed);
    view.resync_pending =
        layout.resync_requested.load(std::memory_order_relaxed) != layout.resync_done.load(std::memory_order_relaxed);
    // The record first: an attempt that is published meanwhile is then newer than the record, never older.
    read = layout.record.read(view.record);
    if (layout.boot_id.load(std::memory_order_acquire) != boot_id) {
      view.record = counts_of(view.record);
      return;
    }
    view.busy_in_row = layout.busy_in_row.load(std::memory_order_relaxed);
    view.busy_since_ns = layout.busy_since_ns.load(std::memory_order_relaxed);
    const uint64_t other = layout.busy_other_user.load(std::memory_order_relaxed);
    if (other != 0) view.busy_with = static_cast<uid_t>(other - 1);
    view.last_beat_ns = layout.last_beat_ns.load(std::memory_order_relaxed);
    // The word first: a drain announces itself before it has a record.
    view.draining_since_ns = layout.draining_since_ns.load(std::memory_order_acquire);
    read = read && layout.drain.read(view.drain) && layout.attempt.read(view.attempt) &&
           layout.observation.read_part(view.observation, offsetof(Observation, peers), used_bytes) &&
           layout.core.read_part(view.core, offsetof(CoreRecord, modules), core_bytes) && layout.start.read(view.start);
    view.marks.end_mark = layout.end_mark.load(std::memory_order_acquire);
    view.marks.ended_ns = layout.ended_ns.load(std::memory_order_relaxed);
    view.marks.phase_mark = layout.phase_mark.load(std::memory_order_relaxed);
  });
  if (!mapped || !read) {
    view = StateView{};
    view.problem = mapped ? "the state segment is rewritten without pause" : "the state segment was cut short";
    return view;
  }
  if (view.start.boot_id != boot_id) view.start = ProxysqlStart{};
  fold_unrecorded(view.record, view.attempt, view.marks, policy, now_ns, false);
  view.attempt_open = is_open(view.record, view.attempt, view.marks);
  return view;
}

uint64_t state_mark(const Segment& segment) {
  uint64_t mark = 0;
  const bool mapped = guarded([&] {
    const Layout& layout = segment.layout();
    const auto take = [&mark](uint64_t word) { mark = (mark ^ word) * 0x9E3779B97F4A7C15 + (mark >> 32); };
    for (const auto* word :
         {&layout.boot_id, &layout.skipped_busy, &layout.skipped_backoff, &layout.resync_requested, &layout.resync_done,
          &layout.busy_in_row, &layout.busy_other_user, &layout.end_mark, &layout.phase_mark}) {
      take(word->load(std::memory_order_acquire));
    }
    for (const auto* stamp : {&layout.last_beat_ns, &layout.maintenance_realtime_ns, &layout.draining_since_ns,
                              &layout.busy_since_ns, &layout.ended_ns}) {
      take(static_cast<uint64_t>(stamp->load(std::memory_order_acquire)));
    }
    for (const uint64_t generation :
         {layout.record.generation(), layout.drain.generation(), layout.attempt.generation(),
          layout.observation.generation(), layout.core.generation(), layout.start.generation()}) {
      take(generation);
    }
  });
  return mapped ? mark : 0;
}

void read_members(const Segment& segment, uint64_t boot_id, StateView& view) {
  Discovery discovery{};
  const auto members = std::make_shared<Members>();
  const auto reports = std::make_shared<PeerReports>();
  const auto satellites = std::make_shared<SatelliteReports>();
  const auto mends = std::make_shared<MendRecord>();
  bool read = false;
  const bool mapped = guarded([&] {
    const Layout& layout = segment.layout();
    read = layout.discovery.read(discovery) &&
           layout.peer_reports.read_part(*reports, offsetof(PeerReports, applied),
                                         [](const PeerReports&) { return offsetof(PeerReports, applied); }) &&
           layout.members.read_part(*members, offsetof(Members, members),
                                    [](const Members& head) {
                                      return offsetof(Members, members) +
                                             std::min<size_t>(head.count, kMembers) * sizeof(Member);
                                    }) &&
           layout.satellite_reports.read_part(*satellites, offsetof(SatelliteReports, modules), report_bytes) &&
           layout.mends.read_part(*mends, offsetof(MendRecord, mends), mend_bytes);
  });
  if (!mapped || !read) return;
  if (satellites->boot_id == boot_id && satellites->leads_ns != 0) {
    view.satellites = satellites;
    view.mends = mends;
  }
  if (discovery.boot_id == boot_id) view.discovery = discovery;
  if (members->boot_id == boot_id) view.members = members;
  if (reports->boot_id == boot_id) view.peer_reports = reports;
}

void read_applied(const Segment& segment, StateView& view) {
  const auto applied = std::make_shared<Applied>();
  bool read = false;
  const bool mapped = guarded([&] { read = segment.layout().applied.read(*applied); });
  if (mapped && read) view.applied = applied;
}

void read_hostgroups(const Segment& segment, uint64_t boot_id, StateView& view) {
  Hostgroups hostgroups{};
  bool read = false;
  const bool mapped = guarded([&] {
    const Layout& layout = segment.layout();
    read = layout.boot_id.load(std::memory_order_acquire) == boot_id && layout.hostgroups.read(hostgroups);
  });
  if (mapped && read) view.hostgroups = hostgroups;
}

const Peer* find_peer(const Observation& seen, const Member& member) {
  const auto end = seen.peers.begin() + std::min<uint32_t>(seen.peers_count, kPeers);
  const auto found = std::find_if(seen.peers.begin(), end, [&](const Peer& peer) {
    return peer.port == member.port && text(peer.hostname) == text(member.address);
  });
  return found == end ? nullptr : &*found;
}

const Mend* find_mend(const StateView& view, const StuckModule& stuck) {
  if (!view.mends) return nullptr;
  const auto end = view.mends->mends.begin() + std::min<size_t>(view.mends->count, kMends);
  const auto found = std::find_if(view.mends->mends.begin(), end, [&](const Mend& mend) {
    return mend.port == stuck.port && text(mend.address) == text(stuck.address) &&
           text(mend.module) == text(stuck.module);
  });
  return found == end ? nullptr : &*found;
}

void switch_maintenance(Layout& layout, bool on) {
  int64_t off = 0;
  if (on) {
    layout.maintenance_realtime_ns.compare_exchange_strong(off, clock_ns(CLOCK_REALTIME));
  } else {
    layout.maintenance_realtime_ns.store(0);
  }
}

void read_jobs(const Segment& segment, uint64_t boot_id, int64_t now_ns, StateView& view) {
  std::array<JobView, kJobSlots> found{};
  std::array<uint64_t, kJobSlots> marks{};
  std::array<int64_t, kJobSlots> marked_ns{};
  LeaderState leader{};
  bool read = false;
  const bool mapped = guarded([&] {
    const Layout& layout = segment.layout();
    read = layout.leader.read(leader);
    for (size_t i = 0; i < kJobSlots; ++i) {
      const JobSlot& slot = layout.jobs[i];
      // A slot that has only just become another job's has no name yet: none is read.
      if (!slot.state.read(found[i].state) ||
          slot.owner.load(std::memory_order_acquire) != job_key(text(found[i].state.name))) {
        found[i].state = JobState{};
      }
      found[i].skipped_busy = slot.skipped_busy.load(std::memory_order_relaxed);
      found[i].skipped_not_leader = slot.skipped_not_leader.load(std::memory_order_relaxed);
      found[i].skipped_ns = slot.skipped_ns.load(std::memory_order_relaxed);
      marks[i] = slot.end_mark.load(std::memory_order_acquire);
      marked_ns[i] = slot.ended_ns.load(std::memory_order_relaxed);
    }
  });
  if (!mapped || !read) return;
  if (leader.boot_id == boot_id) view.leader = leader;
  view.jobs.clear();
  for (size_t i = 0; i < kJobSlots; ++i) {
    JobView& job = found[i];
    if (!is_job_name(text(job.state.name))) continue;
    const bool this_boot = job.state.boot_id == boot_id;
    fold_unended(job.state, marks[i], marked_ns[i], boot_id, now_ns, false);
    job.running = job.state.run != job.state.ended_run;
    if (!this_boot) job.state.began_ns = job.state.ended_ns = job.state.last_ok_ns = job.skipped_ns = 0;
    view.jobs.push_back(job);
  }
  std::sort(view.jobs.begin(), view.jobs.end(),
            [](const JobView& a, const JobView& b) { return text(a.state.name) < text(b.state.name); });
}

}  // namespace pulse
