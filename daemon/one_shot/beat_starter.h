// Beats that the daemon starts, where ProxySQL's scheduler can't or doesn't: daemon.beats.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "daemon/one_shot/one_shot.h"
#include "daemon/worker/wakeup.h"
#include "shm/segment/segment.h"

namespace pulse {

// When the daemon has to start a beat of its own. Pure.
class BeatDue {
 public:
  // `mode` is daemon.beats; `began_ns` is when the daemon did.
  BeatDue(const Config& config, int64_t began_ns);

  // Whether one is due: always, or when nobody else's beat has come for three intervals (at the start for 10 s, if that
  // is longer). `last_beat_ns` is the segment's.
  bool is_due(int64_t last_beat_ns, int64_t now_ns);

  // The segment's last beat after one of the daemon's own has ended: not somebody else's.
  void own_beat(int64_t last_beat_ns) { own_ns_ = last_beat_ns; }

 private:
  const bool always_;
  const bool never_;
  const int64_t silence_ns_;
  int64_t others_ns_;  // when somebody else's last beat came, or when the wait for one began
  int64_t own_ns_ = 0;
};

// How long after the begin of one of the daemon's beats the next one begins. Pure.
class BeatPace {
 public:
  explicit BeatPace(milliseconds interval) : interval_(interval) {}

  // `wrote`: that beat has changed something, so there may be more to do.
  milliseconds after(bool wrote);

  // The least between two beats, also when something asks for one.
  static constexpr milliseconds kLeast{500};

 private:
  const milliseconds interval_;
  int writes_in_a_row_ = 0;
};

// A thread that starts `proxysql-pulse beat` every interval in which one is due. The one-shot is the same as the
// scheduler's: lock, timeout, back-off and record are too.
class BeatStarter {
 public:
  BeatStarter(const Config& config, std::function<std::shared_ptr<Segment>()> segment);

  // Something has changed that a beat has to do with: where the daemon starts the beats, one comes at once. Any thread.
  void beat_now();

  // No beat is started any more; one that runs goes on without the daemon.
  void stop();
  ~BeatStarter();  // stop()
  BeatStarter(const BeatStarter&) = delete;
  BeatStarter& operator=(const BeatStarter&) = delete;

 private:
  void run();
  int64_t last_beat_ns() const;
  bool last_beat_wrote() const;

  const OneShot beat_;
  const milliseconds interval_;
  const milliseconds longest_;
  const std::function<std::shared_ptr<Segment>()> segment_;
  BeatDue due_;
  BeatPace pace_;
  Wakeup wakeup_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> asked_{false};  // beat_now()
  std::thread thread_;
};

}  // namespace pulse
