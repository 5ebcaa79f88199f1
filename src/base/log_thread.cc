#include "src/base/log_thread.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <thread>

#include "src/base/log.h"
#include "src/base/log_output.h"
#include "src/base/log_queue.h"

namespace pulse {

namespace {

// Never destroyed: the thread may be in a write that nobody ends.
LogQueue& queue() {
  static auto& instance = *new LogQueue(64 * 1024);
  return instance;
}

// Waits for as long as it takes. A line that can't be written at all is lost: there is nobody to tell.
void write_whole(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count < 0 && errno != EINTR) return;
    if (count > 0) text.remove_prefix(static_cast<size_t>(count));
  }
}

[[noreturn]] void write_lines() {
  for (;;) {
    write_whole(queue().next());
    if (const uint64_t dropped = queue().done(); dropped != 0) {
      log_warning(std::to_string(dropped) + " log lines were dropped: nobody read them");
    }
  }
}

}  // namespace

void log_on_a_thread() {
  try {
    std::thread(write_lines).detach();
  } catch (const std::system_error&) {
    return;  // write_to_stderr() doesn't wait either
  }
  set_log_output([](std::string line) { queue().push(std::move(line)); });
}

bool flush_log(Deadline deadline) { return queue().wait_empty(deadline); }
uint64_t log_lines_dropped() { return queue().dropped(); }

}  // namespace pulse
