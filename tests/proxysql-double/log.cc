#include "tests/proxysql-double/log.h"

#include <unistd.h>

#include <ctime>

namespace proxysql_double {
namespace {

void write_line(const char* level, const std::string& text) {
  const time_t now = std::time(nullptr);
  tm parts{};
  ::localtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &parts);
  const std::string line = std::string(stamp) + " [" + level + "] " + text + "\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void log_info(const std::string& text) { write_line("INFO", text); }
void log_warning(const std::string& text) { write_line("WARNING", text); }
void log_error(const std::string& text) { write_line("ERROR", text); }

}  // namespace proxysql_double
