// The pods of one label selector, kept up to date: listed once, then watched.
#pragma once

#include <memory>

#include "daemon/discovery/source_report.h"
#include "src/config/settings.h"

namespace pulse {

struct PodQuery {
  bool is_core = false;
  std::string selector;
};

// Lists and watches until the daemon stops. To be a thread of its own; says all it has to say through `report`. What it
// waits for is bounded, but for a resolver that never answers.
void follow_pods(const Config& config, const PodQuery& query, const std::shared_ptr<SourceReport>& report);

}  // namespace pulse
