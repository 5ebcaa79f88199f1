#include "tests/bench/report.h"

#include <algorithm>
#include <cstdio>

namespace pulse::bench {

std::string number(double value, int decimals, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text + (unit.empty() ? "" : " " + unit);
}

Spread spread_of(std::vector<double> sample) {
  if (sample.empty()) return {};
  std::sort(sample.begin(), sample.end());
  const size_t middle = sample.size() / 2;
  const double median = sample.size() % 2 == 1 ? sample[middle] : (sample[middle - 1] + sample[middle]) / 2;
  return {median, sample.front(), sample.back()};
}

std::string show_ms(const Spread& spread_us) {
  return number(spread_us.median / 1e3, 2, "ms") + " (" + number(spread_us.least / 1e3, 2) + " to " +
         number(spread_us.most / 1e3, 2) + ")";
}

std::string Report::verdict(bool met, const std::string& what) {
  ++bars_;
  if (!met) missed_.push_back(what);
  return met ? "met" : "MISSED";
}

void Report::table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto add_line = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      body_ += "| " + (i == 0 ? row[i] + padding : padding + row[i]) + " ";
    }
    body_ += "|\n";
  };
  add_line(rows.front());
  for (size_t i = 0; i < widths.size(); ++i) {
    body_ += i == 0 ? "|" + std::string(widths[i] + 2, '-') : "|" + std::string(widths[i] + 1, '-') + ":";
  }
  body_ += "|\n";
  for (size_t i = 1; i < rows.size(); ++i) add_line(rows[i]);
  body_ += "\n";
}

}  // namespace pulse::bench
