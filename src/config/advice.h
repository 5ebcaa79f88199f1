// What is allowed in a configuration and won't work all the same.
#pragma once

#include <string>
#include <vector>

#include "src/config/cnf.h"
#include "src/config/load.h"

namespace pulse {

// One line each: file and line, what will happen, what to do. For check-config: beats and the daemon don't ask. Looks
// whether the scheduler's programs are there, and at nothing else outside of the file.
std::vector<std::string> advise(const LoadedConfig& loaded, const Cnf& file);

// Whether a row of the file's scheduler is active, has an id and runs the beat.
bool has_beat_row(const Cnf& file);

}  // namespace pulse
