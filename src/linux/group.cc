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

namespace {

std::string_view take(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

// The fields of the first line whose third one is `id`: name, password, number, and the rest undivided.
struct Line {
  std::string_view name;
  std::string_view rest;
};
template <class Id>
std::optional<Line> find_line(std::string_view text, Id id) {
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const std::string_view name = take(line, ':');
    take(line, ':');
    if (to_number<Id>(std::string(take(line, ':'))) == id) return Line{name, line};
  }
  return std::nullopt;
}

}  // namespace

bool is_in_group(uid_t user, gid_t group, std::string_view passwd, std::string_view groups) {
  const auto account = find_line(passwd, user);
  if (!account || account->name.empty()) return false;
  std::string_view rest = account->rest;
  if (to_number<gid_t>(std::string(take(rest, ':'))) == group) return true;
  const auto found = find_line(groups, group);
  if (!found) return false;
  for (std::string_view members = found->rest; !members.empty();) {
    if (take(members, ',') == account->name) return true;
  }
  return false;
}

bool is_in_group(uid_t user, gid_t group) {
  const auto passwd = read_text("/etc/passwd");
  const auto groups = read_text("/etc/group");
  return passwd && groups && is_in_group(user, group, *passwd, *groups);
}

}  // namespace pulse
