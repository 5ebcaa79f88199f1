// Where the measurements are taken, and with what.
#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

#include "tests/bench/measurements.h"

namespace pulse::bench {
namespace {

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

int64_t memory_gib() { return std::atoll(first_line_with("/proc/meminfo", "MemTotal").c_str()) / (1 << 20) + 1; }

}  // namespace

void describe_machine(Bench& bench) {
  utsname kernel{};
  ::uname(&kernel);
  const bool is_virtual = read_file("/proc/cpuinfo").find(" hypervisor") != std::string::npos;
  bench.report.item("Machine: " + std::to_string(std::thread::hardware_concurrency()) + " cores, " +
                    first_line_with("/proc/cpuinfo", "model name") + (is_virtual ? ", virtual" : "") + ", " +
                    std::to_string(memory_gib()) + " GiB; " + kernel.sysname + " " + kernel.release +
                    "; busy with other things before: " + number(busy_percent(), 0) + "%");
  // Log lines may come first.
  const std::string said = bench.programs.real ? output_of({bench.programs.server, "--version"}) : "";
  const std::string version = said.substr(said.rfind('\n') + 1);
  bench.report.item("Server: " +
                    (bench.programs.real ? version : std::string("proxysql-double, the test double of this tree")));
  bench.report.item("Programs: " + output_of({bench.programs.pulse, "--version"}) + ", preset release, static, GCC " +
                    __VERSION__ + "; client: " + output_of({"mysql", "--version"}));
  bench.report.paragraph(
      "\nTimes are medians of paired runs (A B A B ...), with their range. Wall time is from before the spawn "
      "until the end was seen, CPU time is the kernel's own account of the process, to the nanosecond, from its "
      "first "
      "instruction after the fork to its end. Everything is on loopback.");
}

}  // namespace pulse::bench
