// What beats cost the clients of a ProxySQL, by its size in memory, by who starts them and how often.
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/mariadb.h"
#include "tests/bench/measurements.h"
#include "tests/bench/peer.h"
#include "tests/bench/plot.h"
#include "tests/bench/traffic.h"

namespace pulse::bench {
namespace {

using std::chrono::minutes;

constexpr double kMostRatio = 1.2;  // of p99.9 to that of nobody
constexpr double kBarGb = 4;        // at which what is recommended has a bar
constexpr double kSpareMb = 2048;   // of memory, for MariaDB, the page cache and everybody else
constexpr milliseconds kWindow{510};
constexpr int kRunsOfAStatement = 100;

// How much of everything. Sizes grow: the same two servers go from one to the next.
struct TrafficEffort {
  std::vector<double> sizes_gb;
  int rounds;
  milliseconds span;
  milliseconds mixed;
  milliseconds most;  // no round begins later
};

// What the rounds of a case gave.
struct Sample {
  std::vector<double> p50_us, p99_us, p999_us, most_us;  // of each round
  std::vector<double> slowest_us;                        // of each half second
  std::vector<float> admin_us;                           // of all rounds
};

struct Size {
  double gb = 0;  // 0: as it started
  ResidentMemory plain, thp;
  std::vector<Sample> samples;  // of each case
  int rounds = 0;
};

struct Traffic {
  std::vector<TrafficCase> cases;
  std::vector<Size> sizes;
  std::vector<std::string> remarks;
  size_t planned = 0, failed = 0;
  std::string reason;
  std::vector<float> late_us;
};

TrafficEffort effort_of(const Effort& effort) {
  // A p99.9 is the tenth part of a percent of a round: the longer the round, the less it is chance.
  if (effort.shipped) return {{kBarGb}, 10, milliseconds(10'000), milliseconds(0), minutes(10)};
  if (effort.quick) return {{0, 1}, 2, milliseconds(2'500), milliseconds(12'000), minutes(3)};
  return {{0, 1, 4, 8}, 3, milliseconds(6'000), milliseconds(90'000), minutes(22)};
}

std::vector<TrafficCase> cases_of(const Effort& effort, bool has_mysql, bool has_agent) {
  const bool quick = effort.quick;
  std::vector<TrafficCase> cases;
  for (const bool thp : {false, true}) {
    const std::string mark = thp ? "thp: " : "";
    const auto add = [&](const std::string& what, Starter starter, int interval_ms) {
      cases.push_back({mark + what, starter, milliseconds(interval_ms), thp});
    };
    add("nothing", Starter::nobody, 0);
    if (!effort.shipped) add("scheduler, 500 ms", Starter::scheduler, 500);
    add("daemon, 2 s", Starter::daemon, static_cast<int>(kDaemonInterval.count()));
    if (effort.shipped || (quick && thp)) continue;
    add("scheduler, 2 s", Starter::scheduler, 2'000);
    if (!quick) add("scheduler, 10 s", Starter::scheduler, 10'000);
    if (has_mysql) add("bash + mysql, 2 s", Starter::script, 2'000);
    if (has_agent) add("proxysql-agent", Starter::agent, 0);
  }
  return cases;
}

double available_mb() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("MemAvailable:", 0) == 0) return std::atof(line.c_str() + 13) / 1024;
  }
  return 0;
}

std::string name_of(const Size& size) { return size.gb > 0 ? number(size.gb, 0, "GB") : "as started"; }

void allow_many_files() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8'192);
  ::setrlimit(RLIMIT_NOFILE, &files);
}

void add_round(Traffic& traffic, Sample& sample, TrafficRound& round, milliseconds span) {
  for (SqlLoad* load : {&round.traffic, &round.admin}) {
    traffic.planned += load->planned;
    if (traffic.failed == 0) traffic.reason = load->reason;
    traffic.failed += load->failed;
  }
  std::vector<double> slowest(static_cast<size_t>(span / kWindow), 0);
  for (size_t i = 0; i < round.traffic.latencies_us.size(); ++i) {
    const auto window = static_cast<size_t>(round.traffic.due_ms[i] / static_cast<float>(kWindow.count()));
    if (window >= slowest.size()) continue;
    slowest[window] = std::max(slowest[window], static_cast<double>(round.traffic.latencies_us[i]));
  }
  sample.slowest_us.insert(sample.slowest_us.end(), slowest.begin(), slowest.end());
  sample.p50_us.push_back(percentile(round.traffic.latencies_us, 0.5));
  sample.p99_us.push_back(percentile(round.traffic.latencies_us, 0.99));
  sample.p999_us.push_back(percentile(round.traffic.latencies_us, 0.999));
  sample.most_us.push_back(percentile(round.traffic.latencies_us, 1));
  std::copy(round.admin.latencies_us.begin(), round.admin.latencies_us.end(), std::back_inserter(sample.admin_us));
  std::copy(round.traffic.late_us.begin(), round.traffic.late_us.end(), std::back_inserter(traffic.late_us));
}

// All cases in turn, over and over. Fewer rounds than planned if the time is up.
Result<void> run_rounds(Traffic& traffic, Size& size, TrafficProxy& plain, TrafficProxy& thp,
                        const TrafficEffort& effort, Deadline end) {
  size.samples.resize(traffic.cases.size());
  for (; size.rounds < effort.rounds && !end.passed(); ++size.rounds) {
    for (size_t i = 0; i < traffic.cases.size(); ++i) {
      auto round = traffic_round(traffic.cases[i].thp ? thp : plain, traffic.cases[i], effort.span);
      if (!round) return round.error();
      add_round(traffic, size.samples[i], *round, effort.span);
    }
  }
  return {};
}

// Both at once, a thread each.
Result<void> fill_both(TrafficProxy& plain, TrafficProxy& thp, double gb) {
  Result<void> other;
  std::thread filler([&] { other = thp.fill(gb * 1024); });
  Result<void> own = plain.fill(gb * 1024);
  filler.join();
  return own ? other : own;
}

Result<void> run_sizes(Traffic& traffic, TrafficProxy& plain, TrafficProxy& thp, const TrafficEffort& effort,
                       Deadline end) {
  for (const double gb : effort.sizes_gb) {
    Size size;
    size.gb = gb;
    const double held_mb = plain.memory().resident_mb + thp.memory().resident_mb;
    const double missing_mb = 2 * gb * 1024 - held_mb + kSpareMb - available_mb();
    if (missing_mb > 0) {
      traffic.remarks.push_back(name_of(size) + " is left out: two ProxySQLs of that size lack " +
                                number(missing_mb / 1024, 1, "GiB") + " of free memory here.");
      continue;
    }
    if (end.passed()) {
      traffic.remarks.push_back(name_of(size) + " is left out: the time was up.");
      continue;
    }
    if (auto filled = fill_both(plain, thp, gb); !filled) return filled;
    size.plain = plain.memory();
    size.thp = thp.memory();
    if (auto ran = run_rounds(traffic, size, plain, thp, effort, end); !ran) return ran;
    if (size.rounds < effort.rounds) {
      traffic.remarks.push_back(name_of(size) + ": " + std::to_string(size.rounds) + " rounds instead of " +
                                std::to_string(effort.rounds) + ", the time was up.");
    }
    if (size.rounds > 0) traffic.sizes.push_back(std::move(size));
  }
  return {};
}

void report_size(Bench& bench, const Traffic& traffic, Size& size) {
  const auto ms = [](double us) { return number(us / 1e3, 2, "ms"); };
  const double nothing_us = spread_of(size.samples[0].p999_us).median;
  std::vector<std::vector<std::string>> rows = {{name_of(size), "p50", "p99", "p99.9", "most", "p99.9 / nothing", "bar",
                                                 "result", "admin p50", "admin p99", "admin most"}};
  for (size_t i = 0; i < traffic.cases.size(); ++i) {
    const TrafficCase& of = traffic.cases[i];
    Sample& sample = size.samples[i];
    const Spread p999 = spread_of(sample.p999_us);
    const double ratio = p999.median / nothing_us;
    const bool has_bar = of.starter == Starter::daemon && (!of.thp || size.gb == kBarGb);
    rows.push_back({of.what, ms(spread_of(sample.p50_us).median), ms(spread_of(sample.p99_us).median), show_ms(p999),
                    show_ms(spread_of(sample.most_us)), number(ratio, 2), has_bar ? "<= 1.2" : "",
                    has_bar ? bench.report.verdict(ratio <= kMostRatio, of.what + ", " + name_of(size) + ": p99.9 " +
                                                                            number(ratio, 2) + " times that of nothing")
                            : "",
                    ms(percentile(sample.admin_us, 0.5)), ms(percentile(sample.admin_us, 0.99)),
                    ms(percentile(sample.admin_us, 1))});
  }
  bench.report.table(rows);
}

// The slope of a line through the points, by least squares.
double slope_of(const std::vector<std::pair<double, double>>& points) {
  double x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [at, value] : points) {
    x += at;
    y += value;
    xx += at * at;
    xy += at * value;
  }
  const auto count = static_cast<double>(points.size());
  const double spread = count * xx - x * x;
  return spread > 0 ? (count * xy - x * y) / spread : 0;
}

// Where the case is; -1 if it isn't there.
int index_of(const Traffic& traffic, Starter starter, milliseconds interval, bool thp) {
  for (size_t i = 0; i < traffic.cases.size(); ++i) {
    const TrafficCase& of = traffic.cases[i];
    if (of.starter == starter && of.interval == interval && of.thp == thp) return static_cast<int>(i);
  }
  return -1;
}

void report_stalls(Bench& bench, const Traffic& traffic) {
  std::vector<std::vector<std::string>> rows = {
      {"ProxySQL", "resident", "in huge pages", "VmPTE", "copied", "a run's stall", "the slowest's"}};
  std::vector<std::pair<double, double>> usual, slowest;
  for (const bool thp : {false, true}) {
    const auto nothing = static_cast<size_t>(index_of(traffic, Starter::nobody, milliseconds(0), thp));
    const auto beats = static_cast<size_t>(index_of(traffic, Starter::scheduler, milliseconds(500), thp));
    for (const Size& size : traffic.sizes) {
      const Sample& with = size.samples[beats];
      const Sample& without = size.samples[nothing];
      const ResidentMemory& memory = thp ? size.thp : size.plain;
      const double stall = (spread_of(with.slowest_us).median - spread_of(without.slowest_us).median) / 1e3;
      const double most = (spread_of(with.most_us).median - spread_of(without.most_us).median) / 1e3;
      rows.push_back({name_of(size) + (thp ? ", thp" : ""), number(memory.resident_mb, 0, "MiB"),
                      number(memory.huge_mb, 0, "MiB"), number(memory.page_tables_mb, 2, "MiB"),
                      number(memory.copied_mb(), 2, "MiB"), number(stall, 1, "ms"), number(most, 1, "ms")});
      if (thp) continue;
      usual.emplace_back(memory.copied_mb(), stall);
      slowest.emplace_back(memory.copied_mb(), most);
    }
  }
  bench.report.heading("What one scheduler run costs");
  bench.report.table(rows);
  bench.report.paragraph(
      "Beats every 500 ms by the scheduler, less nothing. A run's stall: the slowest statement of a half second, the "
      "median of all half seconds. The slowest's: the slowest of a round, the median of the rounds. Copied: VmPTE "
      "less 4 KiB for each huge page, whose page table is kept in reserve, counted and not copied. By a line through "
      "the sizes without thp, a run costs " +
      number(slope_of(usual), 1, "ms") + " for each MiB that is copied, the slowest " +
      number(slope_of(slowest), 1, "ms") + ".");
}

using Rows = std::vector<std::vector<std::string>>;

// How long the admin interface is held by what a beat asks, and by what it doesn't.
Result<Rows> time_statements(const Bench& bench, TrafficProxy& proxy) {
  const std::vector<std::pair<std::string, std::string>> statements = {
      {"SELECT 1", "SELECT 1"},
      {"a beat's statement", bench.programs.statement},
      {"a beat's statement now and then", bench.programs.everything},
      {"proxysql_servers", "SELECT hostname, port FROM proxysql_servers"},
      {"runtime_proxysql_servers", "SELECT hostname, port FROM runtime_proxysql_servers"},
      {"stats_proxysql_servers_checksums", "SELECT * FROM stats_proxysql_servers_checksums"},
      {"runtime_checksums_values", "SELECT name, version, epoch, checksum FROM runtime_checksums_values"},
      {"runtime_mysql_servers, counted",
       "SELECT status, COUNT(*), hostgroup_id FROM runtime_mysql_servers GROUP BY hostgroup_id, status"},
      {"stats_mysql_global",
       "SELECT * FROM stats_mysql_global WHERE Variable_Name IN ('ProxySQL_Uptime',"
       " 'Client_Connections_connected', 'mysql_listener_paused')"},
      {"GLOBAL_VARIABLES", "SELECT variable_value FROM GLOBAL_VARIABLES WHERE variable_name = 'admin-version'"},
      {"not a beat's: runtime_global_variables", "SELECT COUNT(*) FROM runtime_global_variables"},
      {"not a beat's: stats_mysql_connection_pool", "SELECT COUNT(*) FROM stats_mysql_connection_pool"},
      {"not a beat's: stats_mysql_query_digest, counted", "SELECT COUNT(*) FROM stats_mysql_query_digest"}};
  std::vector<std::vector<double>> times_us(statements.size());
  for (size_t j = 0; j < statements.size(); ++j) {
    const bool is_long = statements[j].second.find("digest") != std::string::npos;
    for (int i = 0; i < (is_long ? kRunsOfAStatement / 10 : kRunsOfAStatement); ++i) {
      const int64_t began = monotonic_ns();
      if (auto ran = proxy.admin(statements[j].second); !ran) return ran.error();
      times_us[j].push_back(static_cast<double>(monotonic_ns() - began) / 1e3);
    }
  }
  Rows rows = {{"statement on the admin interface", "time", "beyond SELECT 1"}};
  const double floor_us = spread_of(times_us[0]).median;
  for (size_t j = 0; j < statements.size(); ++j) {
    const Spread time = spread_of(times_us[j]);
    rows.push_back({statements[j].first, show_ms(time),
                    j == 0 ? "" : number(std::max(0.0, time.median - floor_us) / 1e3, 2, "ms")});
  }
  return rows;
}

void report_statements(Bench& bench, const Rows& rows) {
  bench.report.heading("How long a beat's statement holds the admin interface");
  bench.report.table(rows);
  bench.report.paragraph(
      "With " + std::to_string(kBackends) + " backends and " + std::to_string(kThousandDigests) +
      ",000 digests, over a connection that is there, one after the other. All statements of all clients of "
      "the admin interface share one mutex: what one of them takes beyond SELECT 1, others wait.");
}

Result<void> report_mixed_load(Bench& bench, uint16_t backend_port, milliseconds span) {
  auto mixed = mixed_load(bench.programs, bench.dir.path(), backend_port, span);
  if (!mixed) return mixed.error();
  bench.report.heading("What huge pages do to resident memory");
  Rows rows = {{"MALLOC_CONF", "statements", "resident", "in huge pages", "at most", "VmPTE", "copied"}};
  for (const MixedLoad& load : *mixed) {
    const std::string conf = load.malloc_conf.substr(load.malloc_conf.find('=') + 1);
    rows.push_back({conf.empty() ? "none" : conf, std::to_string(load.statements),
                    number(load.memory.resident_mb, 0, "MiB"), number(load.memory.huge_mb, 0, "MiB"),
                    number(load.most_huge_mb, 0, "MiB"), number(load.memory.page_tables_mb, 2, "MiB"),
                    number(load.memory.copied_mb(), 2, "MiB")});
  }
  bench.report.table(rows);
  bench.report.paragraph(
      "Three servers under the same statements for " + std::to_string(span.count() / 1000) +
      " s: results of up to 2 KB, each tenth up to 200 KB, half of them cached for two seconds, and a new connection "
      "for each twentieth. At most: in huge pages on the way. What the allocator gives back to the kernel splits huge "
      "pages. An hour was not measured.");
  return {};
}

void plot_traffic(Bench& bench, const Traffic& traffic) {
  struct Drawn {
    const char* name;
    const char* colour;
    Starter starter;
    int interval_ms;
    bool thp;
  };
  static constexpr Drawn kDrawn[] = {{"scheduler, 500 ms", "#d62728", Starter::scheduler, 500, false},
                                     {"scheduler, 2 s", "#ff9f1c", Starter::scheduler, 2'000, false},
                                     {"bash + mysql, 2 s", "#9467bd", Starter::script, 2'000, false},
                                     {"nothing", "#888888", Starter::nobody, 0, false},
                                     {"daemon, 2 s", "#1f77b4", Starter::daemon, 2'000, false},
                                     {"daemon, 2 s, thp", "#2a9d4a", Starter::daemon, 2'000, true}};
  Panel usual{"p99.9 of the clients, ms, by resident GB", {}};
  Panel most{"the slowest statement, ms, by resident GB", {}};
  for (const Drawn& drawn : kDrawn) {
    const int at = index_of(traffic, drawn.starter, milliseconds(drawn.interval_ms), drawn.thp);
    if (at < 0) continue;
    Line line{drawn.name, drawn.colour, {}}, slowest = line;
    for (const Size& size : traffic.sizes) {
      const Sample& sample = size.samples[static_cast<size_t>(at)];
      const double gb = size.plain.resident_mb / 1024;
      line.points.emplace_back(gb, spread_of(sample.p999_us).median / 1e3);
      slowest.points.emplace_back(gb, spread_of(sample.most_us).median / 1e3);
    }
    usual.lines.push_back(std::move(line));
    most.lines.push_back(std::move(slowest));
  }
  bench.plot = plot_svg("What beats cost the clients of a ProxySQL, by its size", {usual, most}, "GB");
}

void report_traffic(Bench& bench, Traffic& traffic, const TrafficEffort& effort) {
  bench.report.heading("What beats cost the traffic");
  bench.report.paragraph(
      number(kStatementsPerSecond, 0) + " statements a second (SELECT 1, through ProxySQL to MariaDB) over " +
      std::to_string(kBusyConnections) + " connections, " + std::to_string(kIdleConnections) + " more idle ones, " +
      std::to_string(kBackends) + " backends, " + std::to_string(kThousandDigests) +
      ",000 digests. Latency is from the instant at which a statement was due. In turns, " +
      std::to_string(effort.rounds) + " rounds of " + number(static_cast<double>(effort.span.count()) / 1e3, 1, "s") +
      " of each row: the median of the rounds, with their range. Resident: filled by the query cache. nothing: nobody "
      "starts anything. scheduler: ProxySQL's scheduler starts beats that often; bash + mysql: it starts a script with "
      "the mysql client instead. daemon: proxysql-pulsed starts the beats, ProxySQL's scheduler nothing. thp: " +
      std::string(kThpAlways) + " in ProxySQL's environment. admin: meanwhile, " +
      number(kAdminStatementsPerSecond, 0) + " times a second SELECT 1 on the admin interface, of all rounds.");
  for (Size& size : traffic.sizes) report_size(bench, traffic, size);
  for (const std::string& remark : traffic.remarks) bench.report.paragraph(remark);
  bench.report.paragraph(std::to_string(traffic.failed) + " of " + std::to_string(traffic.planned) +
                         " statements failed" + (traffic.failed > 0 ? " (" + traffic.reason + ")" : "") +
                         ". The load generator came to send 99.9% of them " +
                         number(percentile(traffic.late_us, 0.999) / 1e3, 2, "ms") +
                         " late at most, which is the machine's own doing or a wait for a free connection.");
}

}  // namespace

Result<void> measure_traffic(Bench& bench) {
  const TrafficEffort effort = effort_of(bench.effort);
  const Deadline end = Deadline::after(effort.most);
  if (!bench.programs.real) return Error{"--traffic needs a real ProxySQL: set PROXYSQL_BIN"};
  const std::string mariadb = MariaDb::find();
  if (mariadb.empty()) return Error{"--traffic needs MariaDB's server in PATH: install mariadb-server"};
  allow_many_files();
  MariaDb backend(mariadb, bench.dir.path());
  if (auto up = backend.wait_until_up(); !up) return up;

  Rows statements;
  const std::string agent = find_proxysql_agent();
  Traffic traffic;
  traffic.cases = cases_of(bench.effort, std::ifstream("/usr/bin/mysql").good(), !agent.empty());
  bench.report.item("Backend: " + output_of({mariadb, "--no-defaults", "--version"}) +
                    "; huge pages of this kernel: " + read_file("/sys/kernel/mm/transparent_hugepage/enabled"));
  {
    TrafficProxy plain(bench.programs, bench.dir.path(), false, backend.port(), agent);
    if (auto up = plain.start(); !up) return up;
    TrafficProxy thp(bench.programs, bench.dir.path(), true, backend.port(), agent);
    if (auto up = thp.start(); !up) return up;
    if (!bench.effort.shipped) {
      auto timed = time_statements(bench, plain);
      if (!timed) return timed.error();
      statements = std::move(*timed);
    }
    if (auto ran = run_sizes(traffic, plain, thp, effort, end); !ran) return ran;
  }
  if (traffic.sizes.empty()) return Error{"no size could be measured: " + traffic.remarks.front()};
  report_traffic(bench, traffic, effort);
  plot_traffic(bench, traffic);
  if (bench.effort.shipped) return {};
  report_stalls(bench, traffic);
  report_statements(bench, statements);
  return report_mixed_load(bench, backend.port(), effort.mixed);
}

}  // namespace pulse::bench
