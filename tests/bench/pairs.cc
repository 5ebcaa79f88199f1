#include "tests/bench/pairs.h"

#include <ctime>

namespace pulse::bench {
namespace {

// What stands between `key` and the first of `ends` after it.
std::string value_of(const std::string& text, const std::string& key, const char* ends) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return "";
  const size_t begin = at + key.size();
  return text.substr(begin, text.find_first_of(ends, begin) - begin);
}

}  // namespace

Result<Pair> run_pairs(const Argv& a, int exit_code_a, const Argv& b, int count, int warm_up) {
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

std::vector<std::vector<std::string>> comparison_header() {
  return {{"", "proxysql-pulse", "compared with", "ratio", "bar", "result"}};
}

void add_comparison(Report& report, std::vector<std::vector<std::string>>& rows, const std::string& what,
                    const std::vector<double>& ours, const std::vector<double>& theirs, double most_ratio) {
  const Spread a = spread_of(ours);
  const Spread b = spread_of(theirs);
  const double ratio = a.median / b.median;
  rows.push_back({what, show_ms(a), show_ms(b), number(ratio, 2), most_ratio > 0 ? "<= " + number(most_ratio, 1) : "",
                  most_ratio > 0 ? report.verdict(ratio <= most_ratio, what + ": " + number(ratio, 2)) : ""});
}

void add_times_faster(Report& report, std::vector<std::vector<std::string>>& rows, const std::string& what,
                      const Pair& pair, bool has_bar) {
  const Spread a = spread_of(pair.wall_a);
  const Spread b = spread_of(pair.wall_b);
  const double times = b.median / a.median;
  rows.push_back({what, show_ms(a), show_ms(b), number(times, 1) + " times faster", has_bar ? ">= 10" : "",
                  has_bar ? report.verdict(times >= 10, what + ": " + number(times, 1) + " times") : ""});
}

Result<void> wait_until_quiet(const Programs& programs, const Server& server) {
  if (programs.real) {
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

}  // namespace pulse::bench
