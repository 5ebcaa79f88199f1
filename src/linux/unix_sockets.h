// What the kernel's table of unix sockets says, in this network namespace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// The inode numbers of the sockets that listen under this path, as it was bound; /proc/PID/fd names them so. Reads
// /proc/net/unix. The error's code is the errno, ETIMEDOUT if the deadline passed.
Result<std::vector<uint32_t>> listening_unix_inodes(const std::string& path, Deadline deadline);

// The inode number in one line of that file if it is of such a socket, else 0.
uint32_t listening_unix_inode(std::string_view line, std::string_view path);

}  // namespace pulse
