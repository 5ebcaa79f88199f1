// Clusters of 3 to 1,000 members.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/members.h"
#include "tests/bench/pairs.h"

namespace pulse::bench {

// A quiet beat reads the list of members from the segment; what the list costs the API server is the daemon's.
Result<void> measure_members(Bench& bench) {
  std::vector<std::unique_ptr<MemberCluster>> clusters;
  std::vector<std::vector<std::string>> rows = {
      {"pods", "when the daemon starts", "an hour while no pod changes", "each change of a pod", "daemon's memory"}};
  for (const int members : {3, 10, 100, 1000}) {
    auto cluster = MemberCluster::start(bench.programs, bench.dir.path(), members);
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
    rows.push_back(
        {number(clusters[i]->members(), 0), number(traffic->list_requests, 0) + " requests, " + kb(traffic->list_bytes),
         number(traffic->hour_requests, 0) + " requests, " + kb(traffic->hour_bytes), kb(traffic->change_bytes),
         number(static_cast<double>(status_value(clusters[i]->daemon_pid(), "VmRSS")) / 1024, 2, "MiB")});
  }
  for (const auto& cluster : clusters) {
    if (auto quiet = wait_until_quiet(bench.programs, cluster->core()); !quiet) return quiet;
  }
  bench.report.heading("10, 100 and 1,000 members and backends");
  std::vector<std::vector<std::string>> beats = {
      {"quiet beat of a core", "so many", "3 members, 3 backends", "ratio", "bar", "result"}};
  for (size_t i = 1; i < clusters.size(); ++i) {
    auto pair = run_pairs(clusters[i]->core().beat(), 0, clusters[0]->core().beat(), bench.effort.beat_pairs);
    if (!pair) return pair.error();
    const std::string many = number(clusters[i]->members(), 0);
    add_comparison(bench.report, beats, many + ", wall", pair->wall_a, pair->wall_b, 2);
    add_comparison(bench.report, beats, many + ", CPU", pair->cpu_a, pair->cpu_b, 2);
  }
  bench.report.table(beats);
  bench.report.paragraph(
      "Three cores that run, all other members satellites, from the Kubernetes API double; as many rows of "
      "mysql_servers as there are members.");
  bench.report.table(rows);
  bench.report.paragraph(
      "Of one daemon, towards the API server: requests, and bytes inside TLS in both directions. Pods have 4 KiB "
      "here, real ones 5 to 15. The hour is reckoned from " +
      std::to_string(kWatched.count()) +
      " s in which watches end after 2 s: bytes of a watch, times the watches of an hour at the default "
      "(discovery.watch_ms).");
  return {};
}

}  // namespace pulse::bench
