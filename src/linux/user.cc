#include "src/linux/user.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "src/base/unique_fd.h"

namespace pulse {

std::string_view user_name(std::string_view passwd, uid_t uid) {
  const std::string wanted = std::to_string(uid);
  while (!passwd.empty()) {
    const size_t end = std::min(passwd.find('\n'), passwd.size());
    const std::string_view line = passwd.substr(0, end);
    passwd.remove_prefix(std::min(end + 1, passwd.size()));
    // name:password:uid:...
    const size_t name_end = line.find(':');
    const size_t uid_begin = name_end == std::string_view::npos ? name_end : line.find(':', name_end + 1);
    if (uid_begin == std::string_view::npos) continue;
    const std::string_view rest = line.substr(uid_begin + 1);
    if (rest.substr(0, rest.find(':')) == wanted) return line.substr(0, name_end);
  }
  return "";
}

std::string user_text(uid_t uid) {
  constexpr size_t kMost = 256 * 1024;  // system users come first
  std::string passwd;
  const UniqueFd fd(::open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  char buffer[4096];
  for (ssize_t got; fd && passwd.size() < kMost && (got = ::read(fd.get(), buffer, sizeof buffer)) > 0;) {
    passwd.append(buffer, static_cast<size_t>(got));
  }
  const std::string_view name = user_name(passwd, uid);
  return "user " + std::to_string(uid) + (name.empty() ? "" : " (" + std::string(name) + ")");
}

}  // namespace pulse
