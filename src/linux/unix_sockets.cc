#include "src/linux/unix_sockets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "src/base/unique_fd.h"
#include "src/linux/proc_line.h"

namespace pulse {

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

bool is_unix_client(std::string_view line, std::string_view path) {
  constexpr std::string_view kConnected = "03";  // SS_CONNECTED
  for (int i = 0; i < 5; ++i) take_field(line);
  const std::string_view state = take_field(line);
  take_field(line);
  return !line.empty() && line.substr(1) == path && state == kConnected;
}

namespace {

// Calls `visit` for each line of the table.
template <class Visit>
Result<void> visit_lines(Deadline deadline, Visit visit) {
  const char* const table = "/proc/net/unix";
  const UniqueFd file(::open(table, O_RDONLY | O_CLOEXEC));
  if (!file) return system_error(std::string("open ") + table, errno);
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    if (deadline.passed()) return system_error(std::string("read ") + table, ETIMEDOUT);
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(std::string("read ") + table, errno);
    if (count == 0) return {};
    text.append(chunk.data(), static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      visit(std::string_view(text).substr(begin, end - begin));
    }
    text.erase(0, begin);
  }
}

}  // namespace

Result<std::vector<uint32_t>> listening_unix_inodes(const std::string& path, Deadline deadline) {
  std::vector<uint32_t> inodes;
  const auto read = visit_lines(deadline, [&](std::string_view line) {
    const uint32_t inode = listening_unix_inode(line, path);
    if (inode != 0) inodes.push_back(inode);
  });
  if (!read) return read.error();
  return inodes;
}

Result<uint32_t> count_unix_clients(const std::string& path, Deadline deadline) {
  uint32_t count = 0;
  const auto read = visit_lines(deadline, [&](std::string_view line) { count += is_unix_client(line, path) ? 1 : 0; });
  if (!read) return read.error();
  return count;
}

}  // namespace pulse
