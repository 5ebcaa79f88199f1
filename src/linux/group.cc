#include "src/linux/group.h"

#include <algorithm>
#include <string_view>

#include "src/base/file.h"
#include "src/base/number.h"

namespace pulse {

std::optional<gid_t> find_group(const std::string& name) {
  if (const auto number = to_number<gid_t>(name)) return number;
  const auto groups = read_text("/etc/group");
  if (!groups) return std::nullopt;
  for (size_t begin = 0; begin < groups->size();) {
    const size_t end = std::min(groups->find('\n', begin), groups->size());
    const std::string_view line = std::string_view(*groups).substr(begin, end - begin);
    begin = end + 1;
    const size_t password = line.find(':');
    const size_t id = password == std::string_view::npos ? std::string_view::npos : line.find(':', password + 1);
    if (id == std::string_view::npos || line.substr(0, password) != name) continue;
    std::string_view rest = line.substr(id + 1);
    if (const auto number = take_number<gid_t>(rest)) return number;
  }
  return std::nullopt;
}

}  // namespace pulse
