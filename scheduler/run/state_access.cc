#include "scheduler/run/state_access.h"

#include <cstdlib>
#include <utility>

#include "src/base/log.h"
#include "src/config/identity.h"
#include "src/linux/group.h"

namespace pulse {

// Without --state, the segment at the default path says which file it was made under: one stat(2) instead of reading
// and parsing that file, for the sake of beats that are skipped.
bool StateAccess::path_is_known() {
  if (options_.group && !(group_ = find_group(*options_.group))) return false;  // load() says what is wrong
  if (options_.state) {
    path_ = *options_.state;
    return true;
  }
  if (std::getenv("PULSE_STATE") != nullptr) return false;
  open_segment(false);
  if (!segment_) return false;
  const uint64_t made_under = stored(&Layout::config_identity);
  if (made_under != 0 && made_under == config_identity(options_.config)) return true;
  segment_.reset();
  return false;
}

void StateAccess::open_segment(bool create) {
  problem_.clear();
  SegmentOptions options;
  options.path = path_;
  options.group = group_;
  options.create = create;
  options.root_may = !creates_;
  auto opened = Segment::open(options);
  if (opened) {
    segment_ = std::move(*opened);
  } else {
    problem_ = opened.error().text;
  }
}

void StateAccess::open() {
  creates_ = true;
  open_any();
}

void StateAccess::open_existing() { open_any(); }

void StateAccess::open_any() {
  install_bus_guard();
  if (path_is_known()) {
    if (!segment_) open_segment(false);
    if (segment_) return;
  }
  if (load()) {
    path_ = loaded_->config.state;
    group_ = loaded_->config.group;
    open_segment(creates_);
  } else if (!options_.state) {
    // The file was readable once, under this name: the segment made then is where its fault is to be reported.
    open_segment(false);
    if (segment_ && stored(&Layout::config_path) != config_path_hash(options_.config)) segment_.reset();
  }
}

uint64_t StateAccess::stored(std::atomic<uint64_t> Layout::*word) {
  uint64_t value = 0;
  const bool read = guarded([&] { value = (layout()->*word).load(std::memory_order_relaxed); });
  return read ? value : 0;
}

bool StateAccess::load() {
  if (!tried_load_) {
    tried_load_ = true;
    auto loaded = load_config(options_.config, options_.overrides(), Rows::first);
    if (loaded) {
      loaded_ = std::move(*loaded);
    } else {
      config_error_ = loaded.error().text;
    }
  }
  return loaded_.has_value();
}

OpenedSegment open_segment(const Options& options, bool writable) {
  install_bus_guard();
  Config config;
  config.state = options.state.value_or(config.state);
  auto loaded = load_config(options.config, options.overrides());
  if (loaded) {
    config = loaded->config;
  } else {
    log_warning(loaded.error().text);
  }
  SegmentOptions segment;
  segment.path = config.state;
  segment.group = config.group;
  segment.writable = writable;
  segment.create = false;  // a file of this person's user would shut the beats' user out
  segment.root_may = true;
  return {std::move(config), Segment::open(segment)};
}

void GuardedLayout::lose() {
  layout_ = nullptr;
  if (on_loss_ != nullptr) on_loss_();
  log_error("the state segment " + path_ + " was cut short; " + goes_on_);
}

}  // namespace pulse
