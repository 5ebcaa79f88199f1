// What the exit codes of both programs mean: the one list. Help texts are made of it, documentation is held to it.
#pragma once

#include <array>

namespace pulse {

// Exit codes of proxysql-pulse; 1 and 2 are doctor's, as monitoring has them; the others below 100 follow sysexits.h,
// 124 follows timeout(1).
enum ExitCode : int {
  kExitOk = 0,
  kExitWarning = 1,
  kExitCritical = 2,
  kExitUsage = 64,
  kExitRefused = 65,
  kExitUnavailable = 69,
  kExitStatement = 70,
  kExitOutput = 74,
  kExitSkipped = 75,
  kExitConfig = 78,
  kExitTimeout = 124,
};

struct ExitCodeRow {
  ExitCode code;
  const char* name;
  const char* meaning;  // for all commands together; some of them say it more closely
};

inline constexpr std::array<ExitCodeRow, 11> kExitCodes = {{
    {kExitOk, "ok", "done"},
    {kExitWarning, "warning", "doctor: a warning"},
    {kExitCritical, "critical", "doctor: something doesn't work"},
    {kExitUsage, "usage", "usage"},
    {kExitRefused, "refused", "sync-users: refused, for it could do harm"},
    {kExitUnavailable, "unavailable",
     "admin interface unreachable or login refused, or the state segment can't be used"},
    {kExitStatement, "statement", "a statement failed"},
    {kExitOutput, "output", "a dump can't be written"},
    {kExitSkipped, "skipped", "skipped: another one runs, or backing off"},
    {kExitConfig, "config", "bad configuration"},
    {kExitTimeout, "timeout", "hard timeout"},
}};

// The row of a code, or null.
constexpr const ExitCodeRow* find_exit_code(int code) {
  for (const ExitCodeRow& row : kExitCodes) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

}  // namespace pulse
