// How long tests let the kernel take.
#pragma once

#include "src/base/clock.h"

namespace pulse {

inline Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

}  // namespace pulse
