// The state segment as a file: created whole, opened with suspicion, mapped.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <boost/interprocess/mapped_region.hpp>
#include <optional>
#include <string>

#include "shm/segment/boot.h"
#include "shm/segment/bus_guard.h"
#include "shm/segment/layout.h"
#include "src/base/result.h"

namespace pulse {

struct SegmentOptions {
  std::string path;
  std::optional<gid_t> group;  // of the programs that share it under different users; also makes the file 0660
  bool create = true;          // for beats alone: the file is then their user's, whoever else comes first
  std::optional<Owner> owner;  // whose a file that is created is; nobody else may take it for its own meanwhile
  bool writable = true;
  bool root_may = false;  // for a person's command: root may open any user's segment
};

// A mapped segment. Movable; unmaps when it goes. Copies of processes (fork) share the mapping.
class Segment {
 public:
  // Opens `options.path`, or creates it whole: a file appears under its name only once it is complete, and of
  // several creators one wins and all use its file. Refuses, with a text that says what to do: symbolic links and
  // other non-files, owners that are neither this user, root nor of the configured group, a wrong magic, size or
  // layout version. error().code is the errno, or EPROTO for a file that isn't a segment of this version.
  static Result<Segment> open(const SegmentOptions& options);

  Layout& layout() { return *static_cast<Layout*>(region_.get_address()); }
  const Layout& layout() const { return *static_cast<const Layout*>(region_.get_address()); }

  // Whether the file under `path` is still the one mapped here, whole. The daemon asks this before it believes what
  // it reads: somebody may have removed or replaced the file.
  bool is_current(const std::string& path) const;

  // The file's owner: the user who beats.
  uid_t user() const { return user_; }

  // Whether the file lies in memory (tmpfs) and so is of the machine's present boot.
  bool in_memory() const { return in_memory_; }

 private:
  Segment(boost::interprocess::mapped_region region, const struct stat& file, bool in_memory)
      : region_(std::move(region)),
        device_(file.st_dev),
        inode_(file.st_ino),
        user_(file.st_uid),
        in_memory_(in_memory) {}

  boost::interprocess::mapped_region region_;
  dev_t device_;
  ino_t inode_;
  uid_t user_;
  bool in_memory_;
};

}  // namespace pulse
