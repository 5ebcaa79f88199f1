#include "src/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "src/base/unique_fd.h"

namespace pulse {

namespace {

Result<std::string> read_all(const std::string& path, size_t most, int flags) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!fd) return system_error(path, errno);
  constexpr size_t kStep = 4096;
  std::string text;
  for (size_t length = 0; length < most; length = text.size()) {
    const size_t step = std::min(kStep, most - length);
    text.resize(length + step);
    const ssize_t got = read_into(fd.get(), text, length);
    if (got < 0) return system_error(path, errno);
    text.resize(length + static_cast<size_t>(got));
    if (static_cast<size_t>(got) < step) break;
  }
  return text;
}

}  // namespace

Result<std::string> read_text(const std::string& path, size_t most) { return read_all(path, most, 0); }

Result<std::string> read_text_at_once(const std::string& path, size_t most) { return read_all(path, most, O_NONBLOCK); }

ssize_t read_into(int fd, std::string& text, size_t from) {
  size_t length = from;
  while (length < text.size()) {
    const ssize_t got = ::read(fd, text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(length - from);
}

}  // namespace pulse
