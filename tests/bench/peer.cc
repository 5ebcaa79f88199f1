#include "tests/bench/peer.h"

#include <thread>

#include "tests/loopback.h"

namespace pulse::bench {

namespace {

double resident_mb(pid_t pid) { return static_cast<double>(status_value(pid, "VmRSS")) / 1024; }

}  // namespace

std::string find_proxysql_agent() { return output_of({"/bin/sh", "-c", "command -v proxysql-agent"}); }

Result<std::vector<Sidecar>> compare_with_agent(const Programs& programs, const std::string& agent,
                                                const std::string& dir, std::chrono::milliseconds span) {
  const std::string row = "{ id=1, active=1, interval_ms=500, filename=\"" + programs.pulse +
                          "\", arg1=\"beat\", arg2=\"--config=" + dir +
                          "/beside.cnf\", arg3=\"--state=" + programs.state_dir + "/beside\" }";
  Server ours(programs, dir, {"beside", "core", row, {}, true});
  Server theirs(programs, dir, {"agent", "core", "", {}, true});
  for (Server* server : {&ours, &theirs}) {
    if (auto up = server->wait_until_up(); !up) return up.error();
  }
  Daemon daemon(programs, ours, dir + "/beside.daemon.log");
  if (auto ready = daemon.wait_until_ready(); !ready) return ready.error();
  const uint16_t port = test::free_port();
  const std::string log = dir + "/agent.sidecar.log";
  Child sidecar({agent, "--run_mode=satellite", "--proxysql.address=127.0.0.1:" + std::to_string(theirs.admin_port()),
                 std::string("--proxysql.username=") + kUser, std::string("--proxysql.password=") + kPassword,
                 "--api.port=" + std::to_string(port), "--shutdown.draining_file=" + dir + "/agent.draining"},
                log);
  const auto is_ready = [port] { return probe_load({port, 10, std::chrono::milliseconds(100), 0}).failed == 0; };
  if (!eventually([&] { return !sidecar.running() || is_ready(); }, milliseconds(20'000)) || !sidecar.running()) {
    return Error{agent + " doesn't get ready; its log ends with: " + output_of({"tail", "-n", "3", log})};
  }

  std::vector<Sidecar> both = {{"proxysql-agent", 0, {}, {}, 0, 0}, {"proxysql-pulsed", 0, {}, {}, 0, 0}};
  const uint16_t ports[] = {port, daemon.port()};
  const pid_t pids[] = {sidecar.pid(), daemon.pid()};
  const Server* servers[] = {&theirs, &ours};
  for (size_t i = 0; i < both.size(); ++i) {
    both[i].healthy = probe_load({ports[i], kSidecarProbes, span, 0});
    both[i].memory_mb = resident_mb(pids[i]);
    both[i].threads_before = status_value(servers[i]->pid(), "Threads");
  }
  const auto hang = std::chrono::duration_cast<std::chrono::seconds>(2 * span) + std::chrono::seconds(15);
  for (Server* server : {&theirs, &ours}) {
    if (auto hangs = server->wedge(hang); !hangs) return hangs.error();
  }
  for (size_t i = 0; i < both.size(); ++i) {
    both[i].wedged = probe_load({ports[i], kWedgedProbes, span, 0});
    both[i].threads_after = status_value(servers[i]->pid(), "Threads");
  }
  for (Server* server : {&theirs, &ours}) server->unwedge();
  return both;
}

}  // namespace pulse::bench
