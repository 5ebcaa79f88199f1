#include "scheduler/doctor/report.h"

#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "scheduler/status/status_text.h"
#include "src/base/show.h"

namespace pulse {

namespace {

constexpr std::array kWorstFirst = {Severity::critical, Severity::warning, Severity::notice};
constexpr size_t kMargin = 10;        // of what stands under a severity
constexpr size_t kSubjectWidth = 18;  // of what is well

const char* colour_of(Severity severity) {
  switch (severity) {
    case Severity::critical:
      return "\x1b[1;31m";
    case Severity::warning:
      return "\x1b[1;33m";
    case Severity::notice:
      return "\x1b[1;36m";
    case Severity::ok:
      return "\x1b[1;32m";
  }
  return "";
}

const char* word_of(Severity severity) {
  switch (severity) {
    case Severity::critical:
      return "CRITICAL";
    case Severity::warning:
      return "WARNING";
    case Severity::notice:
      return "NOTICE";
    case Severity::ok:
      return "ok";
  }
  return "?";
}

size_t count(const Findings& findings, Severity severity) {
  return static_cast<size_t>(std::count_if(findings.begin(), findings.end(),
                                           [severity](const Finding& one) { return one.severity == severity; }));
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

class Page {
 public:
  explicit Page(bool colours) : colours_(colours) {}

  // `label` in the first line, `indent` columns of nothing in those after it.
  void paragraph(const std::string& label, size_t indent, const std::string& text) {
    bool first = true;
    for (const std::string& line : wrap(text, kReportColumns - indent)) {
      text_ += (first ? label : std::string(indent, ' ')) + line + "\n";
      first = false;
    }
  }

  void line(const std::string& text = "") { text_ += text + "\n"; }

  std::string coloured(Severity severity, const std::string& text) const {
    return colours_ ? colour_of(severity) + text + "\x1b[0m" : text;
  }

  std::string take() { return std::move(text_); }

 private:
  bool colours_;
  std::string text_;
};

std::string verdict_of(const Findings& findings) {
  std::string counts;
  for (const Severity severity : kWorstFirst) {
    const size_t number = count(findings, severity);
    if (number == 0) continue;
    counts += (counts.empty() ? "" : ", ") +
              (severity == Severity::critical ? std::to_string(number) + " critical" : counted(number, name(severity)));
  }
  return counts.empty() ? "all is well" : counts;
}

}  // namespace

const char* name(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::notice:
      return "notice";
    case Severity::warning:
      return "warning";
    case Severity::critical:
      return "critical";
  }
  return "unknown";
}

ExitCode exit_code_of(Severity worst) {
  switch (worst) {
    case Severity::critical:
      return kExitCritical;
    case Severity::warning:
      return kExitWarning;
    case Severity::notice:
    case Severity::ok:
      break;
  }
  return kExitOk;
}

std::string report_text(const ReportHead& head, const Findings& findings, bool colours) {
  Page page(colours);
  const Severity worst = worst_of(findings);
  page.line(page.coloured(worst, verdict_of(findings)) + " (" + head.role + ", " + head.file + ")");
  for (const Severity severity : kWorstFirst) {
    for (const Finding& finding : findings) {
      if (finding.severity != severity) continue;
      page.line();
      const std::string label = padded(word_of(severity), kMargin);
      const auto under = [&page](const char* word, const std::string& text) {
        if (!text.empty()) page.paragraph(std::string(kMargin, ' ') + padded(word, 7), kMargin + 7, text);
      };
      page.paragraph(page.coloured(severity, label), kMargin, finding.subject + ": " + finding.what);
      under("means:", finding.means);
      under("do:", finding.action);
    }
  }
  if (count(findings, Severity::ok) != 0) page.line();
  for (const Finding& finding : findings) {
    if (finding.severity != Severity::ok) continue;
    const std::string label = page.coloured(Severity::ok, "ok") + "  " + padded(finding.subject, kSubjectWidth) + "  ";
    page.paragraph(label, 4 + kSubjectWidth + 2, finding.what);
  }
  return page.take();
}

std::string report_json(const ReportHead& head, const Findings& findings) {
  using Json = nlohmann::ordered_json;
  Json counts = Json::object();
  for (const Severity severity : {Severity::critical, Severity::warning, Severity::notice, Severity::ok}) {
    counts[name(severity)] = count(findings, severity);
  }
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"severity", name(finding.severity)},
                    {"subject", finding.subject},
                    {"what", finding.what},
                    {"means", finding.means},
                    {"action", finding.action}});
  }
  const Json json{{"worst", name(worst_of(findings))},
                  {"took_ms", head.took_ms},
                  {"deadline_ms", head.deadline_ms},
                  {"role", head.role},
                  {"file", head.file},
                  {"counts", counts},
                  {"findings", list}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string diff_text(const ModulePlaces& module) {
  Page page(false);
  bool differs = false;
  for (const TablePlaces& table : module.tables) {
    const auto rows = all_differences(table);
    if (rows.empty() && table.at(Place::memory).count == 0 && !table.at(Place::file).known) continue;
    page.paragraph("", 0, table.name + ": " + counts_text(table));
    for (const RowDifference& row : rows) {
      differs = true;
      page.paragraph("  ", 4, row.key);
      page.paragraph("      ", 6, row.text);
    }
  }
  if (!differs) page.line("no row differs");
  return page.take();
}

std::string diff_json(const ModulePlaces& module) {
  using Json = nlohmann::ordered_json;
  Json tables = Json::array();
  for (const TablePlaces& table : module.tables) {
    Json counts = Json::object(), rows = Json::array();
    constexpr std::array kNames = {"file", "memory", "runtime", "disk"};
    for (size_t i = 0; i < kPlaces; ++i) {
      counts[kNames[i]] = table.places[i].known ? Json(table.places[i].count) : Json(nullptr);
    }
    for (const RowDifference& row : all_differences(table)) {
      rows.push_back({{"key", row.key}, {"difference", row.text}});
    }
    tables.push_back({{"table", table.name}, {"rows", counts}, {"differences", rows}});
  }
  const Json json{{"module", module.module->name}, {"tables", tables}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pulse
