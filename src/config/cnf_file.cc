#include "src/config/cnf_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "src/base/file.h"
#include "src/base/unique_fd.h"
#include "src/config/identity.h"

namespace pulse {

namespace {

UniqueFd open_file(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

Result<CnfFile> read_open_file(const UniqueFd& fd, std::string path, size_t most) {
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return system_error(path, errno);
  CnfFile file{std::move(path), "", 0, false};
  if (!S_ISREG(status.st_mode)) return Error{file.path + ": not a regular file"};
  if (status.st_size > static_cast<off_t>(most)) {
    return Error{file.path + ": larger than 16 MiB: not a configuration file"};
  }
  file.identity = identity_of(status, file.path);
  file.text.resize(static_cast<size_t>(status.st_size));
  const ssize_t length = read_into(fd.get(), file.text);
  if (length < 0) return system_error(file.path, errno);
  file.text.resize(static_cast<size_t>(length));
  return file;
}

}  // namespace

Result<CnfFile> read_cnf_file(const std::string& path, size_t most) {
  return read_open_file(open_file(path), path, most);
}

Result<CnfFile> read_included_file(const std::string& name, const std::string& directory, size_t most) {
  if (name == "/dev/null") return CnfFile{name, "", 0, false};
  const UniqueFd fd = open_file(name);
  const int failure = errno;
  if (fd || name.empty() || name.front() == '/' || directory.empty()) {
    errno = failure;
    return read_open_file(fd, name, most);
  }
  // Not there, or in a directory that this user may not look into.
  const UniqueFd other = open_file(directory + name);
  if (!other) return system_error(name, failure);
  auto file = read_open_file(other, directory + name, most);
  if (file) file->beside = true;
  return file;
}

}  // namespace pulse
