// What a hanging admin interface piles up, and its plot.
#include <string>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/pile_up.h"
#include "tests/bench/plot.h"

namespace pulse::bench {

Result<void> measure_pile_up(Bench& bench) {
  auto piles = pile_up(bench.programs, bench.dir.path(), bench.effort.pile_span);
  if (!piles) return piles.error();
  bench.report.heading("A hanging admin interface, " + std::to_string(bench.effort.pile_span.count()) +
                       " s, with a run due every 500 ms");
  std::vector<std::vector<std::string>> rows = {
      {"the scheduler starts", "processes at once", "their memory", "threads of ProxySQL", "bar", "result"}};
  for (const Pile& pile : *piles) {
    const bool ours = &pile == &piles->back();
    const int64_t extra = pile.most_threads - pile.threads_before;
    rows.push_back({pile.what, std::to_string(pile.most_processes), number(pile.most_memory_mb, 1, "MiB"),
                    std::to_string(pile.threads_before) + " -> " + std::to_string(pile.most_threads),
                    ours ? "<= 1 process, <= 12 more threads" : "",
                    ours ? bench.report.verdict(pile.most_processes <= 1 && extra <= 12, "pile-up of beats") : ""});
  }
  bench.report.table(rows);
  static constexpr const char* kColours[] = {"#d62728", "#ff9f1c", "#2a9d4a"};
  Panel processes{"processes that the scheduler has started, alive at once", {}};
  Panel threads{"threads of ProxySQL", {}};
  for (size_t i = 0; i < piles->size(); ++i) {
    processes.lines.push_back({(*piles)[i].what, kColours[i], (*piles)[i].processes});
    threads.lines.push_back({(*piles)[i].what, kColours[i], (*piles)[i].threads});
  }
  bench.plot = plot_svg("An admin interface hangs for " + std::to_string(bench.effort.pile_span.count()) + " s",
                        {processes, threads});
  return {};
}

}  // namespace pulse::bench
