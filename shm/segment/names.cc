#include "shm/segment/names.h"

namespace pulse {

const char* name(Phase phase) {
  switch (phase) {
    case Phase::none:
      return "none";
    case Phase::lock:
      return "lock";
    case Phase::config:
      return "config";
    case Phase::connect:
      return "connect";
    case Phase::observe:
      return "observe";
    case Phase::plan:
      return "plan";
    case Phase::act:
      return "act";
    case Phase::publish:
      return "publish";
  }
  return "unknown";
}

const char* name(Outcome outcome) {
  switch (outcome) {
    case Outcome::none:
      return "none";
    case Outcome::ok:
      return "ok";
    case Outcome::failed:
      return "failed";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::overdue:
      return "killed_overdue";
  }
  return "unknown";
}

const char* name(Standing standing) {
  switch (standing) {
    case Standing::undecided:
      return "undecided";
    case Standing::authority:
      return "authority";
    case Standing::aside:
      return "aside";
  }
  return "unknown";
}

const char* name(ModuleOrigin origin) {
  switch (origin) {
    case ModuleOrigin::unknown:
      return "unknown";
    case ModuleOrigin::core:
      return "core";
    case ModuleOrigin::here:
      return "here";
  }
  return "unknown";
}

const char* name(FileState state) {
  switch (state) {
    case FileState::none:
      return "none";
    case FileState::applied:
      return "applied";
    case FileState::waiting:
      return "waiting";
    case FileState::to_be_loaded:
      return "to be loaded";
    case FileState::other_counts:
      return "other revision counts";
  }
  return "unknown";
}

const char* name(DrainPhase phase) {
  switch (phase) {
    case DrainPhase::none:
      return "none";
    case DrainPhase::lock:
      return "lock";
    case DrainPhase::settle:
      return "settle";
    case DrainPhase::close:
      return "close";
    case DrainPhase::pause:
      return "pause";
    case DrainPhase::stop:
      return "stop";
    case DrainPhase::ended:
      return "ended";
  }
  return "unknown";
}

const char* name(DrainOutcome outcome) {
  switch (outcome) {
    case DrainOutcome::none:
      return "none";
    case DrainOutcome::stopped:
      return "stopped";
    case DrainOutcome::drained:
      return "drained";
    case DrainOutcome::failed:
      return "failed";
    case DrainOutcome::undone:
      return "undone";
  }
  return "unknown";
}

const char* name(DrainWay way) {
  if (way == DrainWay::undecided || way > DrainWay::strangers) return "undecided";
  return lowers(way) ? "lowers_wait_timeout" : "closes_sessions";
}

const char* reason(DrainWay way) {
  switch (way) {
    case DrainWay::undecided:
      break;
    case DrainWay::satellite:
      return "a satellite's variables reach no other node";
    case DrainWay::unsynced:
      return "admin-cluster_mysql_variables_diffs_before_sync is 0 on all members";
    case DrainWay::alone:
      return "there is no other member";
    case DrainWay::synced:
      return "admin-cluster_mysql_variables_diffs_before_sync isn't 0, so lowered variables would spread";
    case DrainWay::peers_differ:
      return "a member's admin variables differ from this node's or aren't known, so lowered variables might spread";
    case DrainWay::strangers:
      return "hosts that are no members may be connected to the admin interface and pull, so lowered variables might "
             "spread";
  }
  return "";
}

const char* name(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::none:
      return "none";
    case JobOutcome::ok:
      return "ok";
    case JobOutcome::failed:
      return "failed";
    case JobOutcome::signalled:
      return "signal";
    case JobOutcome::timed_out:
      return "timed_out";
    case JobOutcome::leader_lost:
      return "leader_lost";
    case JobOutcome::stopped:
      return "stopped";
    case JobOutcome::not_started:
      return "not_started";
    case JobOutcome::died:
      return "died";
  }
  return "unknown";
}

}  // namespace pulse
