// A file that is there complete and on the disk, or not at all.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace pulse {

// Where the file system can (O_TMPFILE), it has no name before it is published: whatever way the process dies, nothing
// is left. Elsewhere it has a hidden one, which the destructor removes, but a process that is killed leaves behind.
class WholeFile {
 public:
  enum class Way { best, hidden_name };

  // An empty file in `directory`, for its owner alone or also readable by `group`. `hidden` is the name to have
  // meanwhile, if it takes one. error().code is the errno.
  static Result<WholeFile> create(const std::string& directory, const std::string& hidden, std::optional<gid_t> group,
                                  Way way = Way::best);
  WholeFile(WholeFile&&) noexcept = default;
  WholeFile& operator=(WholeFile&&) = delete;
  ~WholeFile();

  int fd() const { return fd_.get(); }

  // Gives it its name once it is on the disk; the name is on the disk too when this returns. Never replaces a file:
  // error().code EEXIST then, and another name may be tried. No other error leaves one of that name.
  Result<void> publish(const std::string& name);

 private:
  WholeFile(std::string directory, UniqueFd fd, std::string hidden_path)
      : directory_(std::move(directory)), fd_(std::move(fd)), hidden_path_(std::move(hidden_path)) {}
  int give_name(const std::string& path);

  std::string directory_;
  UniqueFd fd_;
  std::string hidden_path_;  // "" if it has no name, or no longer that one
};

}  // namespace pulse
