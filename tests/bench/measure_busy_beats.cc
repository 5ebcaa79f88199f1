// A beat that finds the lock taken.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "src/base/unique_fd.h"
#include "tests/bench/measurements.h"
#include "tests/bench/pairs.h"
#include "tests/loopback.h"

namespace pulse::bench {
namespace {

constexpr int kSkipped = 75;  // a beat's exit code when another one holds the lock

}  // namespace

// A live beat holds the lock: one whose admin interface is a socket that never says a word.
Result<void> measure_busy_beats(Bench& bench) {
  const UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const uint16_t port = test::free_port();
  const sockaddr_in address = test::loopback_address(port);
  if (::bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(silent.get(), 16) != 0) {
    return system_error("listen for the beat that holds the lock", errno);
  }
  const std::string config = bench.dir.write(
      "busy.cnf", "pulse={ role=\"core\", admin={ port=" + std::to_string(port) + ", user=\"u\", password=\"p\" } }\n");
  const Argv beat = {bench.programs.pulse, "beat", "--config=" + config,
                     "--state=" + bench.programs.state_dir + "/busy"};
  Argv long_beat = beat;
  long_beat.push_back("--timeout-ms=60000");
  const Child holder(long_beat, bench.dir / "holder.log");
  const bool held = eventually(
      [&] {
        const auto cost = run_measured(beat);
        return cost && cost->exit_code == kSkipped;
      },
      milliseconds(5'000));
  if (!held) return Error{"no beat holds the lock; " + read_file(bench.dir / "holder.log")};
  auto pair = run_pairs(beat, kSkipped, {bench.programs.noop}, bench.effort.busy_pairs);
  if (!pair) return pair.error();
  bench.report.heading("A beat that finds the lock taken");
  auto rows = comparison_header();
  add_comparison(bench.report, rows, "skipped beat, wall / static no-op", pair->wall_a, pair->wall_b, 2);
  add_comparison(bench.report, rows, "skipped beat, CPU / static no-op", pair->cpu_a, pair->cpu_b, 0);
  bench.report.table(rows);
  return {};
}

}  // namespace pulse::bench
