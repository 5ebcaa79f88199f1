// What ProxySQL Pulse costs, side by side with what it replaces, and whether the bars are met. Started by ./run.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/process.h"
#include "tests/bench/report.h"
#include "tests/bench/server.h"
#include "tests/temp_dir.h"

namespace pulse::bench {
namespace {

constexpr Effort kQuick{100,
                        20,
                        200,
                        1,
                        std::chrono::milliseconds{3'000},
                        std::chrono::milliseconds{10'000},
                        std::chrono::seconds{10},
                        std::chrono::seconds{10},
                        true};

struct Measurement {
  const char* name;
  Result<void> (*measure)(Bench&);
};
constexpr Measurement kMeasurements[] = {{"beats", measure_beats},     {"busy-beats", measure_busy_beats},
                                         {"members", measure_members}, {"dump", measure_dump},
                                         {"users", measure_users},     {"daemon", measure_daemon},
                                         {"peer", measure_peer},       {"pile-up", measure_pile_up}};
constexpr Measurement kOfTraffic[] = {{"traffic", measure_traffic}};

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

class Run {
 public:
  Run(Programs programs, Effort effort) : programs_(std::move(programs)), effort_(effort) {
    programs_.state_dir = in_memory_.path();
  }

  // All of them, or the one of that name.
  Result<void> measure(std::span<const Measurement> measurements, const std::string& only) {
    if (programs_.state_dir.empty()) return Error{"no directory can be made in /dev/shm"};
    install_programs();
    Bench bench{dir_, programs_, effort_, report_, plot_};
    describe_machine(bench);
    bool found = false;
    for (const Measurement& measurement : measurements) {
      if (!only.empty() && only != measurement.name) continue;
      found = true;
      if (auto done = measurement.measure(bench); !done) return done;
    }
    return found ? Result<void>() : Error{"nothing is called " + only};
  }

  const Report& report() const { return report_; }
  // Of the pile-up or of the traffic, as SVG.
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
    for (std::string* program : {&programs_.pulse, &programs_.pulsed, &programs_.raw_beat, &programs_.library_beat,
                                 &programs_.noop, &programs_.floor}) {
      const std::string to = dir_ / std::filesystem::path(*program).filename();
      std::filesystem::copy_file(*program, to);
      *program = to;
    }
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
  bool traffic = false;
  std::string only;
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
    } else if (argument == "--traffic") {
      options.traffic = true;
    } else if (argument == "--shipped") {
      options.effort.shipped = options.traffic = true;
    } else if (argument == "--only" && has_value) {
      options.only = argv[++i];
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
  programs.library_beat = options.bench_bin + "/library-beat";
  programs.noop = options.bench_bin + "/noop";
  programs.floor = options.bench_bin + "/probe-floor";
  programs.statement = output_of({options.bench_bin + "/print-statement"});
  programs.everything = output_of({options.bench_bin + "/print-statement", "everything"});

  // Taken by a thread of their own, so that an interrupted run leaves nothing behind.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Run measured(programs, options.effort);
  std::thread([&measured, signals] {
    int number = 0;
    ::sigwait(&signals, &number);
    measured.abandon();
    ::_exit(128 + number);
  }).detach();
  const Result<void> done =
      options.traffic ? measured.measure(kOfTraffic, options.only) : measured.measure(kMeasurements, options.only);
  const Report& report = measured.report();
  std::fputs(report.text().c_str(), stdout);
  if (!done) {
    std::fprintf(stderr, "bench: %s\n", done.error().text.c_str());
    return 2;
  }
  if (!options.markdown.empty() && !(std::ofstream(options.markdown) << report.text()).flush()) {
    std::fprintf(stderr, "bench: can't write %s\n", options.markdown.c_str());
    return 2;
  }
  if (!options.svg.empty() && !(std::ofstream(options.svg) << measured.plot()).flush()) {
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
    std::fputs(
        "usage: bench --release DIR --bench DIR [--quick] [--only PART] [--traffic] [--shipped] [--markdown FILE] "
        "[--svg "
        "FILE]; see tests/bench/run\n",
        stderr);
    return 64;
  }
  ::signal(SIGPIPE, SIG_IGN);
  return pulse::bench::run(*options);
}
