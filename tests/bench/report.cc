#include "tests/bench/report.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace pulse::bench {

namespace {

constexpr size_t kLineWidth = 120;

// `text` after `mark`, in lines of at most kLineWidth unless a word is longer; what follows the first line is indented
// by the mark's width.
std::string wrapped(const std::string& mark, const std::string& text) {
  std::string lines, line = mark, word;
  std::istringstream words(text);
  while (words >> word) {
    if (line.size() > mark.size() && line.size() + 1 + word.size() > kLineWidth) {
      lines += line + "\n";
      line.assign(mark.size(), ' ');
    }
    line += (line.size() > mark.size() ? " " : "") + word;
  }
  return lines + line + "\n";
}

}  // namespace

std::string number(double value, int decimals, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text + (unit.empty() ? "" : " " + unit);
}

double percentile(std::vector<float>& sample, double share) {
  if (sample.empty()) return 0;
  const auto place = std::min(sample.size() - 1, static_cast<size_t>(share * static_cast<double>(sample.size())));
  std::nth_element(sample.begin(), sample.begin() + static_cast<ptrdiff_t>(place), sample.end());
  return static_cast<double>(sample[place]);
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

void Report::paragraph(const std::string& text) { body_ += wrapped("", text) + "\n"; }

void Report::item(const std::string& text) { body_ += wrapped("- ", text); }

void Report::table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (size_t from = 1; from < widths.size();) {
    size_t to = from, width = widths[0] + 4;
    while (to < widths.size() && (to == from || width + widths[to] + 3 <= kLineWidth)) width += widths[to++] + 3;
    add_columns(rows, widths, from, to);
    from = to;
  }
}

void Report::add_columns(const std::vector<std::vector<std::string>>& rows, const std::vector<size_t>& widths,
                         size_t from, size_t to) {
  const auto add_cell = [&](const std::vector<std::string>& row, size_t i) {
    const std::string text = i < row.size() ? row[i] : "";
    const std::string padding(widths[i] - text.size(), ' ');
    body_ += "| " + (i == 0 ? text + padding : padding + text) + " ";
  };
  const auto add_line = [&](const std::vector<std::string>& row) {
    add_cell(row, 0);
    for (size_t i = from; i < to; ++i) add_cell(row, i);
    body_ += "|\n";
  };
  add_line(rows.front());
  body_ += "|" + std::string(widths[0] + 2, '-');
  for (size_t i = from; i < to; ++i) body_ += "|" + std::string(widths[i] + 1, '-') + ":";
  body_ += "|\n";
  for (size_t i = 1; i < rows.size(); ++i) add_line(rows[i]);
  body_ += "\n";
}

}  // namespace pulse::bench
