// Two programs run in turns, and their costs side by side in a table.
#pragma once

#include <string>
#include <vector>

#include "src/base/result.h"
#include "tests/bench/process.h"
#include "tests/bench/report.h"
#include "tests/bench/server.h"

namespace pulse::bench {

// Microseconds of each run.
struct Pair {
  std::vector<double> wall_a, wall_b, cpu_a, cpu_b;
};

// A B A B ..., so that whatever else the machine does meanwhile happens to both. Fails if a run of `a` ends with
// another exit code than `exit_code_a`, or one of `b` with another than 0.
Result<Pair> run_pairs(const Argv& a, int exit_code_a, const Argv& b, int count, int warm_up = 3);

// The first row of a table of comparisons.
std::vector<std::vector<std::string>> comparison_header();

// A row for two samples in microseconds. The bar is the greatest ratio of their medians, 0 for none.
void add_comparison(Report& report, std::vector<std::vector<std::string>>& rows, const std::string& what,
                    const std::vector<double>& ours, const std::vector<double>& theirs, double most_ratio);

// A row that says how many times faster `a` is by wall time. The bar is ten times.
void add_times_faster(Report& report, std::vector<std::vector<std::string>>& rows, const std::string& what,
                      const Pair& pair, bool has_bar);

// Waits until a beat of the server only reads. Fails if raw-beat asks another statement then. A real server can't tell
// what it was asked: the wait is a fixed time there.
Result<void> wait_until_quiet(const Programs& programs, const Server& server);

}  // namespace pulse::bench
