// proxysql-pulsed: answers health probes from the state segment and its own look at the ports for clients. It
// never speaks to the admin interface.
#include <malloc.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "daemon/discovery/discovery.h"
#include "daemon/health/control.h"
#include "daemon/health/look_pace.h"
#include "daemon/health/node_state.h"
#include "daemon/health/probes.h"
#include "daemon/health/segment_watch.h"
#include "daemon/http/http_server.h"
#include "daemon/leader/leader_election.h"
#include "daemon/one_shot/beat_starter.h"
#include "daemon/options.h"
#include "daemon/peers/peer_reader.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/base/log_thread.h"
#include "src/config/drain_steps.h"
#include "src/config/load.h"

namespace {

// What was logged gets as long to be written before the daemon ends.
constexpr pulse::milliseconds kLastWords{500};

int serve(const pulse::Config& config) {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  pulse::install_bus_guard();
  // Blocked before there is a second thread, so that only this one takes them, between two ticks.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, pulse::LookPace::wake_signal()}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  pulse::log_on_a_thread();

  pulse::LookPace pace(::pthread_self());
  pulse::NodeState state(config, host);
  pulse::Probes probes(config, state);
  std::optional<pulse::BeatStarter> beats;
  std::optional<pulse::Control> control;  // made before it serves, and gone before the server is
  auto server = pulse::HttpServer::listen(config.daemon.listen_address, static_cast<uint16_t>(config.daemon.port),
                                          pulse::HttpLimits{}, [&](const pulse::HttpRequest& request) {
                                            pace.asked();
                                            if (!pulse::Control::is_control(request.path)) {
                                              return probes.handle(request);
                                            }
                                            auto answer = control->handle(request);
                                            if (request.path == "/resync") beats->beat_now();
                                            return answer;
                                          });
  if (!server) {
    pulse::log_error(server.error().text + "; set pulse.daemon.port or pulse.daemon.listen_address");
    pulse::flush_log(pulse::Deadline::after(kLastWords));
    return pulse::kExitUnavailable;
  }
  control.emplace(config, state, [&server](uint64_t token, pulse::HttpResponse response) {
    (*server)->complete(token, std::move(response));
  });
  probes.show_counters_of(**server);
  state.tick();
  pulse::PeerReader peers(config, [&state] { return state.segment(); });
  beats.emplace(config, [&state] { return state.segment(); });
  pulse::Discoverer discoverer(
      config, [&state] { return state.segment(); },
      [&peers, &beats] {
        peers.list_changed();
        beats->beat_now();
      });
  // The beat that has made the segment waits for the list of members that the discoverer puts into it.
  std::optional<pulse::SegmentWatch> watch(std::in_place, config.state, [&state, &discoverer] {
    state.look_for_the_segment();
    discoverer.publish_now();
  });
  pulse::LeaderKeeper leader(config, host, [&state] { return state.segment(); });
  std::thread http([&server] { (*server)->run(); });
  pulse::log_info("answering on port " + std::to_string((*server)->port()) + " for the " + config.role_name() +
                  " whose state is in " + config.state);
  // While a drain runs, the daemon stays: a preStop hook waits for its answer, and probes ask on. A second signal ends
  // it.
  const bool drains = pulse::drains_on_sigterm(config, std::getenv("INVOCATION_ID"));
  if (config.drain.on_sigterm && !drains) {
    pulse::log_warning(
        "drain.on_sigterm does nothing under systemd, which sends SIGTERM for a restart of this daemon, too: enable "
        "proxysql-pulse-drain.service, which drains when ProxySQL's own unit is stopped");
  }
  const bool leads = config.leader.mode != pulse::LeaderMode::none;
  bool ending = false;
  timespec pause = pace.looked(false);
  for (;;) {
    const int number = ::sigtimedwait(&signals, nullptr, &pause);
    if (number == SIGUSR1) {
      pulse::log_info("SIGUSR1: " + probes.readiness("SIGUSR1"));
    } else if (number == SIGTERM || number == SIGINT) {
      if (ending) break;
      ending = true;
      if (drains) control->start_drain();
      if (control->drain_runs()) pulse::log_info("a drain is under way: staying until it has ended");
    }
    const bool calm = state.tick();
    leader.tick();
    control->tick();
    pause = pace.looked(calm && !leads && !ending && !control->drain_runs());
    if (ending && !control->drain_runs()) break;
  }
  // First of all: what only the leader may do has to end meanwhile, while the probes still answer.
  const bool leader_ended = leader.stop();
  (*server)->stop();
  http.join();
  control.reset();
  beats->stop();
  watch.reset();
  const bool all_ended = discoverer.stop() && leader_ended;
  pulse::log_info("stopped");
  pulse::flush_log(pulse::Deadline::after(kLastWords));
  // A thread that a resolver or a server holds up isn't waited for, so nothing that it uses may be taken down.
  if (!all_ended) ::_exit(pulse::kExitOk);
  return pulse::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  pulse::set_log_name("proxysql-pulsed");
  // Fixed, for it grows by itself with the first block that is freed: the copies of members (200 KB) that /status and
  // /metrics make would then stay with the heap instead of going back.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGUSR2, SIG_IGN);  // harmless to proxysql-agent: whoever sends it must not end this daemon
  const auto options = pulse::parse_options(argc, argv, environ);
  if (!options) {
    pulse::log_error(options.error().text);
    return pulse::kExitUsage;
  }
  if (!options->text.empty()) {
    std::fputs(options->text.c_str(), stdout);
    return pulse::kExitOk;
  }
  const auto loaded = pulse::load_config(options->config, options->overrides);
  if (!loaded) {
    pulse::log_error(loaded.error().text);
    return pulse::kExitConfig;
  }
  for (const std::string& warning : loaded->warnings) pulse::log_warning(warning);
  if (const std::string problem = pulse::grace_problem(loaded->config); !problem.empty()) pulse::log_warning(problem);
  return serve(loaded->config);
}
