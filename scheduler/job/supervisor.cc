#include "scheduler/job/supervisor.h"

#include <signal.h>

#include <algorithm>

namespace pulse {

namespace {

// What the command leaves behind gets a moment to end of itself, the end of a pipe, say.
constexpr milliseconds kLinger{200};
constexpr milliseconds kLeaderCheck{200};
// Of the timeout, for SIGKILL to take effect and for the report.
constexpr nanoseconds kReserve = milliseconds(500);
// Of output within that time.
constexpr size_t kMostOutput = 1 << 20;
constexpr milliseconds kOutputWindow{10};
// Before another node may become the leader, all has ended here.
constexpr milliseconds kHandoverMargin{500};
// Between two rounds of SIGKILL, and between two looks when nothing is due.
constexpr milliseconds kKillEvery{5};
constexpr milliseconds kLongestWait{1000};

}  // namespace

RunTimes RunTimes::of(const Job& job, MonotonicTime began) {
  const nanoseconds timeout = job.timeout;
  RunTimes times;
  times.kill_by = began + timeout - std::min(kReserve, timeout / 10);
  times.terminate = times.kill_by - job.grace;
  times.grace = job.grace;
  return times;
}

Supervision Supervisor::run() {
  while (!reap()) {
    const MonotonicTime now = clock_.now();
    decide(now);
    if (killing_) result_.killed = std::max(result_.killed, processes_.signal_all(SIGKILL));
    wait(now);
    if (const int number = processes_.take_signal(); number != 0) signal_ = number;
    if (output_from_ <= clock_.now()) take_output();
  }
  // Nobody writes any more: this is what was left in the pipe.
  taken_ = 0;
  take_output();
  if (result_.stop == Stop::signal) result_.stop_signal = signal_;
  return result_;
}

// Takes in what has ended. True: nothing is left.
bool Supervisor::reap() {
  const Reaped reaped = processes_.reap();
  if (reaped.status) {
    result_.status = reaped.status;
    command_ended_ = clock_.now();
  }
  return reaped.none_left;
}

void Supervisor::decide(MonotonicTime now) {
  if (result_.stop == Stop::none) {
    if (result_.status && now >= std::min(command_ended_ + kLinger, times_.terminate)) {
      begin_stop(Stop::leftovers, now);
    } else if (now >= times_.terminate) {
      begin_stop(Stop::timeout, now);
    } else if (signal_ != 0) {
      begin_stop(Stop::signal, now);
    } else if (leader_only_ && !result_.status && now >= leader_check_at_) {
      check_leader(now);
    }
  }
  killing_ = killing_ || (result_.stop != Stop::none && now >= kill_at_);
}

void Supervisor::check_leader(MonotonicTime now) {
  leader_check_at_ = now + kLeaderCheck;
  const Leadership leader = leader_();
  if (leader.is_self) return;
  result_.why_not_leader = leader.reason;
  begin_stop(Stop::leader_lost, now);
  if (leader.handover_ns == 0) return;
  const nanoseconds left = nanoseconds(leader.handover_ns - clock_.boot_ns()) - kHandoverMargin;
  kill_at_ = std::min(kill_at_, now + std::max(left, nanoseconds(0)));
}

// SIGTERM to all, and SIGCONT, without which those that are stopped wouldn't get it.
void Supervisor::begin_stop(Stop why, MonotonicTime now) {
  result_.stop = why;
  result_.stopped = processes_.signal_all(SIGTERM);
  processes_.signal_all(SIGCONT);
  kill_at_ = std::min<MonotonicTime>(now + times_.grace, times_.kill_by);
}

// For output, for a signal, or until there is something to decide.
void Supervisor::wait(MonotonicTime now) {
  MonotonicTime until = now + kLongestWait;
  if (killing_) {
    until = now + kKillEvery;
  } else if (result_.stop != Stop::none) {
    until = kill_at_;
  } else {
    until = std::min(until, times_.terminate);
    if (leader_only_) until = std::min(until, leader_check_at_);
    if (result_.status) until = std::min<MonotonicTime>(until, command_ended_ + kLinger);
  }
  const bool open = processes_.has_output();
  const bool wants_output = open && output_from_ <= now;
  if (open && !wants_output) until = std::min(until, output_from_);
  processes_.wait(until, wants_output);
}

// Takes what there is, up to a bounded rate: a command that writes without end mustn't keep us from the clock, nor
// use up a processor that the beat may need.
void Supervisor::take_output() {
  while (processes_.has_output()) {
    if (taken_ >= kMostOutput) {
      output_from_ = window_began_ + kOutputWindow;
      taken_ = 0;
      if (output_from_ > clock_.now()) return;
    }
    if (taken_ == 0) window_began_ = clock_.now();
    const size_t length = processes_.read_output(buffer_.data(), buffer_.size());
    if (length == 0) return;
    taken_ += length;
    output_({buffer_.data(), length});
  }
}

}  // namespace pulse
