// What ProxySQL Pulse costs, side by side with what it replaces, and whether the bars are met. Started by ./run.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"
#include "tests/bench/http_load.h"
#include "tests/bench/members.h"
#include "tests/bench/peer.h"
#include "tests/bench/pile_up.h"
#include "tests/bench/plot.h"
#include "tests/bench/process.h"
#include "tests/bench/report.h"
#include "tests/bench/server.h"
#include "tests/loopback.h"
#include "tests/temp_dir.h"

namespace pulse::bench {
namespace {

constexpr int kPatientTimeoutMs = 5000;  // so that a busy machine costs time and not the measurement
constexpr int kSkipped = 75;             // a beat's exit code when another one holds the lock

// How much of everything.
struct Effort {
  int beat_pairs = 300;
  int cli_pairs = 60;
  int busy_pairs = 500;
  int dump_pairs = 3;
  std::chrono::milliseconds load_span{10'000};
  std::chrono::milliseconds many_span{50'000};
  std::chrono::seconds pile_span{60};
};
constexpr Effort kQuick{
    100, 20, 200, 1, std::chrono::milliseconds{3'000}, std::chrono::milliseconds{10'000}, std::chrono::seconds{10}};

struct Pair {
  std::vector<double> wall_a, wall_b, cpu_a, cpu_b;
};

// A B A B ..., so that whatever else the machine does meanwhile happens to both.
Result<Pair> run_pairs(const Argv& a, int exit_code_a, const Argv& b, int count, int warm_up = 3) {
  Pair pair;
  for (int i = -warm_up; i < count; ++i) {
    for (const bool first : {true, false}) {
      const Argv& argv = first ? a : b;
      auto cost = run_measured(argv);
      if (!cost) return cost.error();
      const int expected = first ? exit_code_a : 0;
      if (cost->exit_code != expected) {
        return Error{argv[0] + " ended with " + std::to_string(cost->exit_code) + " instead of " +
                     std::to_string(expected)};
      }
      if (i < 0) continue;
      (first ? pair.wall_a : pair.wall_b).push_back(cost->wall_us);
      (first ? pair.cpu_a : pair.cpu_b).push_back(cost->cpu_us);
    }
  }
  return pair;
}

// What stands between `key` and the first of `ends` after it.
std::string value_of(const std::string& text, const std::string& key, const char* ends) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return text.substr(begin, text.find_first_of(ends, begin) - begin);
}

std::string first_line_with(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// The share of all cores that is busy now, in percent, over one second.
double busy_percent() {
  const auto read = [](double& busy, double& all) {
    std::ifstream file("/proc/stat");
    std::string word;
    file >> word;
    busy = all = 0;
    double ticks = 0;
    for (int i = 0; i < 8 && file >> ticks; ++i) {
      all += ticks;
      if (i != 3 && i != 4) busy += ticks;  // idle, iowait
    }
  };
  double busy_before, all_before, busy, all;
  read(busy_before, all_before);
  const timespec pause{1, 0};
  ::nanosleep(&pause, nullptr);
  read(busy, all);
  return all > all_before ? 100 * (busy - busy_before) / (all - all_before) : 0;
}

// A directory in memory, gone with its owner.
class MemoryDir {
 public:
  MemoryDir() {
    char name[] = "/dev/shm/pulse-bench.XXXXXX";
    if (::mkdtemp(name) != nullptr) path_ = name;
  }
  MemoryDir(const MemoryDir&) = delete;
  MemoryDir& operator=(const MemoryDir&) = delete;
  ~MemoryDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Bench {
 public:
  Bench(Programs programs, Effort effort) : programs_(std::move(programs)), effort_(effort) {
    programs_.state_dir = in_memory_.path();
  }

  Result<void> run() {
    if (programs_.state_dir.empty()) return Error{"no directory can be made in /dev/shm"};
    install_programs();
    describe_machine();
    using Part = Result<void> (Bench::*)();
    for (const Part part :
         {&Bench::measure_beats, &Bench::measure_busy_beats, &Bench::measure_members, &Bench::measure_dump,
          &Bench::measure_daemon, &Bench::measure_peer, &Bench::measure_pile_up}) {
      if (auto done = (this->*part)(); !done) return done;
    }
    return {};
  }

  const Report& report() const { return report_; }
  // Of the pile-up, as SVG.
  const std::string& plot() const { return plot_; }

  // Ends everything that was started and removes all files, for whoever interrupts a run.
  void abandon() const {
    for (const pid_t pid : descendants(::getpid())) ::kill(pid, SIGKILL);
    std::error_code ignored;
    for (const std::string& path : {dir_.path(), in_memory_.path()}) std::filesystem::remove_all(path, ignored);
  }

 private:
  // Copied, as an installation does it: what a linker has just written lies in memory in smaller pieces, which costs
  // each start of a large program more.
  void install_programs() {
    for (std::string* program : {&programs_.pulse, &programs_.pulsed, &programs_.raw_beat, &programs_.noop}) {
      const std::string to = dir_ / std::filesystem::path(*program).filename();
      std::filesystem::copy_file(*program, to);
      *program = to;
    }
  }

  void describe_machine() {
    utsname kernel{};
    ::uname(&kernel);
    const bool is_virtual = read_file("/proc/cpuinfo").find(" hypervisor") != std::string::npos;
    report_.item("Machine: " + std::to_string(std::thread::hardware_concurrency()) + " cores, " +
                 first_line_with("/proc/cpuinfo", "model name") + (is_virtual ? ", virtual" : "") + ", " +
                 std::to_string(memory_gib()) + " GiB; " + kernel.sysname + " " + kernel.release +
                 "; busy with other things before: " + number(busy_percent(), 0) + "%");
    // Log lines may come first.
    const std::string said = programs_.real ? output_of({programs_.server, "--version"}) : "";
    const std::string version = said.substr(said.rfind('\n') + 1);
    report_.item("Server: " +
                 (programs_.real ? version : std::string("proxysql-double, the test double of this tree")));
    report_.item("Programs: " + output_of({programs_.pulse, "--version"}) + ", preset release, static, GCC " +
                 __VERSION__ + "; client: " + output_of({"mysql", "--version"}));
    report_.paragraph(
        "\nTimes are medians of paired runs (A B A B ...), with their range. Wall time is from before the spawn "
        "until the end was seen, CPU time is the kernel's own account of the process, to the nanosecond, from its "
        "first "
        "instruction after the fork to its end. Everything is on loopback.");
  }

  static int64_t memory_gib() {
    return std::atoll(first_line_with("/proc/meminfo", "MemTotal").c_str()) / (1 << 20) + 1;
  }

  std::vector<std::vector<std::string>> comparison_header() const {
    return {{"", "proxysql-pulse", "compared with", "ratio", "bar", "result"}};
  }

  void add_comparison(std::vector<std::vector<std::string>>& rows, const std::string& what,
                      const std::vector<double>& ours, const std::vector<double>& theirs, double most_ratio) {
    const Spread a = spread_of(ours);
    const Spread b = spread_of(theirs);
    const double ratio = a.median / b.median;
    rows.push_back({what, show_ms(a), show_ms(b), number(ratio, 2), most_ratio > 0 ? "<= " + number(most_ratio, 1) : "",
                    most_ratio > 0 ? report_.verdict(ratio <= most_ratio, what + ": " + number(ratio, 2)) : ""});
  }

  void add_times_faster(std::vector<std::vector<std::string>>& rows, const std::string& what, const Pair& pair,
                        bool has_bar) {
    const Spread a = spread_of(pair.wall_a);
    const Spread b = spread_of(pair.wall_b);
    const double times = b.median / a.median;
    rows.push_back({what, show_ms(a), show_ms(b), number(times, 1) + " times faster", has_bar ? ">= 10" : "",
                    has_bar ? report_.verdict(times >= 10, what + ": " + number(times, 1) + " times") : ""});
  }

  // Waits until a beat has nothing to do but to look, and makes sure that raw-beat asks the very same. The real server
  // can't tell what it was asked: there the time must do.
  Result<void> wait_until_quiet(const Server& server) {
    if (programs_.real) {
      const timespec settle{3, 0};
      ::nanosleep(&settle, nullptr);
      return {};
    }
    const auto only_statement_of = [&](const Argv& argv) -> std::string {
      const std::string before = value_of(server.control("stats"), "\"last_statement\":", ",}");
      const auto cost = run_measured(argv);
      if (!cost || cost->exit_code != 0) return "";
      const std::string journal = server.control("statements " + before);
      const std::string key = "\"text\":\"";
      const bool one = journal.find(key) != std::string::npos && journal.find(key) == journal.rfind(key);
      return one ? value_of(journal, key, "\"") : "";
    };
    std::string of_beat, of_raw_beat;
    const bool same = eventually(
        [&] {
          of_beat = only_statement_of(server.beat());
          of_raw_beat = only_statement_of(server.raw_beat());
          return !of_beat.empty() && of_beat == of_raw_beat;
        },
        milliseconds(20'000));
    if (!same) return Error{"a beat and raw-beat don't ask the same: \"" + of_beat + "\", \"" + of_raw_beat + "\""};
    return {};
  }

  Result<void> measure_beats() {
    Server core(programs_, dir_.path(), {"core", "core", "", {}, true, kPatientTimeoutMs});
    if (auto up = core.wait_until_up(); !up) return up;
    Server satellite(programs_, dir_.path(),
                     {"satellite", "satellite", "", {core.admin_port()}, false, kPatientTimeoutMs});
    if (auto up = satellite.wait_until_up(); !up) return up;
    for (const Server* server : {&core, &satellite}) {
      if (auto quiet = wait_until_quiet(*server); !quiet) return quiet;
    }
    report_.heading("A beat");
    auto rows = comparison_header();
    for (const Server* server : {&satellite, &core}) {
      const std::string what = server == &satellite ? "satellite" : "core";
      auto pair = run_pairs(server->beat(), 0, server->raw_beat(), effort_.beat_pairs);
      if (!pair) return pair.error();
      add_comparison(rows, "quiet beat of a " + what + ", wall / raw-beat", pair->wall_a, pair->wall_b, 1.5);
      add_comparison(rows, "quiet beat of a " + what + ", CPU / raw-beat", pair->cpu_a, pair->cpu_b, 1.5);
    }
    // The bar is about the client as it is by default, which depends on its version and on the server: it is asked.
    Argv status = satellite.mysql("\\s");
    const bool tls = output_of(status).find("Cipher in use") != std::string::npos;
    auto usual = run_pairs(satellite.beat(), 0, satellite.mysql(programs_.statement), effort_.cli_pairs);
    if (!usual) return usual.error();
    add_times_faster(rows, std::string("quiet beat, wall / mysql, default: ") + (tls ? "TLS" : "no TLS"), *usual, tls);
    if (tls) {
      auto plain =
          run_pairs(satellite.beat(), 0, satellite.mysql(programs_.statement, {"--skip-ssl"}), effort_.cli_pairs);
      if (!plain) return plain.error();
      add_times_faster(rows, "quiet beat, wall / mysql --skip-ssl", *plain, false);
    } else {
      rows.push_back({"quiet beat, wall / mysql with TLS", "", "", "", ">= 10", "not offered"});
    }
    int64_t peak = 0;
    for (int i = 0; i < 5; ++i) {
      auto kb = peak_memory_kb(satellite.beat());
      if (!kb) return kb.error();
      peak = std::max(peak, *kb);
    }
    const double peak_mb = static_cast<double>(peak) / 1024;
    rows.push_back({"quiet beat, peak memory", number(peak_mb, 2, "MiB"), "", "", "<= 6 MB",
                    report_.verdict(static_cast<double>(peak) * 1024 <= 6e6, "peak memory of a beat")});
    report_.table(rows);
    report_.paragraph(
        "raw-beat is the same conversation (login, the same statement, its whole result, goodbye) written by hand over "
        "a socket, static, with no library but the C library; mysql is one call of the command line client with the "
        "same statement. The bar is for that client with TLS, where client and "
        "server agree on it by default; the double offers none.");
    return {};
  }

  // A live beat holds the lock: one whose admin interface is a socket that never says a word.
  Result<void> measure_busy_beats() {
    const UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const uint16_t port = test::free_port();
    const sockaddr_in address = test::loopback_address(port);
    if (::bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(silent.get(), 16) != 0) {
      return system_error("listen for the beat that holds the lock", errno);
    }
    const std::string config = dir_.write("busy.cnf", "pulse={ role=\"core\", admin={ port=" + std::to_string(port) +
                                                          ", user=\"u\", password=\"p\" } }\n");
    const Argv beat = {programs_.pulse, "beat", "--config=" + config, "--state=" + programs_.state_dir + "/busy"};
    Argv long_beat = beat;
    long_beat.push_back("--timeout-ms=60000");
    const Child holder(long_beat, dir_ / "holder.log");
    const bool held = eventually(
        [&] {
          const auto cost = run_measured(beat);
          return cost && cost->exit_code == kSkipped;
        },
        milliseconds(5'000));
    if (!held) return Error{"no beat holds the lock; " + read_file(dir_ / "holder.log")};
    auto pair = run_pairs(beat, kSkipped, {programs_.noop}, effort_.busy_pairs);
    if (!pair) return pair.error();
    report_.heading("A beat that finds the lock taken");
    auto rows = comparison_header();
    add_comparison(rows, "skipped beat, wall / static no-op", pair->wall_a, pair->wall_b, 2);
    add_comparison(rows, "skipped beat, CPU / static no-op", pair->cpu_a, pair->cpu_b, 0);
    report_.table(rows);
    return {};
  }

  // A million digests into a file, with fsync here and without it there.
  Result<void> measure_dump() {
    Server server(programs_, dir_.path(), {"dump", "satellite", "", {}, false, kPatientTimeoutMs});
    if (auto up = server.wait_until_up(); !up) return up;
    if (programs_.real) {
      auto filled = run_measured(server.mysql("PROXYSQLTEST 1 1000"));
      if (!filled || filled->exit_code != 0) return Error{"PROXYSQLTEST can't fill the digest table"};
    } else {
      server.control("digests 1000000");
    }
    const std::string files = dir_ / "dumps";
    std::filesystem::create_directories(files);
    const auto in_shell = [&](const Argv& argv) {
      std::string command;
      for (const std::string& word : argv) command += "'" + word + "' ";
      return Argv{"/bin/sh", "-c", "rm -f " + files + "/*; exec " + command + "> " + files + "/out"};
    };
    const Argv dump = {programs_.pulse, "dump", "--config=" + server.config(), "--output=" + files,
                       "--timeout-ms=600000"};
    const Argv mysql = server.mysql("SELECT * FROM stats_mysql_query_digest", {"--batch", "--quick", "--skip-ssl"});
    auto pair = run_pairs(in_shell(dump), 0, in_shell(mysql), effort_.dump_pairs, 0);
    if (!pair) return pair.error();
    report_.heading("A dump of a million digests");
    auto rows = comparison_header();
    add_comparison(rows, "dump into a file, wall / mysql --batch --quick", pair->wall_a, pair->wall_b, 1);
    add_comparison(rows, "dump into a file, CPU / mysql --batch --quick", pair->cpu_a, pair->cpu_b, 0);
    auto peak = peak_memory_kb(dump);
    if (!peak) return peak.error();
    rows.push_back({"peak memory", number(static_cast<double>(*peak) / 1024, 2, "MiB"), "", "", "< 16 MB",
                    report_.verdict(static_cast<double>(*peak) * 1024 < 16e6, "peak memory of a dump")});
    report_.table(rows);
    report_.paragraph(
        "The dump is on the disk when it ends (fsync); the client's output is left to the page cache, and it goes "
        "without TLS. Most of the time is the server's.");
    std::filesystem::remove_all(files);
    return {};
  }

  // A quiet beat reads the list of members from the segment; what the list costs the API server is the daemon's.
  Result<void> measure_members() {
    std::vector<std::unique_ptr<MemberCluster>> clusters;
    std::vector<std::vector<std::string>> rows = {
        {"pods", "when the daemon starts", "an hour while no pod changes", "each change of a pod", "daemon's memory"}};
    for (const int members : {3, 10, 100, 1000}) {
      auto cluster = MemberCluster::start(programs_, dir_.path(), members);
      if (!cluster) return cluster.error();
      clusters.push_back(std::move(*cluster));
    }
    constexpr std::chrono::seconds kWatched{12};
    std::vector<Result<ApiTraffic>> traffics(clusters.size(), ApiTraffic{});
    std::vector<std::thread> threads;
    for (size_t i = 0; i < clusters.size(); ++i) {
      threads.emplace_back([&, i] { traffics[i] = clusters[i]->traffic(kWatched); });
    }
    for (std::thread& thread : threads) thread.join();
    for (size_t i = 0; i < clusters.size(); ++i) {
      const auto& traffic = traffics[i];
      if (!traffic) return traffic.error();
      const auto kb = [](double bytes) { return number(bytes / 1e3, 1, "kB"); };
      rows.push_back({number(clusters[i]->members(), 0),
                      number(traffic->list_requests, 0) + " requests, " + kb(traffic->list_bytes),
                      number(traffic->hour_requests, 0) + " requests, " + kb(traffic->hour_bytes),
                      kb(traffic->change_bytes),
                      number(static_cast<double>(status_value(clusters[i]->daemon_pid(), "VmRSS")) / 1024, 2, "MiB")});
    }
    for (const auto& cluster : clusters) {
      if (auto quiet = wait_until_quiet(cluster->core()); !quiet) return quiet;
    }
    report_.heading("10, 100 and 1,000 members and backends");
    std::vector<std::vector<std::string>> beats = {
        {"quiet beat of a core", "so many", "3 members, 3 backends", "ratio", "bar", "result"}};
    for (size_t i = 1; i < clusters.size(); ++i) {
      auto pair = run_pairs(clusters[i]->core().beat(), 0, clusters[0]->core().beat(), effort_.beat_pairs);
      if (!pair) return pair.error();
      const std::string many = number(clusters[i]->members(), 0);
      add_comparison(beats, many + ", wall", pair->wall_a, pair->wall_b, 2);
      add_comparison(beats, many + ", CPU", pair->cpu_a, pair->cpu_b, 2);
    }
    report_.table(beats);
    report_.paragraph(
        "Three cores that run, all other members satellites, from the Kubernetes API double; as many rows of "
        "mysql_servers as there are members.");
    report_.table(rows);
    report_.paragraph(
        "Of one daemon, towards the API server: requests, and bytes inside TLS in both directions. Pods have 4 KiB "
        "here, real ones 5 to 15. The hour is reckoned from " +
        std::to_string(kWatched.count()) +
        " s in which watches end after 2 s: bytes of a watch, times the watches of an hour at the default "
        "(discovery.watch_ms).");
    return {};
  }

  struct LoadCase {
    std::string what;
    double rate;
    size_t kept;
    double p99_most_ms;  // 0: none
    bool rate_is_a_bar;
  };

  void add_load(std::vector<std::vector<std::string>>& rows, const Daemon& daemon, const LoadCase& load) {
    add_result(rows, load, probe_load({daemon.port(), load.rate, effort_.load_span, load.kept}));
  }

  // The same while /metrics is scraped 20 times a second.
  void add_scraped_load(std::vector<std::vector<std::string>>& rows, const Daemon& daemon, LoadCase load) {
    constexpr double kScrapes = 20;
    LoadResult scraped;
    std::thread scraper([&] { scraped = probe_load({daemon.port(), kScrapes, effort_.load_span, 0, "/metrics"}); });
    load.what += ", scraped";
    add_load(rows, daemon, load);
    scraper.join();
    add_result(rows, {"the scrapes: 20/s, GET /metrics", kScrapes, 0, 0, false}, scraped);
  }

  void add_result(std::vector<std::vector<std::string>>& rows, const LoadCase& load, const LoadResult& result) {
    const bool rate_met = result.rate >= load.rate * 0.995;
    const bool p99_met = load.p99_most_ms == 0 || result.p99_us < load.p99_most_ms * 1e3;
    const bool met = result.failed == 0 && p99_met && (rate_met || !load.rate_is_a_bar);
    std::string bar = load.p99_most_ms > 0 ? "p99 < " + number(load.p99_most_ms, 0, "ms") : "rate";
    bar += ", no failure";
    const auto ms = [](double us) { return number(us / 1e3, 2, "ms"); };
    rows.push_back({load.what, number(result.rate, 0) + " /s", ms(result.p50_us), ms(result.p99_us), ms(result.p999_us),
                    ms(result.most_us), ms(result.late_p99_us),
                    std::to_string(result.failed) + " of " + std::to_string(result.planned), bar,
                    report_.verdict(met, load.what + (result.reason.empty() ? "" : " (" + result.reason + ")"))});
  }

  Result<void> measure_daemon() {
    const std::string row = "{ id=1, active=1, interval_ms=500, filename=\"" + programs_.pulse +
                            "\", arg1=\"beat\", arg2=\"--config=" + (dir_ / "probed.cnf") +
                            "\", arg3=\"--state=" + programs_.state_dir + "/probed\" }";
    Server server(programs_, dir_.path(), {"probed", "core", row, {}, true});
    if (auto up = server.wait_until_up(); !up) return up;
    Daemon daemon(programs_, server, dir_ / "probed.daemon.log");
    if (auto ready = daemon.wait_until_ready(); !ready) return ready;

    std::vector<std::vector<std::string>> rows = {
        {"GET /healthz/ready", "answered", "p50", "p99", "p99.9", "most", "late p99", "failed", "bar", "result"}};
    const LoadCase fresh{"1,000/s, new connections", 1'000, 0, 1, false};
    const LoadCase kept{"20,000/s, 32 kept connections", 20'000, 32, 0, true};
    const auto wedged = [](LoadCase load) {
      load.what += ", wedged";
      return load;
    };
    add_load(rows, daemon, fresh);
    add_scraped_load(rows, daemon, fresh);
    add_load(rows, daemon, kept);
    add_scraped_load(rows, daemon, kept);
    add_load(rows, daemon, {"2,000/s, 1 kept connection", 2'000, 1, 0, false});
    add_load(rows, daemon, {"10,000/s, 16 kept connections", 10'000, 16, 0, false});
    add_load(rows, daemon, {"20,000/s, 256 kept connections", 20'000, 256, 0, false});
    {
      const Crowd crowd(daemon.port(), 512, 64);
      const timespec settle{1, 500'000'000};
      ::nanosleep(&settle, nullptr);
      add_load(rows, daemon, {"100/s, new connections, hostile crowd", 100, 0, 20, false});
    }
    const auto span = std::chrono::duration_cast<std::chrono::seconds>(2 * effort_.load_span) + std::chrono::seconds(8);
    if (auto hangs = server.wedge(span); !hangs) return hangs;
    if (!eventually([&] { return daemon.state() == "admin_unresponsive"; }, milliseconds(5'000))) {
      return Error{"the daemon's state is " + daemon.state() + " under a wedge instead of admin_unresponsive"};
    }
    add_load(rows, daemon, wedged(fresh));
    add_load(rows, daemon, wedged(kept));
    const std::string state = daemon.state();
    server.unwedge();
    if (state != "admin_unresponsive") return Error{"the wedge ended early: the daemon's state is " + state};

    const double asked = add_many(rows, daemon);

    report_.heading("Probes");
    report_.table(rows);
    report_.paragraph(
        "Latency is from the instant at which a request was due; late is how much of it had passed before the load "
        "generator came to begin the request, which is the machine's own doing. Wedged: every statement on the admin "
        "interface hangs "
        "meanwhile. Hostile crowd: 512 half-open connections and 64 senders of one byte per second, each opened again "
        "as soon as it is closed.");
    const auto rss = static_cast<double>(status_value(daemon.pid(), "VmRSS"));
    const auto anonymous = static_cast<double>(status_value(daemon.pid(), "RssAnon"));
    report_.table(
        {{"proxysql-pulsed after " + number(asked / 1e6, 1) + " million probes more", "memory", "bar", "result"},
         {"resident", number(rss / 1024, 2, "MiB"), "<= 10 MB",
          report_.verdict(rss * 1024 <= 10e6, "resident memory of the daemon")},
         {"of it anonymous", number(anonymous / 1024, 2, "MiB"), "<= 2 MB",
          report_.verdict(anonymous * 1024 <= 2e6, "anonymous memory of the daemon")}});
    return measure_hour(server, daemon);
  }

  // So many that memory which isn't given back would show.
  double add_many(std::vector<std::vector<std::string>>& rows, const Daemon& daemon) {
    constexpr double kRate = 20'000;
    const LoadResult result = probe_load({daemon.port(), kRate, effort_.many_span, 32});
    const auto ms = [](double us) { return number(us / 1e3, 2, "ms"); };
    rows.push_back({"20,000/s, 32 kept connections, for " + std::to_string(effort_.many_span.count() / 1000) + " s",
                    number(result.rate, 0) + " /s", ms(result.p50_us), ms(result.p99_us), ms(result.p999_us),
                    ms(result.most_us), ms(result.late_p99_us),
                    std::to_string(result.failed) + " of " + std::to_string(result.planned), "no failure",
                    report_.verdict(result.failed == 0, "a million probes")});
    return static_cast<double>(result.planned);
  }

  // What a pair costs that nobody asks anything: a beat every 500 ms, and the daemon's own looks.
  Result<void> measure_hour(const Server& server, const Daemon& daemon) {
    constexpr double kBeatsPerHour = 7200;
    constexpr double kIdle = 10;
    if (!eventually([&] { return daemon.state() == "beating"; }, milliseconds(40'000))) {
      return Error{"the daemon's state is " + daemon.state() + " after the wedge instead of beating"};
    }
    const auto before = cpu_ms(daemon.pid());
    const timespec idle{static_cast<time_t>(kIdle), 0};
    ::nanosleep(&idle, nullptr);
    const auto after = cpu_ms(daemon.pid());
    std::vector<double> beats;
    for (int i = 0; i < 50; ++i) {
      const auto cost = run_measured(server.beat());
      if (!cost) return cost.error();
      if (cost->exit_code == 0) beats.push_back(cost->cpu_us);
    }
    report_.heading("An hour of a pair that runs");
    report_.table({{"", "CPU", "memory"},
                   {"proxysql-pulse, 7,200 beats", number(spread_of(beats).median * kBeatsPerHour / 1e6, 1, "s"),
                    "none between beats"},
                   {"proxysql-pulsed, without probes", number((after - before) / kIdle * 3.6, 1, "s"),
                    number(static_cast<double>(status_value(daemon.pid(), "VmRSS")) / 1024, 2, "MiB")}});
    report_.paragraph("Reckoned from the median of 50 beats, and from 10 s of the daemon.");
    return {};
  }

  // Nothing where it isn't installed.
  Result<void> measure_peer() {
    const std::string agent = find_proxysql_agent();
    if (agent.empty()) return {};
    auto both = compare_with_agent(programs_, agent, dir_.path(), effort_.load_span);
    if (!both) return both.error();
    report_.heading("Beside proxysql-agent");
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
    add("CPU of an hour without probes (looks an hour: 360; 7,200)",
        [&](const Sidecar& of) { return number(of.hour_cpu_s, 1, "s"); });
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
    add("admin interface hangs: threads of ProxySQL", [&](const Sidecar& of) {
      return std::to_string(of.threads_before) + " -> " + std::to_string(of.threads_after);
    });
    report_.table(rows);
    report_.paragraph(
        "Each beside a satellite of its own, both of the same core: proxysql-agent with its defaults, with which it "
        "looks "
        "every 10 s; a beat every 500 ms, and a look at the MySQL port as often. Memory is of what answers probes. The "
        "CPU of an hour is reckoned from 20 s, and from 20 beats. Probes: GET /healthz/ready, " +
        number(kSidecarProbes, 0) + "/s over new connections, then " + number(kWedgedProbes, 0) +
        "/s while every statement on the admin interface hangs; " + std::to_string(effort_.load_span.count() / 1000) +
        " s each. Failed: no 200 within 5 s. Healed: the satellite has the core of its configuration file again.");
    return {};
  }

  Result<void> measure_pile_up() {
    auto piles = pile_up(programs_, dir_.path(), effort_.pile_span);
    if (!piles) return piles.error();
    report_.heading("A hanging admin interface, " + std::to_string(effort_.pile_span.count()) +
                    " s, with a run due every 500 ms");
    std::vector<std::vector<std::string>> rows = {
        {"the scheduler starts", "processes at once", "their memory", "threads of ProxySQL", "bar", "result"}};
    for (const Pile& pile : *piles) {
      const bool ours = &pile == &piles->back();
      const int64_t extra = pile.most_threads - pile.threads_before;
      rows.push_back({pile.what, std::to_string(pile.most_processes), number(pile.most_memory_mb, 1, "MiB"),
                      std::to_string(pile.threads_before) + " -> " + std::to_string(pile.most_threads),
                      ours ? "<= 1 process, <= 12 more threads" : "",
                      ours ? report_.verdict(pile.most_processes <= 1 && extra <= 12, "pile-up of beats") : ""});
    }
    report_.table(rows);
    static constexpr const char* kColours[] = {"#d62728", "#ff9f1c", "#2a9d4a"};
    Panel processes{"processes that the scheduler has started, alive at once", {}};
    Panel threads{"threads of ProxySQL", {}};
    for (size_t i = 0; i < piles->size(); ++i) {
      processes.lines.push_back({(*piles)[i].what, kColours[i], (*piles)[i].processes});
      threads.lines.push_back({(*piles)[i].what, kColours[i], (*piles)[i].threads});
    }
    plot_ = plot_svg("An admin interface hangs for " + std::to_string(effort_.pile_span.count()) + " s",
                     {processes, threads});
    return {};
  }

  const test::TempDir dir_;
  const MemoryDir in_memory_;
  Programs programs_;
  const Effort effort_;
  Report report_;
  std::string plot_;
};

struct Options {
  Effort effort;
  std::string markdown;
  std::string svg;
  std::string release_bin, bench_bin;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--quick") {
      options.effort = kQuick;
    } else if (argument == "--markdown" && has_value) {
      options.markdown = argv[++i];
    } else if (argument == "--svg" && has_value) {
      options.svg = argv[++i];
    } else if (argument == "--release" && has_value) {
      options.release_bin = argv[++i];
    } else if (argument == "--bench" && has_value) {
      options.bench_bin = argv[++i];
    } else {
      return std::nullopt;
    }
  }
  if (options.release_bin.empty() || options.bench_bin.empty()) return std::nullopt;
  return options;
}

int run(const Options& options) {
  Programs programs;
  programs.pulse = options.release_bin + "/proxysql-pulse";
  programs.pulsed = options.release_bin + "/proxysql-pulsed";
  programs.kubernetes = options.release_bin + "/kubernetes-double";
  const char* real = std::getenv("PROXYSQL_BIN");
  programs.real = real != nullptr && *real != '\0';
  programs.server = programs.real ? real : options.release_bin + "/proxysql-double";
  programs.raw_beat = options.bench_bin + "/raw-beat";
  programs.noop = options.bench_bin + "/noop";
  programs.statement = output_of({options.bench_bin + "/print-statement"});

  // Taken by a thread of their own, so that an interrupted run leaves nothing behind.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Bench bench(programs, options.effort);
  std::thread([&bench, signals] {
    int number = 0;
    ::sigwait(&signals, &number);
    bench.abandon();
    ::_exit(128 + number);
  }).detach();
  const Result<void> done = bench.run();
  const Report& report = bench.report();
  std::fputs(report.text().c_str(), stdout);
  if (!done) {
    std::fprintf(stderr, "bench: %s\n", done.error().text.c_str());
    return 2;
  }
  if (!options.markdown.empty() && !(std::ofstream(options.markdown) << report.text()).flush()) {
    std::fprintf(stderr, "bench: can't write %s\n", options.markdown.c_str());
    return 2;
  }
  if (!options.svg.empty() && !(std::ofstream(options.svg) << bench.plot()).flush()) {
    std::fprintf(stderr, "bench: can't write %s\n", options.svg.c_str());
    return 2;
  }
  std::printf("%zu of %zu bars met\n", report.bars() - report.missed().size(), report.bars());
  for (const std::string& missed : report.missed()) std::printf("missed: %s\n", missed.c_str());
  return report.missed().empty() ? 0 : 1;
}

}  // namespace
}  // namespace pulse::bench

int main(int argc, char** argv) {
  const auto options = pulse::bench::parse(argc, argv);
  if (!options) {
    std::fputs("usage: bench --release DIR --bench DIR [--quick] [--markdown FILE] [--svg FILE]; see tests/bench/run\n",
               stderr);
    return 64;
  }
  ::signal(SIGPIPE, SIG_IGN);
  return pulse::bench::run(*options);
}
