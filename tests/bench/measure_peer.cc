// Beside proxysql-agent, where it is installed.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/peer.h"

namespace pulse::bench {

// Nothing where it isn't installed.
Result<void> measure_peer(Bench& bench) {
  const std::string agent = find_proxysql_agent();
  if (agent.empty()) return {};
  auto both =
      compare_with_agent(bench.programs, agent, bench.dir.path(), bench.effort.idle_span, bench.effort.load_span);
  if (!both) return both.error();
  bench.report.heading("Beside proxysql-agent");
  const auto ms = [](double us) { return number(us / 1e3, 2, "ms"); };
  const auto failed = [](const LoadResult& load) {
    return std::to_string(load.failed) + " of " + std::to_string(load.planned);
  };
  const auto after = [](const std::optional<double>& s, std::chrono::seconds patience) {
    return s ? number(*s, 1, "s") : "not within " + std::to_string(patience.count()) + " s";
  };
  std::vector<std::vector<std::string>> rows = {{"", "proxysql-agent", "ProxySQL Pulse"}};
  const auto add = [&](const std::string& what, const std::function<std::string(const Sidecar&)>& of) {
    rows.push_back({what, of(both->agent), of(both->pulse)});
  };
  add("programs on disk", [&](const Sidecar& of) { return number(of.files_mb, 1, "MiB"); });
  add("ready, from the start of ProxySQL", [&](const Sidecar& of) { return after(of.ready_s, kReadyPatience); });
  add("memory", [&](const Sidecar& of) { return number(of.memory_mb, 1, "MiB"); });
  add("CPU of an hour without probes, of what stays", [&](const Sidecar& of) { return number(of.hour_cpu_s, 2, "s"); });
  const auto with_beats = [&](double beats) {
    return [beats](const Sidecar& of) {
      return of.beat_cpu_s > 0 ? number(of.hour_cpu_s + of.beat_cpu_s * beats, 2, "s") : std::string();
    };
  };
  add("the same with 360 beats, the agent's looks", with_beats(360));
  add("the same with 7,200 beats", with_beats(7200));
  add("/healthz/ready: p50", [&](const Sidecar& of) { return ms(of.healthy.p50_us); });
  add("/healthz/ready: p99", [&](const Sidecar& of) { return ms(of.healthy.p99_us); });
  add("/healthz/ready: failed", [&](const Sidecar& of) { return failed(of.healthy); });
  add("proxysql_servers was emptied: healed after",
      [&](const Sidecar& of) { return after(of.emptied_s, kHealPatience); });
  add("the only core that it knew died: healed after",
      [&](const Sidecar& of) { return after(of.moved_s, kHealPatience); });
  add("admin interface hangs: /healthz/ready failed", [&](const Sidecar& of) { return failed(of.wedged); });
  add("admin interface hangs: p50",
      [&](const Sidecar& of) { return of.wedged.failed == of.wedged.planned ? "none" : ms(of.wedged.p50_us); });
  add("admin interface hangs: threads of ProxySQL",
      [&](const Sidecar& of) { return std::to_string(of.threads_before) + " -> " + std::to_string(of.threads_after); });
  bench.report.table(rows);
  bench.report.paragraph(
      "Each beside a satellite of its own, both of the same core: proxysql-agent with its defaults, with which it "
      "looks every 10 s; a beat every 500 ms, which ProxySQL's scheduler starts. Memory is of what answers probes. "
      "The CPU of an hour is reckoned from " +
      std::to_string(bench.effort.idle_span.count()) +
      " s, and from the median of 50 beats; the agent's looks are in what stays. Probes: GET /healthz/ready, " +
      number(kSidecarProbes, 0) + "/s over new connections, then " + number(kWedgedProbes, 0) +
      "/s while every statement on the admin interface hangs; " +
      std::to_string(bench.effort.load_span.count() / 1000) +
      " s each. Failed: no 200 within 5 s. Healed: the satellite has the core of its configuration file again.");
  return {};
}

}  // namespace pulse::bench
