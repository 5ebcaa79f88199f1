// Loads to runtime that bring nothing new: they let satellites pull what this core has, and end what ProxySQL doesn't
// sync by itself. Pure.
#pragma once

#include <chrono>

#include "scheduler/cluster/core_input.h"
#include "scheduler/cluster/file_load.h"

namespace pulse {

// A member that ProxySQL hasn't reached since it started keeps this one from unlocking for so long.
inline constexpr std::chrono::seconds kNeverReached{60};

// A core that comes later than others waits for so many beats for each of them, where it knows what was served, but
// for no more than kLastTurn. One that doesn't know, and differs from another, comes after all of these.
inline constexpr int kBeatsOfATurn = 6;
inline constexpr int kLastTurn = 3 * kBeatsOfATurn;
inline constexpr int kStrangersTurn = kLastTurn + kBeatsOfATurn;

// Satellites and peers pull nothing that is at version 1. Nobody else may have something newer: a load makes this
// core's content the newest in the cluster. One core is enough: the first of all that are alive. `self` is of the list.
// Only what this core served before its ProxySQL's start is loaded, as far as that is known: a stale or empty
// proxysql.db must not become the newest. What was loaded from the file, and not changed since, comes from there.
// Otherwise nothing is loaded, and `record` says why and what a person may do.
void unlock(const CoreInput& input, const Core& self, const FileModule& module, CoreModule& record, CorePlan& out);

// Notes what the module serves, once it can be pulled from this core or from another one that has the same.
void note_served(const CoreInput& input, const FileModule& module, CoreModule& record);

// Two cores with different checksums at the same epoch: one of them, the first of all that are alive, loads again what
// it has. `self` is of the list.
void end_divergence(const CoreInput& input, const Core& self, Plan& plan);

}  // namespace pulse
