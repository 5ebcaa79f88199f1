#include "tests/bench/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace pulse::bench {

namespace {

constexpr double kLegendRow = 20, kWidth = 720, kPanel = 200, kLeft = 60, kRight = 20, kTop = 60, kGap = 56,
                 kBottom = 40;

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// The least of 1, 2 and 5 times a power of ten that makes at most six steps of `most`.
double step_for(double most) {
  double step = std::pow(10, std::floor(std::log10(std::max(most, 1.0))) - 1);
  for (int i = 0; most / step > 6; ++i) step *= i % 3 == 1 ? 2.5 : 2;
  return std::max(step, 1.0);
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" text-anchor=\"" + anchor + "\">" + text + "</text>\n";
}

std::string line_at(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + fixed(x1) + "\" y1=\"" + fixed(y1) + "\" x2=\"" + fixed(x2) + "\" y2=\"" + fixed(y2) + "\" " +
         style + "/>\n";
}

double legend_width(const Line& line) { return 60 + 7.5 * static_cast<double>(line.name.size()); }

int legend_rows(const Panel& panel) {
  int rows = 1;
  double left = kLeft;
  for (const Line& line : panel.lines) {
    if (left > kLeft && left + legend_width(line) > kWidth) {
      left = kLeft;
      ++rows;
    }
    left += legend_width(line);
  }
  return rows;
}

std::string draw(const Panel& panel, double top, double longest, const std::string& unit) {
  double most = 1;
  for (const Line& line : panel.lines) {
    for (const auto& [time, value] : line.points) most = std::max(most, value);
  }
  const double step = step_for(most);
  most = std::ceil(most / step) * step;
  const auto x = [&](double time) { return kLeft + time / longest * (kWidth - kLeft - kRight); };
  const auto y = [&](double value) { return top + kPanel - value / most * kPanel; };
  std::string out = text_at(kLeft, top - 8, "start", panel.title);
  for (double value = 0; value <= most + step / 2; value += step) {
    out += line_at(kLeft, y(value), kWidth - kRight, y(value), "stroke=\"#888\" stroke-opacity=\"0.3\"");
    out += text_at(kLeft - 8, y(value) + 4, "end", std::to_string(std::lround(value)));
  }
  const double time_step = step_for(longest);
  for (double time = 0; time <= longest; time += time_step) {
    out += text_at(x(time), top + kPanel + 18, "middle", std::to_string(std::lround(time)) + " " + unit);
  }
  for (const Line& line : panel.lines) {
    out += "<polyline fill=\"none\" stroke=\"" + line.colour + "\" stroke-width=\"2\" points=\"";
    for (const auto& [time, value] : line.points) out += fixed(x(time)) + "," + fixed(y(value)) + " ";
    out += "\"/>\n";
  }
  return out;
}

}  // namespace

std::string plot_svg(const std::string& title, const std::vector<Panel>& panels, const std::string& unit) {
  double longest = 1;
  for (const Panel& panel : panels) {
    for (const Line& line : panel.lines) {
      if (!line.points.empty()) longest = std::max(longest, line.points.back().first);
    }
  }
  const double legend = kLegendRow * static_cast<double>(legend_rows(panels.front()) - 1);
  const double height = legend + kTop + static_cast<double>(panels.size()) * (kPanel + kGap) - kGap + kBottom;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + fixed(kWidth) + " " + fixed(height) +
                    "\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#777\">\n<title>" + title + "</title>\n";
  double left = kLeft, row = 20;
  for (const Line& line : panels.front().lines) {
    if (left > kLeft && left + legend_width(line) > kWidth) {
      left = kLeft;
      row += kLegendRow;
    }
    out += line_at(left, row, left + 24, row, "stroke=\"" + line.colour + "\" stroke-width=\"3\"");
    out += text_at(left + 30, row + 4, "start", line.name);
    left += legend_width(line);
  }
  double top = legend + kTop;
  for (const Panel& panel : panels) {
    out += draw(panel, top, longest, unit);
    top += kPanel + kGap;
  }
  return out + "</svg>\n";
}

}  // namespace pulse::bench
