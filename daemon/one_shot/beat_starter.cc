#include "daemon/one_shot/beat_starter.h"

#include <algorithm>

#include "shm/record/attempts.h"
#include "src/base/log.h"

namespace pulse {

namespace {

constexpr milliseconds kBeatOverdue{1000};

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

milliseconds BeatPace::after(bool wrote) {
  constexpr milliseconds kSoon{1000};  // what a beat has loaded, none loads again within the second
  constexpr int kMostInARow = 10;
  writes_in_a_row_ = wrote ? writes_in_a_row_ + 1 : 0;
  return wrote && writes_in_a_row_ <= kMostInARow ? std::min(kSoon, interval_) : interval_;
}

BeatStarter::BeatStarter(const Config& config, std::function<std::shared_ptr<Segment>()> segment)
    : beat_(config, "beat"),
      interval_(config.beat.interval),
      longest_(config.beat.timeout + kBeatOverdue),
      segment_(std::move(segment)),
      due_(config, boottime_ns()),
      pace_(config.beat.interval) {
  if (config.daemon.beats != BeatsMode::never) thread_ = std::thread([this] { run(); });
}

BeatStarter::~BeatStarter() { stop(); }

void BeatStarter::stop() {
  stopping_ = true;
  wakeup_.wake();
  if (thread_.joinable()) thread_.join();
}

void BeatStarter::beat_now() {
  asked_ = true;
  wakeup_.wake();
}

int64_t BeatStarter::last_beat_ns() const {
  const std::shared_ptr<Segment> segment = segment_();
  int64_t last = 0;
  if (segment) {
    static_cast<void>(guarded([&] { last = segment->layout().last_beat_ns.load(std::memory_order_relaxed); }));
  }
  return last;
}

bool BeatStarter::last_beat_wrote() const {
  const std::shared_ptr<Segment> segment = segment_();
  BeatRecord record{};
  const bool read = segment && guarded([&] { static_cast<void>(segment->layout().record.read(record)); });
  return read && record.history_count != 0 && record.history[(record.history_count - 1) % kHistory].writes != 0;
}

void BeatStarter::run() {
  bool starting = false;
  std::string said;
  while (!stopping_) {
    const Deadline least = Deadline::after(std::min(BeatPace::kLeast, interval_));
    const MonotonicTime begin = MonotonicTime::now();
    milliseconds pause = interval_;
    asked_ = false;
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
      pause = pace_.after(last_beat_wrote());
    }
    const Deadline next = Deadline::at(begin + pause);
    const auto is_time = [&] { return next.passed() || (asked_ && least.passed()); };
    while (!stopping_ && !is_time()) wakeup_.wait(asked_ ? least.left() : next.left());
  }
}

}  // namespace pulse
