// The record of a beat's attempt: what came before, whether back-off lets it begin, where it is, how it ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "scheduler/beat/beat_system.h"
#include "scheduler/run/state_access.h"
#include "shm/record/attempts.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"

namespace pulse {

// How an attempt ended, as the beat itself knows it.
struct BeatEnd {
  Outcome outcome = Outcome::ok;
  int exit_code = 0;
  std::string message;    // "" for a good end
  uint32_t writes = 0;    // statements that changed something
  bool expected = false;  // the failure is nothing to report
};

// The line that a failed attempt leaves in the log: the first of its kind, then ever more rarely. `before` and `after`
// are the record without and with this attempt. Nothing for a good end, an expected one or one repeated too often.
std::optional<std::string> failure_line(const BeatEnd& end, const BeatRecord& before, const BeatRecord& after,
                                        BootTime ended, bool has_segment);

// The line that a good attempt leaves after failed ones.
std::optional<std::string> recovery_line(const BeatEnd& end, const BeatRecord& before, BootTime ended);

// Forgets what an earlier boot of the machine left in the segment: stamps mean nothing any more, counts stay.
void start_over(Layout& layout, BeatRecord& record, uint64_t boot_id);

class AttemptLog {
 public:
  AttemptLog(BeatSystem& system, GuardedLayout& layout, BootTime began)
      : system_(system), layout_(layout), began_(began) {}

  // Reads the record and accounts for a beat that died without a word; `said` is whether somebody has logged that
  // death already. False if the record can't be read: nothing holds the attempt back then.
  bool open(bool said);

  // What back-off allows. A beat that is held back is counted.
  bool admitted();

  // Announces this process and its attempt, which ends at `deadline` at the latest, and arms the hard timer's mark.
  void begin(BootTime deadline);
  // The same attempt with the deadline that the configuration gives.
  void move_deadline(BootTime deadline);
  void enter(Phase phase);

  // By what back-off and silence are reckoned from now on.
  void set_intervals(milliseconds interval, milliseconds backoff_max);

  // Publishes the end and logs it. Returns the exit code.
  int finish(const BeatEnd& end);

  // Whether an attempt that follows a timeout doesn't know ProxySQL's process yet.
  bool lacks_proxysql();

  // Counts the threads of ProxySQL's process, by which the beats that are held back see the end of what holds them. One
  // that isn't known yet is found, which may take until `deadline`.
  void watch_proxysql(const Config& config, Deadline deadline);

  Phase phase() const { return phase_; }
  uint64_t boot_id() const { return boot_id_; }

  // Whether no attempt has ended since the machine's boot, as far as the segment knows.
  bool is_first() const { return record_.history_count == 0; }

 private:
  void announce();

  BeatSystem& system_;
  GuardedLayout& layout_;
  const BootTime began_;
  BeatRecord record_{};
  Attempt attempt_{};
  uint64_t boot_id_ = 0;
  Phase phase_ = Phase::lock;
};

}  // namespace pulse
