// proxysql-pulse drain: takes one ProxySQL out of service without cutting anybody off.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "scheduler/cli/command.h"
#include "scheduler/cli/command_line.h"
#include "scheduler/drain/drain_plan.h"
#include "scheduler/drain/drain_target.h"
#include "scheduler/drain/drain_watch.h"
#include "scheduler/drain/session_closer.h"
#include "scheduler/run/engine_clock.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"

namespace pulse {

// Announces the drain in the segment, lets clients leave, and shuts ProxySQL down (docs/drain.md). One at a time: a
// second one waits for the first and reports what came of it. Bounded by drain.timeout_ms, whatever hangs.
int run_drain(const Options& options);

struct DrainSetup {
  DrainPolicy policy;
  milliseconds beat_timeout{0};  // what this ProxySQL is expected to answer in
  MonotonicTime began_monotonic;
  int64_t began_boot_ns = 0;  // the same instant
};

// One drain, from its announcement to its end. Decides what is done when; what it does it does to the others.
class Drain {
 public:
  Drain(DrainSetup setup, DrainedAdmin& admin, DrainedServer& server, DrainNotice& notice, EngineClock& clock)
      : setup_(std::move(setup)),
        admin_(admin),
        server_(server),
        notice_(notice),
        clock_(clock),
        closer_(admin, clock) {}

  // Returns the exit code, at setup.policy.timeout after the beginning at the latest.
  int run();

 private:
  const DrainPolicy& policy() const { return setup_.policy; }
  MonotonicTime deadline() const { return setup_.began_monotonic + policy().timeout; }
  // What comes last has a time of its own, which no answer may eat up.
  MonotonicTime last_steps() const { return deadline() - kDrainStopReserve; }
  // In `span`, but not after the drain's own deadline.
  Deadline in(nanoseconds span) const { return Deadline::at(std::min(clock_.now() + span, deadline())); }
  Deadline answer_by() const;
  DrainSight sight() const;

  void announce();
  int work();
  void look();
  Result<void> look_by_admin();
  void look_by_server();
  bool is_drained_one(int64_t started_boot_ns);
  void count(int64_t clients);
  DrainWay way() const { return static_cast<DrainWay>(record_.way); }
  Result<void> choose_way();
  void estimate(const Sighting& seen);
  Result<void> take_back();
  Result<void> close_resting();
  bool may_lower_pgsql(const Sighting& seen) const;
  Result<void> lower(const Sighting& seen, Protocols may);
  void remember(const char* protocol, const ListenerSight& seen, int64_t& wait_ms, int64_t& poll_ms);
  Result<bool> waits_for_pull();
  void lose_admin(const Error& error);

  int finish(DrainAction action);
  void pause();
  void read_back_pause();
  std::string ask_to_stop();
  bool wait_ended(MonotonicTime by);
  bool has_ended();
  int end_drained();
  int failure_code() const;
  int end(DrainOutcome outcome, int code, const std::string& what);
  void enter(DrainPhase phase);

  const DrainSetup setup_;
  DrainedAdmin& admin_;
  DrainedServer& server_;
  DrainNotice& notice_;
  EngineClock& clock_;

  DrainBefore before_;
  DrainRecord record_{};
  ClientWatch clients_;
  SessionCloser closer_;
  MonotonicTime way_due_{};  // when what lowering reaches is looked at again
  bool took_back_ = false;   // what was lowered
  AdminTrouble trouble_;
  std::optional<MonotonicTime> pull_due_since_;
  std::string edits_;        // had been set and not loaded, and went live
  std::string gone_reason_;  // why the ProxySQL that was to be drained is gone; "": it isn't
};

extern const Command kDrainCommand;

}  // namespace pulse
