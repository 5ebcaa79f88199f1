// A beat that has nothing to do, beside its bare conversation and beside the mysql client.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/pairs.h"

namespace pulse::bench {

Result<void> measure_beats(Bench& bench) {
  Server core(bench.programs, bench.dir.path(), {"core", "core", "", {}, true, kPatientTimeoutMs});
  if (auto up = core.wait_until_up(); !up) return up;
  Server satellite(bench.programs, bench.dir.path(),
                   {"satellite", "satellite", "", {core.admin_port()}, false, kPatientTimeoutMs});
  if (auto up = satellite.wait_until_up(); !up) return up;
  for (const Server* server : {&core, &satellite}) {
    if (auto quiet = wait_until_quiet(bench.programs, *server); !quiet) return quiet;
  }
  bench.report.heading("A beat");
  auto rows = comparison_header();
  for (const Server* server : {&satellite, &core}) {
    const std::string what = server == &satellite ? "satellite" : "core";
    auto pair = run_pairs(server->beat(), 0, server->raw_beat(), bench.effort.beat_pairs);
    if (!pair) return pair.error();
    add_comparison(bench.report, rows, "quiet beat of a " + what + ", wall / raw-beat", pair->wall_a, pair->wall_b,
                   1.2);
    add_comparison(bench.report, rows, "quiet beat of a " + what + ", CPU / raw-beat", pair->cpu_a, pair->cpu_b, 1.3);
    auto same_library = run_pairs(server->beat(), 0, server->library_beat(), bench.effort.beat_pairs);
    if (!same_library) return same_library.error();
    add_comparison(bench.report, rows, "quiet beat of a " + what + ", wall / library-beat", same_library->wall_a,
                   same_library->wall_b, 0);
    add_comparison(bench.report, rows, "quiet beat of a " + what + ", CPU / library-beat", same_library->cpu_a,
                   same_library->cpu_b, 0);
  }
  // The bar is about the client as it is by default, which depends on its version and on the server: it is asked.
  Argv status = satellite.mysql("\\s");
  const bool tls = output_of(status).find("Cipher in use") != std::string::npos;
  auto usual = run_pairs(satellite.beat(), 0, satellite.mysql(bench.programs.statement), bench.effort.cli_pairs);
  if (!usual) return usual.error();
  add_times_faster(bench.report, rows, std::string("quiet beat, wall / mysql, default: ") + (tls ? "TLS" : "no TLS"),
                   *usual, tls);
  if (tls) {
    auto plain = run_pairs(satellite.beat(), 0, satellite.mysql(bench.programs.statement, {"--skip-ssl"}),
                           bench.effort.cli_pairs);
    if (!plain) return plain.error();
    add_times_faster(bench.report, rows, "quiet beat, wall / mysql --skip-ssl", *plain, false);
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
                  bench.report.verdict(static_cast<double>(peak) * 1024 <= 6e6, "peak memory of a beat")});
  bench.report.table(rows);
  bench.report.paragraph(
      "raw-beat is the same conversation (login, the same statement, its whole result, goodbye) written by hand over "
      "a socket, static, with no library but the C library, which starts it; library-beat is that conversation by "
      "Connector/C, linked and started as a beat is, and nothing else of one; mysql is one call of the command line "
      "client with the same statement. The bar is for that client with TLS, where client and server agree on it by "
      "default; the double offers none.");
  return {};
}

}  // namespace pulse::bench
