// What a guard does while its command runs: waits, passes on output, and stops what has to be stopped.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "scheduler/run/engine_clock.h"
#include "shm/record/leadership.h"
#include "src/base/clock.h"
#include "src/config/jobs.h"

namespace pulse {

// What has ended since it was last asked.
struct Reaped {
  std::optional<int> status;  // the command's, as waitpid(2) gives it
  bool none_left = false;     // no process of the command is left
};

// What a guard does to its processes, as an interface: the supervisor knows no more of them, and a test puts others in
// their place. No call of it waits but wait().
class JobProcesses {
 public:
  virtual ~JobProcesses() = default;

  virtual Reaped reap() = 0;
  // To the command and all that it has started. Returns how many got it.
  virtual size_t signal_all(int number) = 0;
  // For a signal to this process, a child's end included, and for output if that is wanted; until `until` at most.
  virtual void wait(MonotonicTime until, bool for_output) = 0;
  // The last signal that asked this process to end since the last call; 0: there was none.
  virtual int take_signal() = 0;

  virtual bool has_output() const = 0;  // more may come
  // The number of bytes read; 0: there is nothing at present, or nothing any more, as has_output() tells.
  virtual size_t read_output(char* buffer, size_t size) = 0;
};

// Why the command, or what it left behind, is being ended.
enum class Stop { none, timeout, signal, leader_lost, leftovers };

// The instants of one run.
struct RunTimes {
  MonotonicTime terminate;  // SIGTERM, unless it was stopped before
  MonotonicTime kill_by;    // SIGKILL at the latest
  milliseconds grace{0};    // between the two, whenever it is stopped

  // So that all has ended, and is reported, `job.timeout` after `began`.
  static RunTimes of(const Job& job, MonotonicTime began);
};

// What came of it.
struct Supervision {
  Stop stop = Stop::none;
  int stop_signal = 0;        // with Stop::signal
  std::optional<int> status;  // the command's
  size_t stopped = 0;         // how many processes got SIGTERM
  size_t killed = 0;          // and how many SIGKILL
  std::string why_not_leader;
};

class Supervisor {
 public:
  using Leader = std::function<Leadership()>;
  using Sink = std::function<void(std::string_view)>;

  // `leader` is asked now and then if `leader_only`, and `output` gets what the command writes. What is referred to
  // must outlive this.
  Supervisor(const RunTimes& times, bool leader_only, JobProcesses& processes, Leader leader, Sink output,
             EngineClock& clock)
      : times_(times),
        leader_only_(leader_only),
        processes_(processes),
        leader_(std::move(leader)),
        output_(std::move(output)),
        clock_(clock) {}

  // Returns when no process of the command is left. One that even SIGKILL doesn't end is for the hard timer.
  Supervision run();

 private:
  bool reap();
  void decide(MonotonicTime now);
  void check_leader(MonotonicTime now);
  void begin_stop(Stop why, MonotonicTime now);
  void wait(MonotonicTime now);
  void take_output();

  const RunTimes times_;
  const bool leader_only_;
  JobProcesses& processes_;
  const Leader leader_;
  const Sink output_;
  EngineClock& clock_;

  Supervision result_;
  int signal_ = 0;
  bool killing_ = false;
  MonotonicTime kill_at_;
  MonotonicTime leader_check_at_;
  MonotonicTime command_ended_;
  MonotonicTime output_from_;   // no output is taken before
  MonotonicTime window_began_;  // since when taken_ counts
  size_t taken_ = 0;
  std::array<char, 65536> buffer_;
};

}  // namespace pulse
