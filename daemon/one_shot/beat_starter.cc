#include "daemon/one_shot/beat_starter.h"

#include <algorithm>

#include "shm/record/attempts.h"
#include "src/base/log.h"

namespace pulse {

namespace {

constexpr milliseconds kOverdue{1000};

}  // namespace

BeatDue::BeatDue(const Config& config, int64_t began_ns)
    : always_(config.daemon.beats == BeatsMode::always),
      never_(config.daemon.beats == BeatsMode::never),
      silence_ns_(silence_ns(nanoseconds(config.beat.interval).count())),
      others_ns_(began_ns + first_beat_ns(nanoseconds(config.beat.interval).count()) - silence_ns_) {}

bool BeatDue::is_due(int64_t last_beat_ns, int64_t now_ns) {
  if (always_ || never_) return always_;
  if (last_beat_ns != own_ns_) others_ns_ = std::max(others_ns_, last_beat_ns);
  return now_ns - others_ns_ > silence_ns_;
}

BeatStarter::BeatStarter(const Config& config, std::function<std::shared_ptr<Segment>()> segment)
    : beat_(config, "beat"),
      interval_(config.beat.interval),
      longest_(config.beat.timeout + kOverdue),
      segment_(std::move(segment)),
      due_(config, boottime_ns()) {
  if (config.daemon.beats != BeatsMode::never) thread_ = std::thread([this] { run(); });
}

BeatStarter::~BeatStarter() {
  stopping_ = true;
  wakeup_.wake();
  if (thread_.joinable()) thread_.join();
}

int64_t BeatStarter::last_beat_ns() const {
  const std::shared_ptr<Segment> segment = segment_();
  int64_t last = 0;
  if (segment) {
    static_cast<void>(guarded([&] { last = segment->layout().last_beat_ns.load(std::memory_order_relaxed); }));
  }
  return last;
}

void BeatStarter::run() {
  bool starting = false;
  std::string said;
  while (!stopping_) {
    const Deadline next = Deadline::after(interval_);
    const bool due = due_.is_due(last_beat_ns(), boottime_ns());
    if (due != starting) {
      starting = due;
      log_info(due ? "starting beats from here, every " + std::to_string(interval_.count()) + " ms"
                   : "ProxySQL's scheduler starts beats again");
    }
    if (due) {
      // Its exit code is in the segment, with all else; only one that says nothing there is told here.
      const OneShotEnd end = beat_.run(longest_, stopping_);
      if (end.error != said && !stopping_) {
        said = end.error;
        if (!said.empty()) log_error(said);
      }
      due_.own_beat(last_beat_ns());
    }
    while (!stopping_ && !next.passed()) wakeup_.wait(next.left());
  }
}

}  // namespace pulse
