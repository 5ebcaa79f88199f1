#include "scheduler/run/state_access.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "shm/segment/boot.h"
#include "src/base/log.h"
#include "src/config/identity.h"
#include "src/linux/group.h"
#include "src/linux/socket_table.h"
#include "src/linux/unix_sockets.h"

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
  if (create && loaded_) options.owner = owner_of(loaded_->config);
  auto opened = Segment::open(options);
  if (opened) {
    segment_ = std::move(*opened);
  } else {
    problem_ = opened.error().text;
    problem_code_ = opened.error().code;
  }
}

void StateAccess::open() {
  creates_ = true;
  open_any();
}

void StateAccess::open_existing() { open_any(); }

void StateAccess::open_any() {
  install_bus_guard();
  open_configured();
  if (!segment_) {
    if (creates_ && problem_code_ == EACCES) {
      lock_path_ = path_;
      use_spare(path_ + ".user-" + std::to_string(::geteuid()));
    }
    return;
  }
  Owner owner{};
  bool read = false;
  const bool mapped = guarded([&] { read = layout()->owner.read(owner); });
  if (!mapped || !read || judge_owner_by_file(owner, config_path_hash(options_.config)) != Ownership::another) return;
  if (!load()) {  // whose it is can't be told then, and config_error() is what a person has to mend
    segment_.reset();
    return;
  }
  const Owner self = owner_of(loaded_->config);
  if (judge_owner(owner, self) != Ownership::another || (creates_ && take_abandoned(owner))) return;
  segment_.reset();
  problem_ = another_owner_text(path_, owner, self);
  use_spare(spare_path(path_, self));
}

// Another ProxySQL's segment is made anew for this one if that one is gone for good: its beats have been silent for
// long, and nobody listens on its admin interface. Whatever lay in it was of the other.
bool StateAccess::take_abandoned(const Owner& owner) {
  BeatRecord record{};
  int64_t last_beat_ns = 0;
  uint64_t boot_id = 0;
  bool read = false;
  const bool mapped = guarded([&] {
    read = layout()->record.read(record);
    last_beat_ns = layout()->last_beat_ns.load(std::memory_order_relaxed);
    boot_id = layout()->boot_id.load(std::memory_order_relaxed);
  });
  if (!mapped || !read) return false;
  const bool this_boot = boot_id == machine_boot_id();
  if (this_boot && boottime_ns() - last_beat_ns <= abandoned_after_ns(record.interval_ms)) return false;
  const std::string host(text(owner.admin_host));
  const Deadline soon = Deadline::after(milliseconds(100));
  const auto listening = owner.admin_port == 0 ? listening_unix_inodes(host, soon)
                                               : listening_inodes(static_cast<uint16_t>(owner.admin_port), soon,
                                                                  SocketSource::automatic, host);
  if (!listening || !listening->empty()) return false;
  // Whoever holds the lock beats, drains or is just doing the same as this one.
  const auto lock = InstanceLock::try_take(path_, group_, creates_);
  if (!lock || !lock->taken() || !segment_->is_current(path_) || ::unlink(path_.c_str()) != 0) return false;
  segment_.reset();
  open_segment(true);
  if (segment_)
    log_warning("the state segment " + path_ + " was of ProxySQL at " + show_owner(owner) +
                ", which is gone: made anew");
  return segment_.has_value();
}

// Keeps the problem with the configured one, and adds to it if there is no spare one either.
void StateAccess::use_spare(std::string path) {
  const std::string problem = problem_;
  path_ = std::move(path);
  open_segment(creates_);
  problem_ =
      problem + (segment_ ? "; until then the state is in " + path_ : "; nor can it be in " + path_ + ": " + problem_);
}

void StateAccess::open_configured() {
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

bool StateAccess::take(Result<LoadedConfig> loaded) {
  tried_load_ = true;
  if (loaded) {
    loaded_ = std::move(*loaded);
  } else {
    config_error_ = loaded.error().text;
  }
  return loaded_.has_value();
}

bool StateAccess::load() {
  if (tried_load_) return loaded_.has_value();
  return take(load_config(options_.config, options_.overrides(), Rows::first));
}

bool StateAccess::load_for_drain() {
  if (!take(load_config_for_drain(options_.config, options_.overrides()))) return false;
  if (!loaded_->salvage.empty()) log_warning(loaded_->salvage);
  return true;
}

OpenedSegment open_segment(const Options& options, bool writable) {
  install_bus_guard();
  Config config;
  const std::vector<Override> overrides = options.overrides();
  const auto path =
      std::find_if(overrides.rbegin(), overrides.rend(), [](const Override& one) { return one.key == "state"; });
  const bool path_is_said = path != overrides.rend();
  if (path_is_said) config.state = path->value;
  auto loaded = load_config(options.config, overrides);
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
  Result<Segment> opened = Segment::open(segment);
  // Whose a segment at the default path is, a file that can't be read doesn't say, nor whether the state is elsewhere.
  if (!loaded && !path_is_said) {
    const std::string unknown = "the configuration file can't be read, so where this node's state is isn't known; ";
    if (opened) {
      const uint64_t own = config_path_hash(options.config);
      uint64_t made_under = 0;
      Owner owner{};
      static_cast<void>(guarded([&] {
        const Layout& layout = opened->layout();
        made_under = layout.config_path.load(std::memory_order_relaxed);
        if (!layout.owner.read(owner)) owner = {};
      }));
      if (made_under != own && owner.config_path != own) {
        opened = Error{unknown + config.state + " was made under another file"};
      }
    } else if (opened.error().code == ENOENT) {
      opened = Error{unknown + "nothing is at " + config.state};
    }
  }
  if (loaded && opened) {
    if (auto owned = check_owner(*opened, config.state, owner_of(config)); !owned) opened = owned.error();
  }
  return {std::move(config), std::move(opened)};
}

void GuardedLayout::lose() {
  layout_ = nullptr;
  if (on_loss_ != nullptr) on_loss_();
  log_error("the state segment " + path_ + " was cut short; " + goes_on_);
}

}  // namespace pulse
