// What the exit codes of both programs mean.
#pragma once

namespace pulse {

// Exit codes of proxysql-pulse; those below 100 follow sysexits.h, 124 follows timeout(1).
enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 64,
  kExitUnavailable = 69,  // the admin interface is unreachable or refuses
  kExitStatement = 70,    // a statement failed
  kExitOutput = 74,       // a dump can't be written
  kExitSkipped = 75,      // lock busy, or backing off
  kExitConfig = 78,
  kExitTimeout = 124,
};

}  // namespace pulse
