#include "tests/bench/peer.h"

#include <signal.h>

#include <filesystem>
#include <thread>

#include "tests/bench/report.h"
#include "tests/loopback.h"

namespace pulse::bench {

namespace {

using std::chrono::seconds;

constexpr const char* kOnlyEntry = "SELECT GROUP_CONCAT(hostname || ':' || port) FROM runtime_proxysql_servers";
constexpr int kBeats = 50;

double seconds_since(int64_t began_ns) { return static_cast<double>(monotonic_ns() - began_ns) / 1e9; }

void pause_for(std::chrono::milliseconds length) { std::this_thread::sleep_for(length); }

// What the server answers, without column names.
std::string ask(const Server& server, const std::string& statement) {
  return output_of(server.mysql(statement, {"--batch", "--skip-column-names"}));
}

// A satellite and what looks after it.
struct Side {
  std::unique_ptr<Server> server;
  int64_t started_ns = 0;
  uint16_t port = 0;  // of the probes
  pid_t pid = -1;     // of what answers them
  Sidecar* result = nullptr;
};

// Looks at both twice a second: each gets the time after which its server has only that entry.
void time_healing(const std::vector<Side>& sides, uint16_t entry, std::optional<double> Sidecar::*healed) {
  const std::string wanted = "127.0.0.1:" + std::to_string(entry);
  const int64_t began = monotonic_ns();
  for (;;) {
    bool all = true;
    for (const Side& side : sides) {
      std::optional<double>& time = side.result->*healed;
      if (!time && ask(*side.server, kOnlyEntry) == wanted) time = seconds_since(began);
      all = all && time;
    }
    if (all || seconds_since(began) > static_cast<double>(kHealPatience.count())) return;
    pause_for(milliseconds(500));
  }
}

Result<void> time_healings(const Programs& programs, const std::string& dir, const std::vector<Side>& sides,
                           uint16_t core) {
  for (const Side& side : sides) ask(*side.server, "DELETE FROM proxysql_servers; LOAD PROXYSQL SERVERS TO RUNTIME");
  time_healing(sides, core, &Sidecar::emptied_s);

  Server other(programs, dir, {"leaving-core", "core", "", {}, true});
  if (auto up = other.wait_until_up(); !up) return up;
  const std::string port = std::to_string(other.admin_port());
  // The new entry goes in before the old one leaves: an empty table is mended by itself.
  for (const Side& side : sides) {
    ask(*side.server, "INSERT INTO proxysql_servers VALUES ('127.0.0.1', " + port +
                          ", 0, 'leaving'); DELETE FROM proxysql_servers WHERE port <> " + port +
                          "; LOAD PROXYSQL SERVERS TO RUNTIME");
  }
  // Both have heard it, and how long it has been up, which the agent asks for.
  for (const Side& side : sides) {
    const bool heard = eventually(
        [&] {
          return ask(*side.server, "SELECT COUNT(*) FROM stats_proxysql_servers_metrics WHERE port = " + port +
                                       " AND Uptime_s > 0") == "1";
        },
        milliseconds(20'000));
    if (!heard) return Error{"a satellite doesn't hear of the core that is to leave; see " + side.server->log()};
  }
  ::kill(other.pid(), SIGKILL);
  time_healing(sides, core, &Sidecar::moved_s);
  return {};
}

}  // namespace

std::string find_proxysql_agent() { return output_of({"/bin/sh", "-c", "command -v proxysql-agent"}); }

Result<Comparison> compare_with_agent(const Programs& programs, const std::string& agent, const std::string& dir,
                                      std::chrono::seconds idle, std::chrono::milliseconds span) {
  Server core(programs, dir, {"shared-core", "core", "", {}, true});
  if (auto up = core.wait_until_up(); !up) return up.error();

  Comparison both;
  std::vector<Side> sides(2);
  Side& theirs = sides[0];
  Side& ours = sides[1];
  theirs.result = &both.agent;
  ours.result = &both.pulse;
  const std::string row = "{ id=1, active=1, interval_ms=500, filename=\"" + programs.pulse +
                          "\", arg1=\"beat\", arg2=\"--config=" + dir +
                          "/beside.cnf\", arg3=\"--state=" + programs.state_dir + "/beside\" }";
  const auto start = [&](Side& side, const std::string& name, const std::string& scheduler) {
    side.started_ns = monotonic_ns();
    side.server = std::make_unique<Server>(programs, dir,
                                           ServerOptions{name, "satellite", scheduler, {core.admin_port()}, false});
    return side.server->wait_until_up();
  };
  if (auto up = start(theirs, "agent", ""); !up) return up.error();
  theirs.port = test::free_port();
  const std::string log = dir + "/agent.sidecar.log";
  Child sidecar(
      {agent, "--run_mode=satellite", "--proxysql.address=127.0.0.1:" + std::to_string(theirs.server->admin_port()),
       std::string("--proxysql.username=") + kUser, std::string("--proxysql.password=") + kPassword,
       "--api.port=" + std::to_string(theirs.port), "--shutdown.draining_file=" + dir + "/agent.draining"},
      log);
  theirs.pid = sidecar.pid();
  if (auto up = start(ours, "beside", row); !up) return up.error();
  Daemon daemon(programs, *ours.server, dir + "/beside.daemon.log");
  ours.port = daemon.port();
  ours.pid = daemon.pid();

  const int64_t began = monotonic_ns();
  while (!(theirs.result->ready_s && ours.result->ready_s) &&
         seconds_since(began) < static_cast<double>(kReadyPatience.count())) {
    for (const Side& side : sides) {
      if (side.result->ready_s) continue;
      if (probe_load({side.port, 10, std::chrono::milliseconds(100), 0}).failed == 0) {
        side.result->ready_s = seconds_since(side.started_ns);
      }
    }
    pause_for(milliseconds(50));
  }
  if (!theirs.result->ready_s || !ours.result->ready_s) {
    return Error{"a sidecar doesn't get ready; the log of proxysql-agent ends with: " +
                 output_of({"tail", "-n", "3", log})};
  }

  const auto file_mb = [](const std::string& path) {
    std::error_code ignored;
    return static_cast<double>(std::filesystem::file_size(path, ignored)) / (1 << 20);
  };
  both.agent.files_mb = file_mb(agent);
  both.pulse.files_mb = file_mb(programs.pulse) + file_mb(programs.pulsed);
  pause_for(kUntilUnasked);
  for (const Side& side : sides) side.result->hour_cpu_s = -cpu_ms(side.pid);
  pause_for(idle);
  for (const Side& side : sides) {
    side.result->hour_cpu_s = (side.result->hour_cpu_s + cpu_ms(side.pid)) / static_cast<double>(idle.count()) * 3.6;
  }
  std::vector<double> beats;
  while (beats.size() < kBeats) {
    const auto cost = run_measured(ours.server->beat());
    if (!cost) return cost.error();
    if (cost->exit_code != 0 && cost->exit_code != 75) return Error{"a beat beside proxysql-agent fails"};
    if (cost->exit_code == 0) beats.push_back(cost->cpu_us);
  }
  both.pulse.beat_cpu_s = spread_of(beats).median / 1e6;

  for (const Side& side : sides) {
    side.result->healthy = probe_load({side.port, kSidecarProbes, span, 0});
    side.result->memory_mb = static_cast<double>(status_value(side.pid, "VmRSS")) / 1024;
  }
  if (auto timed = time_healings(programs, dir, sides, core.admin_port()); !timed) return timed.error();

  const auto hang = std::chrono::duration_cast<seconds>(2 * span) + seconds(15);
  for (const Side& side : sides) {
    side.result->threads_before = status_value(side.server->pid(), "Threads");
    if (auto hangs = side.server->wedge(hang); !hangs) return hangs.error();
  }
  for (const Side& side : sides) {
    side.result->wedged = probe_load({side.port, kWedgedProbes, span, 0});
    side.result->threads_after = status_value(side.server->pid(), "Threads");
  }
  for (const Side& side : sides) side.server->unwedge();
  return both;
}

}  // namespace pulse::bench
