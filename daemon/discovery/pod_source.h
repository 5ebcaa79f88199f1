// The pods of one label selector, kept up to date: listed once, then watched.
#pragma once

#include <memory>

#include "daemon/discovery/source_status.h"
#include "src/config/settings.h"

namespace pulse {

struct PodQuery {
  bool is_core = false;
  std::string selector;
};

// Lists and watches until the daemon stops. To be a thread of its own; says all it has to say through `link`. What it
// waits for is bounded, but for a resolver that never answers.
void follow_pods(const Config& config, const PodQuery& query, const SourceLink& link);

}  // namespace pulse
