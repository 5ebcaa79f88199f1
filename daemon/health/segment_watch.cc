#include "daemon/health/segment_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "src/base/log.h"
#include "src/base/result.h"

namespace pulse {

SegmentWatch::SegmentWatch(const std::string& path, std::function<void()> appeared)
    : name_(path.substr(path.rfind('/') + 1)),
      appeared_(std::move(appeared)),
      events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
  // A segment gets its name by link(2), which is a creation.
  const int watch = ::inotify_add_watch(events_.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  if (watch < 0 || !stop_) {
    log_info("watch " + folder + ": " + pulse::system_error("inotify", errno).text +
             "; the state segment is looked for twice a second");
    return;
  }
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // no thread to be had: as above
  }
}

SegmentWatch::~SegmentWatch() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void SegmentWatch::run() {
  for (;;) {
    pollfd waiting[] = {{events_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    alignas(inotify_event) std::array<char, 4096> buffer;
    const ssize_t size = ::read(events_.get(), buffer.data(), buffer.size());
    bool found = false;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      // An overflow may have swallowed it.
      found = found || (event->mask & IN_Q_OVERFLOW) != 0 || (event->len != 0 && name_ == event->name);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    if (found) appeared_();
  }
}

}  // namespace pulse
