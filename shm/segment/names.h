// The segment's enumerators as words: those of status, JSON and metrics.
#pragma once

#include "shm/segment/layout.h"

namespace pulse {

const char* name(Phase phase);
const char* name(Outcome outcome);
const char* name(Standing standing);
const char* name(FileState state);
const char* name(ModuleOrigin origin);
const char* name(DrainPhase phase);
const char* name(DrainOutcome outcome);
const char* name(DrainWay way);
// Why it was taken; "" of one that isn't decided.
const char* reason(DrainWay way);
const char* name(JobOutcome outcome);

}  // namespace pulse
