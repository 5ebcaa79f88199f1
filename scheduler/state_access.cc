#include "scheduler/state_access.h"

#include <cstdlib>

namespace pulse {

// Without --state, the segment at the default path says which file it was made under: one stat(2) instead of reading
// and parsing that file, for the sake of beats that are skipped.
bool StateAccess::path_is_known() {
  if (options_.group) group_ = find_group(*options_.group);
  if (options_.state) {
    path_ = *options_.state;
    return true;
  }
  if (std::getenv("PULSE_STATE") != nullptr) return false;
  open_segment(false);
  if (!segment_) return false;
  uint64_t made_under = 0;
  const bool read = guarded([&] { made_under = layout()->config_identity.load(std::memory_order_relaxed); });
  if (read && made_under != 0 && made_under == config_identity(options_.config)) return true;
  segment_.reset();
  return false;
}

void StateAccess::open_segment(bool create) {
  problem_.clear();
  SegmentOptions options;
  options.path = path_;
  options.group = group_;
  options.create = create;
  auto opened = Segment::open(options);
  if (opened) {
    segment_ = std::move(*opened);
  } else {
    problem_ = opened.error().text;
  }
}

void StateAccess::open() {
  install_bus_guard();
  if (path_is_known()) {
    if (!segment_) open_segment(false);
    if (segment_) return;
  }
  if (load()) {
    path_ = loaded_->config.state;
    group_ = loaded_->config.group;
  }
  open_segment(true);
}

bool StateAccess::load() {
  if (!tried_load_) {
    tried_load_ = true;
    auto loaded = load_config(options_.config, options_.overrides());
    if (loaded) {
      loaded_ = std::move(*loaded);
    } else {
      config_error_ = loaded.error().text;
    }
  }
  return loaded_.has_value();
}

}  // namespace pulse
