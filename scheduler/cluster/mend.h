// Satellites that have diverged: somebody has loaded a module on one, its epoch is the newest, and it never pulls again
// until a core loads that module. One core, the leader, does so with what the cores serve. Pure.
#pragma once

#include <chrono>

#include "scheduler/cluster/core_input.h"
#include "scheduler/cluster/file_load.h"

namespace pulse {

// So long nothing must have changed on either side: a pull that is under way ends sooner, and a person who is at work
// may have another statement in mind.
inline constexpr std::chrono::seconds kStuckBeforeMend{60};

// A satellite is looked at every 30 s, by a beat that may have a long interval.
inline constexpr std::chrono::seconds kSatelliteReportAge{90};

// The daemon says so often that it is the one to ask the satellites, for as long as it is.
inline constexpr std::chrono::seconds kLeadershipAge{15};

// Of loads of a module for one satellite, and for whichever.
inline constexpr std::chrono::minutes kMendEvery{5};
inline constexpr std::chrono::seconds kMendModuleEvery{60};

// After so many loads for a satellite that didn't last it is left to people. Of one that agrees loads are forgotten so
// long after the last one.
inline constexpr uint32_t kMostMends = 3;
inline constexpr std::chrono::hours kMendsForgottenAfter{1};

// Appends the loads, and keeps in out.mends what was done and why nothing is. `self` is of the list.
// What is loaded changes nothing on the cores: all that live serve the same, this one has been pulled from before, and
// right before the load memory is compared with what serves. It takes away on the satellite what was loaded there
// alone, which is why it must be asked for: satellite.mend = "reload".
void mend_satellites(const CoreInput& input, const Core& self, CorePlan& out);

// Says in the record of which mends the load wasn't run, and why.
void settle_mends(MendRecord& record, const Plan& plan, const Outcomes& outcomes);

}  // namespace pulse
