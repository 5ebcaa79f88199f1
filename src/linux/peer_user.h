// Whose a connection's other end is, where that end is a socket of this machine: as the kernel's socket table says.
#pragma once

#include <sys/types.h>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/linux/socket_table.h"

namespace pulse {

// Whether both ends of a connected TCP socket are 127.0.0.1 or ::1. Other addresses of 127.0.0.0/8 are not: a mesh's
// proxy connects from such a one on behalf of whoever is outside.
bool is_plain_loopback(int socket);

// The user who opened the other end of a connected TCP socket, both ends being in this network namespace. An error if
// that end has no process any more: the kernel gives it to root. The error's code is the errno, ENOENT if there is no
// such socket.
Result<uid_t> user_at_other_end(int socket, Deadline deadline, SocketSource source = SocketSource::automatic);

}  // namespace pulse
