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

// The token as it is now.
struct ControlToken {
  bool wanted = false;  // daemon.token_file is set
  std::string text;     // "" if it isn't, or can't be read
};

// Who makes a control call, as the kernel says.
struct Caller {
  bool on_loopback = false;  // 127.0.0.1 or ::1 at both ends
  bool trusted = false;      // root, this daemon's user, ProxySQL's user, or a member of pulse.group
  std::string who;           // "user 1000", or why that isn't known
};

// Why a control call is refused; "" if it may be made: with the token, or where none is wanted by a trusted caller on
// loopback who calls this host by an address or by one of `own_names`. Never by a browser: any web page can make it
// call. Compares in time that doesn't depend on what was guessed.
std::string why_refused(const HttpRequest& request, const ControlToken& token, const Caller& caller,
                        const std::vector<std::string>& own_names);

// Asks the kernel's socket table. Waits 100 ms at most.
Caller find_caller(const HttpRequest& request, const Config& config);

class Control {
 public:
  using FindCaller = std::function<Caller(const HttpRequest&, const Config&)>;

  // `complete` answers a request that was deferred.
  Control(const Config& config, NodeState& state, std::function<void(uint64_t, HttpResponse)> complete,
          FindCaller find_caller = pulse::find_caller);

  // Reads the token file again: it may be replaced at any time. To be called by the thread of NodeState::tick(), with
  // each of its looks.
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
  const FindCaller find_caller_;
  const std::vector<std::string> own_names_;
  std::mutex mutex_;  // of what follows
  ControlToken token_;
  std::string token_problem_;
  std::vector<uint64_t> waiting_;  // for the end of the drain
  bool draining_ = false;          // this daemon's one-shot runs, or its end is still to be told
  DrainJob job_;                   // last: its thread uses all else
};

}  // namespace pulse
