#include "src/base/log_output.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pulse {

size_t write_what_fits(int fd, std::string_view text, int patience_ms) {
  size_t done = 0;
  bool is_socket = true;  // until it says otherwise
  while (done < text.size()) {
    pollfd room{fd, POLLOUT, 0};
    const int ready = ::poll(&room, 1, patience_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || (room.revents & POLLOUT) == 0) return done;
    // A pipe that is ready has room for PIPE_BUF bytes, and takes them whole.
    const size_t size = std::min<size_t>(text.size() - done, PIPE_BUF);
    ssize_t count = -1;
    if (is_socket) {
      count = ::send(fd, text.data() + done, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      is_socket = count >= 0 || errno != ENOTSOCK;
    }
    if (!is_socket) count = ::write(fd, text.data() + done, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return done;
    done += static_cast<size_t>(count);
  }
  return done;
}

void write_to_stderr(std::string line) {  // NOLINT(performance-unnecessary-value-param): a LogOutput
  constexpr int kPatienceMs = 20;
  static unsigned long dropped = 0;
  static bool cut = false;  // the last line has no end
  std::string text;
  if (cut) text += '\n';
  if (dropped != 0) text += std::to_string(dropped) + " log lines were dropped here: nobody read them\n";
  text += line;
  const size_t done = write_what_fits(STDERR_FILENO, text, dropped == 0 ? kPatienceMs : 0);
  if (done < text.size()) {
    ++dropped;
    if (done != 0) cut = text[done - 1] != '\n';
  } else {
    dropped = 0;
    cut = false;
  }
}

}  // namespace pulse
