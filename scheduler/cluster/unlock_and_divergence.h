// Loads to runtime that bring nothing new: they let satellites pull what this core has, and end what ProxySQL doesn't
// sync by itself. Pure.
#pragma once

#include <chrono>

#include "scheduler/cluster/core_input.h"
#include "scheduler/cluster/file_load.h"

namespace pulse {

// A member that ProxySQL hasn't reached since it started keeps this one from unlocking for so long.
inline constexpr std::chrono::seconds kNeverReached{60};

// Satellites and peers pull nothing that is at version 1. Nobody else may have something newer: a load makes this
// core's content the newest in the cluster. One core is enough: the first of all that are alive. `self` is of the list.
void unlock(const CoreInput& input, const Core& self, const FileModule& module, Plan& plan);

// Two cores with different checksums at the same epoch: one of them, the first of all that are alive, loads again what
// it has. `self` is of the list.
void end_divergence(const CoreInput& input, const Core& self, Plan& plan);

}  // namespace pulse
