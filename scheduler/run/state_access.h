// Finding and opening the state segment at the least cost, and every access to it.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "scheduler/cli/command_line.h"
#include "shm/record/ownership.h"
#include "shm/segment/lock.h"
#include "shm/segment/segment.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/load.h"

namespace pulse {

// What a command knows of configuration and segment. The file is read when it is needed, and once.
class StateAccess {
 public:
  explicit StateAccess(const Options& options) : options_(options) {}

  // Opens an existing segment if its path is known without reading the configuration: from --state, or the default
  // path if the segment there was made under this very file. Otherwise reads the file, and creates the segment if
  // there is none; under a file that can't be read nothing is created. Failures are kept for problem() and
  // config_error(): a beat works without a segment. For beats alone: the segment must be their own user's.
  //
  // A segment of another ProxySQL is left alone, unless that one is gone for good: then it is made anew. One of another
  // user can't be opened. Either way a spare segment beside it serves, so that back-off holds, and problem() says why.
  void open();

  // The same for a command that must leave no file behind, and that root may run whosever the segment is.
  void open_existing();

  // Reads the configuration, the first time it is asked for. False: config_error() says why.
  bool load();
  // The same for a drain or its undoing, see load_config_for_drain(); a broken file is logged.
  bool load_for_drain();

  // Of the segment in use: that of the configuration, or the spare one.
  const std::string& path() const { return path_; }
  // What beats' locks are named after. Two users' beats of one ProxySQL have a segment each and one lock.
  const std::string& lock_path() const { return lock_path_.empty() ? path_ : lock_path_; }
  // Whether the segment is a spare one of this user, for a ProxySQL whose own segment is another user's. What it
  // remembers isn't all that was done to ProxySQL.
  bool is_second_user() const { return !lock_path_.empty(); }
  std::optional<gid_t> group() const { return group_; }
  Segment* segment() { return segment_ ? &*segment_ : nullptr; }
  // Null if the segment is unusable.
  Layout* layout() { return segment_ ? &segment_->layout() : nullptr; }
  // One word of it; 0 if it was cut short meanwhile.
  uint64_t stored(std::atomic<uint64_t> Layout::*word);
  const std::string& problem() const { return problem_; }
  const LoadedConfig& loaded() const { return *loaded_; }
  const std::string& config_error() const { return config_error_; }

 private:
  bool path_is_known();
  bool take(Result<LoadedConfig> loaded);
  void open_any();
  void open_configured();
  void open_segment(bool create);
  bool take_abandoned(const Owner& owner);
  void use_spare(std::string path);

  const Options& options_;
  std::string path_ = kDefaultStatePath;
  std::string lock_path_;
  std::optional<gid_t> group_;
  std::optional<Segment> segment_;
  std::string problem_;
  int problem_code_ = 0;
  std::optional<LoadedConfig> loaded_;
  std::string config_error_;
  bool tried_load_ = false;
  bool creates_ = false;
};

// For a person's command that doesn't wait for anything but the kernel: how long it may take all the same, when a disk
// or a terminal hangs.
inline constexpr milliseconds kCommandTimeout{10000};

struct OpenedSegment {
  Config config;
  Result<Segment> segment;
};

// The segment as the command line or the configuration names it, for a person's command. A configuration that can't be
// read is logged and doesn't keep `status` from showing what there is.
OpenedSegment open_segment(const Options& options, bool writable);

// Every access of a run to the mapping: a file that is cut short meanwhile costs the report, not the run.
class GuardedLayout {
 public:
  // `layout` is null without a segment, and must outlive this; `path` is for the message that says it was cut short.
  // That ends with `goes_on`, such as "this beat goes on without it". `on_loss` is called first, once.
  GuardedLayout(Layout* layout, std::string path, const char* goes_on, void (*on_loss)() = nullptr)
      : layout_(layout), path_(std::move(path)), goes_on_(goes_on), on_loss_(on_loss) {}

  bool usable() const { return layout_ != nullptr; }
  const std::string& path() const { return path_; }

  // Runs access(Layout&), which owns nothing that needs a destructor. False without a segment, or with none any more.
  template <class Access>
  bool with(Access&& access) {
    if (layout_ == nullptr) return false;
    if (guarded([&] { access(*layout_); })) return true;
    lose();
    return false;
  }

 private:
  void lose();

  Layout* layout_;
  std::string path_;
  const char* goes_on_;
  void (*on_loss_)();
};

}  // namespace pulse
