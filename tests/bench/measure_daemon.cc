// The probe daemon under load, with a healthy and with an unresponsive admin interface, and when nobody asks anything.
#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/http_load.h"
#include "tests/bench/measurements.h"
#include "tests/loopback.h"

namespace pulse::bench {
namespace {

struct LoadCase {
  std::string what;
  double rate;
  size_t kept;
  double p99_most_ms;  // 0: none
  bool rate_is_a_bar;
};

void add_result(Bench& bench, std::vector<std::vector<std::string>>& rows, const LoadCase& load,
                const LoadResult& result) {
  const bool rate_met = result.rate >= load.rate * 0.995;
  const bool p99_met = load.p99_most_ms == 0 || result.p99_us < load.p99_most_ms * 1e3;
  const bool met = result.failed == 0 && p99_met && (rate_met || !load.rate_is_a_bar);
  std::string bar = load.p99_most_ms > 0 ? "p99 < " + number(load.p99_most_ms, 0, "ms") : "rate";
  bar += ", no failure";
  const auto ms = [](double us) { return number(us / 1e3, 2, "ms"); };
  rows.push_back({load.what, number(result.rate, 0) + " /s", ms(result.p50_us), ms(result.p99_us), ms(result.p999_us),
                  ms(result.most_us), ms(result.late_p99_us),
                  std::to_string(result.failed) + " of " + std::to_string(result.planned), bar,
                  bench.report.verdict(met, load.what + (result.reason.empty() ? "" : " (" + result.reason + ")"))});
}

void add_load(Bench& bench, std::vector<std::vector<std::string>>& rows, const Daemon& daemon, const LoadCase& load) {
  add_result(bench, rows, load, probe_load({daemon.port(), load.rate, bench.effort.load_span, load.kept}));
}

// The same while /metrics is scraped 20 times a second.
void add_scraped_load(Bench& bench, std::vector<std::vector<std::string>>& rows, const Daemon& daemon, LoadCase load) {
  constexpr double kScrapes = 20;
  LoadResult scraped;
  std::thread scraper([&] { scraped = probe_load({daemon.port(), kScrapes, bench.effort.load_span, 0, "/metrics"}); });
  load.what += ", scraped";
  add_load(bench, rows, daemon, load);
  scraper.join();
  add_result(bench, rows, {"the scrapes: 20/s, GET /metrics", kScrapes, 0, 0, false}, scraped);
}

// So many that memory which isn't given back would show.
double add_many(Bench& bench, std::vector<std::vector<std::string>>& rows, const Daemon& daemon) {
  constexpr double kRate = 20'000;
  const LoadResult result = probe_load({daemon.port(), kRate, bench.effort.many_span, 32});
  const auto ms = [](double us) { return number(us / 1e3, 2, "ms"); };
  rows.push_back({"20,000/s, 32 kept connections, for " + std::to_string(bench.effort.many_span.count() / 1000) + " s",
                  number(result.rate, 0) + " /s", ms(result.p50_us), ms(result.p99_us), ms(result.p999_us),
                  ms(result.most_us), ms(result.late_p99_us),
                  std::to_string(result.failed) + " of " + std::to_string(result.planned), "no failure",
                  bench.report.verdict(result.failed == 0, "a million probes")});
  return static_cast<double>(result.planned);
}

// The daemon and a hand-written poll() server in turns, so that whatever the machine does meanwhile happens to both.
Result<void> add_beside_floor(Bench& bench, std::vector<std::vector<std::string>>& rows, const Daemon& daemon,
                              const LoadCase& load) {
  constexpr int kRounds = 5;
  constexpr double kMostRatio = 1.3;
  const uint16_t port = test::free_port();
  const Child floor({bench.programs.floor, std::to_string(port)}, bench.dir / "floor.log");
  if (!eventually([port] { return bool(test::connect_loopback(port)); }, milliseconds(5'000))) {
    return Error{"probe-floor doesn't listen"};
  }
  struct Side {
    uint16_t port;
    std::vector<double> p50_us, p99_us;
  };
  Side sides[] = {{daemon.port(), {}, {}}, {port, {}, {}}};
  const auto span = bench.effort.load_span / 5;
  for (int i = 0; i < kRounds; ++i) {
    for (Side& side : sides) {
      const LoadResult result = probe_load({side.port, load.rate, span, load.kept});
      if (result.failed > 0) return Error{load.what + ": a probe failed: " + result.reason};
      side.p50_us.push_back(result.p50_us);
      side.p99_us.push_back(result.p99_us);
    }
  }
  const auto add = [&](const std::string& what, const std::vector<double>& ours, const std::vector<double>& theirs) {
    const double ratio = spread_of(ours).median / spread_of(theirs).median;
    rows.push_back({what, show_ms(spread_of(ours)), show_ms(spread_of(theirs)), number(ratio, 2), "<= 1.3",
                    bench.report.verdict(ratio <= kMostRatio, what + " / probe-floor: " + number(ratio, 2))});
  };
  add(load.what + ", p50", sides[0].p50_us, sides[1].p50_us);
  add(load.what + ", p99", sides[0].p99_us, sides[1].p99_us);
  return {};
}

// What a pair costs that nobody asks anything: a beat every 500 ms, and the daemon's own looks.
Result<void> measure_hour(Bench& bench, const Server& server, const Daemon& daemon) {
  constexpr double kBeatsPerHour = 7200;
  constexpr double kMostOfDaemon = 0.3;
  const double idle_s = std::chrono::duration<double>(bench.effort.idle_span).count();
  if (!eventually([&] { return daemon.state() == "beating"; }, milliseconds(40'000))) {
    return Error{"the daemon's state is " + daemon.state() + " after the wedge instead of beating"};
  }
  std::this_thread::sleep_for(kUntilUnasked);
  const auto before = cpu_ms(daemon.pid());
  std::this_thread::sleep_for(bench.effort.idle_span);
  const double of_daemon = (cpu_ms(daemon.pid()) - before) / idle_s * 3.6;
  std::vector<double> beats;
  for (int i = 0; i < 50; ++i) {
    const auto cost = run_measured(server.beat());
    if (!cost) return cost.error();
    if (cost->exit_code == 0) beats.push_back(cost->cpu_us);
  }
  bench.report.heading("An hour of a pair that runs");
  const double of_beat_s = spread_of(beats).median / 1e6;
  bench.report.table(
      {{"", "CPU", "memory", "bar", "result"},
       {"proxysql-pulse, 7,200 beats", number(of_beat_s * kBeatsPerHour, 2, "s"), "none between beats", "", ""},
       {"proxysql-pulse, 360 beats", number(of_beat_s * 360, 2, "s"), "none between beats", "", ""},
       {"proxysql-pulsed, without probes", number(of_daemon, 2, "s"),
        number(static_cast<double>(status_value(daemon.pid(), "VmRSS")) / 1024, 2, "MiB"), "<= 0.3 s",
        bench.report.verdict(of_daemon <= kMostOfDaemon, "CPU of the daemon in an hour")}});
  bench.report.paragraph("Reckoned from the median of 50 beats, and from " + number(idle_s, 0, "s") +
                         " of the daemon.");
  return {};
}

}  // namespace

Result<void> measure_daemon(Bench& bench) {
  const std::string row = "{ id=1, active=1, interval_ms=500, filename=\"" + bench.programs.pulse +
                          "\", arg1=\"beat\", arg2=\"--config=" + (bench.dir / "probed.cnf") +
                          "\", arg3=\"--state=" + bench.programs.state_dir + "/probed\" }";
  Server server(bench.programs, bench.dir.path(), {"probed", "core", row, {}, true});
  if (auto up = server.wait_until_up(); !up) return up;
  Daemon daemon(bench.programs, server, bench.dir / "probed.daemon.log");
  if (auto ready = daemon.wait_until_ready(); !ready) return ready;

  std::vector<std::vector<std::string>> rows = {
      {"GET /healthz/ready", "answered", "p50", "p99", "p99.9", "most", "late p99", "failed", "bar", "result"}};
  std::vector<std::vector<std::string>> beside = {
      {"GET /healthz/ready", "proxysql-pulsed", "probe-floor", "ratio", "bar", "result"}};
  const LoadCase fresh{"1,000/s, new connections", 1'000, 0, 0, false};
  const LoadCase kept{"20,000/s, 32 kept connections", 20'000, 32, 0, true};
  const auto wedged = [](LoadCase load) {
    load.what += ", wedged";
    return load;
  };
  add_load(bench, rows, daemon, fresh);
  add_scraped_load(bench, rows, daemon, fresh);
  add_load(bench, rows, daemon, kept);
  add_scraped_load(bench, rows, daemon, kept);
  add_load(bench, rows, daemon, {"2,000/s, 1 kept connection", 2'000, 1, 0, false});
  add_load(bench, rows, daemon, {"10,000/s, 16 kept connections", 10'000, 16, 0, false});
  add_load(bench, rows, daemon, {"20,000/s, 256 kept connections", 20'000, 256, 0, false});
  {
    const Crowd crowd(daemon.port(), 512, 64);
    const timespec settle{1, 500'000'000};
    ::nanosleep(&settle, nullptr);
    add_load(bench, rows, daemon, {"100/s, new connections, hostile crowd", 100, 0, 20, false});
  }
  for (const LoadCase& load : {fresh, kept}) {
    if (auto added = add_beside_floor(bench, beside, daemon, load); !added) return added;
  }
  const auto span =
      std::chrono::duration_cast<std::chrono::seconds>(6 * bench.effort.load_span) + std::chrono::seconds(10);
  if (auto hangs = server.wedge(span); !hangs) return hangs;
  if (!eventually([&] { return daemon.state() == "admin_unresponsive"; }, milliseconds(5'000))) {
    return Error{"the daemon's state is " + daemon.state() + " under a wedge instead of admin_unresponsive"};
  }
  add_load(bench, rows, daemon, wedged(fresh));
  add_load(bench, rows, daemon, wedged(kept));
  for (const LoadCase& load : {fresh, kept}) {
    if (auto added = add_beside_floor(bench, beside, daemon, wedged(load)); !added) return added;
  }
  const std::string state = daemon.state();
  server.unwedge();
  if (state != "admin_unresponsive") return Error{"the wedge ended early: the daemon's state is " + state};

  const double asked = add_many(bench, rows, daemon);

  bench.report.heading("Probes");
  bench.report.table(rows);
  bench.report.paragraph(
      "Latency is from the instant at which a request was due; late is how much of it had passed before the load "
      "generator came to begin the request, which is the machine's own doing. Wedged: every statement on the admin "
      "interface hangs "
      "meanwhile. Hostile crowd: 512 half-open connections and 64 senders of one byte per second, each opened again "
      "as soon as it is closed.");
  bench.report.table(beside);
  bench.report.paragraph(
      "probe-floor is a server written by hand that answers every request with the same 200, by one thread and poll(): "
      "the least that a probe can cost here. In turns, five rounds of each.");
  const auto rss = static_cast<double>(status_value(daemon.pid(), "VmRSS"));
  const auto anonymous = static_cast<double>(status_value(daemon.pid(), "RssAnon"));
  bench.report.table(
      {{"proxysql-pulsed after " + number(asked / 1e6, 1) + " million probes more", "memory", "bar", "result"},
       {"resident", number(rss / 1024, 2, "MiB"), "<= 10 MB",
        bench.report.verdict(rss * 1024 <= 10e6, "resident memory of the daemon")},
       {"of it anonymous", number(anonymous / 1024, 2, "MiB"), "<= 2 MB",
        bench.report.verdict(anonymous * 1024 <= 2e6, "anonymous memory of the daemon")}});
  return measure_hour(bench, server, daemon);
}

}  // namespace pulse::bench
