#include "src/linux/unix_sockets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "src/base/unique_fd.h"

namespace pulse {

namespace {

std::string_view take_field(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(field.size());
  return field;
}

}  // namespace

// "Num RefCount Protocol Flags Type St Inode Path"; flags are hexadecimal.
uint32_t listening_unix_inode(std::string_view line, std::string_view path) {
  constexpr uint32_t kListens = 0x10000;  // __SO_ACCEPTCON
  for (int i = 0; i < 3; ++i) take_field(line);
  const std::string_view flags_text = take_field(line);
  for (int i = 0; i < 2; ++i) take_field(line);
  const std::string_view inode_text = take_field(line);
  if (line.empty() || line.substr(1) != path) return 0;
  uint32_t flags = 0;
  uint32_t inode = 0;
  std::from_chars(flags_text.data(), flags_text.data() + flags_text.size(), flags, 16);
  std::from_chars(inode_text.data(), inode_text.data() + inode_text.size(), inode);
  return (flags & kListens) != 0 ? inode : 0;
}

Result<std::vector<uint32_t>> listening_unix_inodes(const std::string& path, Deadline deadline) {
  const char* const table = "/proc/net/unix";
  const UniqueFd file(::open(table, O_RDONLY | O_CLOEXEC));
  if (!file) return system_error(std::string("open ") + table, errno);
  std::vector<uint32_t> inodes;
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    if (deadline.passed()) return system_error(std::string("read ") + table, ETIMEDOUT);
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(std::string("read ") + table, errno);
    if (count == 0) return inodes;
    text.append(chunk.data(), static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const uint32_t inode = listening_unix_inode(std::string_view(text).substr(begin, end - begin), path);
      if (inode != 0) inodes.push_back(inode);
    }
    text.erase(0, begin);
  }
}

}  // namespace pulse
