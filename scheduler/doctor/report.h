// Doctor's findings as a page for people and as JSON. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/doctor/finding.h"
#include "scheduler/doctor/module_places.h"
#include "src/base/exit_code.h"

namespace pulse {

// What stands above the findings.
struct ReportHead {
  std::string role;  // "core", "satellite", "role unknown"
  std::string file;  // the configuration's
  int64_t took_ms = 0;
  int64_t deadline_ms = 0;
};

inline constexpr size_t kReportColumns = 80;

// The worst first, what is well in one line each at the end. No line is longer than kReportColumns, unless one word is.
// `colours`: the severity's word has one, for a terminal.
std::string report_text(const ReportHead& head, const Findings& findings, bool colours);

// {"worst", "took_ms", "deadline_ms", "role", "file", "counts", "findings": [{"severity", "subject", "what", "means",
// "action"}]}
std::string report_json(const ReportHead& head, const Findings& findings);

// All that differs in a module, row by row, for `doctor --diff`.
std::string diff_text(const ModulePlaces& module);
std::string diff_json(const ModulePlaces& module);

// 0 for ok and notices.
ExitCode exit_code_of(Severity worst);

}  // namespace pulse
