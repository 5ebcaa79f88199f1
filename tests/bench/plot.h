// A line plot as SVG, for documents.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pulse::bench {

struct Line {
  std::string name;
  std::string colour;                             // as CSS writes it
  std::vector<std::pair<double, double>> points;  // in order; seconds or what else the axis is of, and the value
};

// One panel of a plot: lines over a common axis, from 0 to the last point of any.
struct Panel {
  std::string title;
  std::vector<Line> lines;
};

// Panels below each other, with a legend from the first panel's lines, `unit` at the axis. Self-contained, readable on
// a light and on a dark page.
std::string plot_svg(const std::string& title, const std::vector<Panel>& panels, const std::string& unit = "s");

}  // namespace pulse::bench
