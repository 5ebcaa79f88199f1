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

// How many connections there are to the socket under this path, accepted or still queued. Errors as above.
Result<uint32_t> count_unix_clients(const std::string& path, Deadline deadline);

// Whether one line of that file is the server's end of a connection to such a socket.
bool is_unix_client(std::string_view line, std::string_view path);

// The inode number in one line of that file if it is of such a socket, else 0.
uint32_t listening_unix_inode(std::string_view line, std::string_view path);

}  // namespace pulse
