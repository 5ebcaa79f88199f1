// A dump of the query digests, beside the mysql client.
#include <filesystem>
#include <string>

#include "tests/bench/measurements.h"
#include "tests/bench/pairs.h"

namespace pulse::bench {

// A million digests into a file, with fsync here and without it there.
Result<void> measure_dump(Bench& bench) {
  Server server(bench.programs, bench.dir.path(), {"dump", "satellite", "", {}, false, kPatientTimeoutMs});
  if (auto up = server.wait_until_up(); !up) return up;
  if (bench.programs.real) {
    auto filled = run_measured(server.mysql("PROXYSQLTEST 1 1000"));
    if (!filled || filled->exit_code != 0) return Error{"PROXYSQLTEST can't fill the digest table"};
  } else {
    server.control("digests 1000000");
  }
  const std::string files = bench.dir / "dumps";
  std::filesystem::create_directories(files);
  const auto in_shell = [&](const Argv& argv) {
    std::string command;
    for (const std::string& word : argv) command += "'" + word + "' ";
    return Argv{"/bin/sh", "-c", "rm -f " + files + "/*; exec " + command + "> " + files + "/out"};
  };
  const Argv dump = {bench.programs.pulse, "dump", "--config=" + server.config(), "--output=" + files,
                     "--timeout-ms=600000"};
  const Argv mysql = server.mysql("SELECT * FROM stats_mysql_query_digest", {"--batch", "--quick", "--skip-ssl"});
  auto pair = run_pairs(in_shell(dump), 0, in_shell(mysql), bench.effort.dump_pairs, 0);
  if (!pair) return pair.error();
  bench.report.heading("A dump of a million digests");
  auto rows = comparison_header();
  add_comparison(bench.report, rows, "dump into a file, wall / mysql --batch --quick", pair->wall_a, pair->wall_b, 1);
  add_comparison(bench.report, rows, "dump into a file, CPU / mysql --batch --quick", pair->cpu_a, pair->cpu_b, 0);
  auto peak = peak_memory_kb(dump);
  if (!peak) return peak.error();
  rows.push_back({"peak memory", number(static_cast<double>(*peak) / 1024, 2, "MiB"), "", "", "< 16 MB",
                  bench.report.verdict(static_cast<double>(*peak) * 1024 < 16e6, "peak memory of a dump")});
  bench.report.table(rows);
  bench.report.paragraph(
      "The dump is on the disk when it ends (fsync); the client's output is left to the page cache, and it goes "
      "without TLS. Most of the time is the server's.");
  std::filesystem::remove_all(files);
  return {};
}

}  // namespace pulse::bench
