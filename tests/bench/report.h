// The report: tables that are readable in a terminal and are Markdown at the same time.
#pragma once

#include <string>
#include <vector>

namespace pulse::bench {

// printf("%.*f"), with a unit.
std::string number(double value, int decimals, const std::string& unit = "");

// The value below which that share of a sample lies; 0 of an empty one. The sample is reordered.
double percentile(std::vector<float>& sample, double share);

// Median and range of a sample.
struct Spread {
  double median = 0, least = 0, most = 0;
};
Spread spread_of(std::vector<double> sample);
// "1.23 ms (0.98 to 4.56)", from microseconds.
std::string show_ms(const Spread& spread_us);

class Report {
 public:
  void heading(const std::string& text) { body_ += "## " + text + "\n\n"; }
  // Both wrap at 120 columns.
  void paragraph(const std::string& text);
  void item(const std::string& text);

  // A cell for a bar: "met" or "MISSED", counted.
  std::string verdict(bool met, const std::string& what);

  // The first row is the header; the first column is text, the others are numbers. Columns that have no room in a line
  // of 120 go into a second table, after the first column again.
  void table(const std::vector<std::vector<std::string>>& rows);

  const std::string& text() const { return body_; }
  size_t bars() const { return bars_; }
  const std::vector<std::string>& missed() const { return missed_; }

 private:
  // Adds the first column and those from `from` to before `to`.
  void add_columns(const std::vector<std::vector<std::string>>& rows, const std::vector<size_t>& widths, size_t from,
                   size_t to);

  std::string body_;
  size_t bars_ = 0;
  std::vector<std::string> missed_;
};

}  // namespace pulse::bench
