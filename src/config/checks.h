// The last part of loading: the defaults that hang on other values, and the checks between values.
#pragma once

#include "src/base/result.h"

namespace pulse {

struct Draft;

// Reads the password's file, and looks the group up; beyond these two it is pure.
Result<void> finish(Draft& draft);

}  // namespace pulse
