// What the daemon does when it is asked to, rather than what it knows: /shutdown, /resync, /maintenance, SIGTERM.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/health/node_state.h"
#include "daemon/http/message.h"
#include "daemon/one_shot/drain_runner.h"
#include "src/config/settings.h"

namespace pulse {

// Why a control call is refused; "" if it may be made: by a loopback peer, or with `token`, which is "" where there is
// none. Compares in time that doesn't depend on what was guessed.
std::string why_refused(const HttpRequest& request, const std::string& token);

class Control {
 public:
  // `complete` answers a request that was deferred.
  Control(const Config& config, NodeState& state, std::function<void(uint64_t, HttpResponse)> complete);

  // Reads the token file again: it may be replaced at any time. To be called twice a second by the thread of
  // NodeState::tick().
  void tick();

  static bool is_control(const std::string& path);

  // Answers a request for a path of is_control(). /shutdown is answered when the drain has ended. The HTTP server's
  // thread.
  std::optional<HttpResponse> handle(const HttpRequest& request);

  // Begins to drain, as /shutdown does, unless this daemon does so already. Any thread.
  void start_drain();

  // Whether a drain runs: this daemon's, or one that was started otherwise and hasn't run out of time.
  bool drain_runs();

 private:
  HttpResponse set_maintenance(const std::string& wanted);
  HttpResponse ask_for_resync();
  Result<void> start_drain_for(std::optional<uint64_t> waiting);
  void on_end(const OneShotEnd& end);
  // What came of the last drain, as /shutdown's answer. `otherwise` is for one that has left no word in the segment.
  std::string drain_answer(bool good, const std::string& otherwise);

  const Config config_;
  NodeState& state_;
  const std::function<void(uint64_t, HttpResponse)> complete_;
  std::mutex mutex_;  // of what follows
  std::string token_;
  std::string token_problem_;
  std::vector<uint64_t> waiting_;  // for the end of the drain
  bool draining_ = false;          // this daemon's one-shot runs, or its end is still to be told
  DrainJob job_;                   // last: its thread uses all else
};

}  // namespace pulse
