#include "src/base/log.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <mutex>
#include <utility>

#include "src/base/log_output.h"

namespace pulse {

namespace {

const char* g_name = "proxysql-pulse";
LogOutput g_output = write_to_stderr;

struct Level {
  const char* name;
  const char* colour;  // on a terminal
};
constexpr Level kInfo{"info", "\033[32m"};
constexpr Level kWarning{"warning", "\033[33m\033[1m"};
constexpr Level kError{"error", "\033[31m\033[1m"};

// "2026-01-31 23:59:59.123 UTC"
std::string now_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d.%03d UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(now.tv_nsec / 1'000'000));
  return text;
}

// Hands on each line as one piece.
void log(const Level& level, const std::string& text) {
  static std::mutex mutex;
  static const bool in_colour = ::isatty(STDERR_FILENO) != 0;
  const std::string shown = in_colour ? level.colour + std::string(level.name) + "\033[m" : level.name;
  std::string line = now_text() + " " + g_name + " [" + shown + "] " + text + "\n";
  const std::lock_guard<std::mutex> hold(mutex);
  g_output(std::move(line));
}

}  // namespace

void set_log_name(const char* name) { g_name = name; }
void set_log_output(LogOutput output) { g_output = output; }
void log_info(const std::string& text) { log(kInfo, text); }
void log_warning(const std::string& text) { log(kWarning, text); }
void log_error(const std::string& text) { log(kError, text); }

}  // namespace pulse
