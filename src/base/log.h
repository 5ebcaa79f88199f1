// Log lines to stderr, which is ProxySQL's own log for a program that its scheduler starts. Times are UTC: the
// scheduler gives no TZ.
#pragma once

#include <string>

namespace pulse {

// Names the program in each line. Nothing is set up before the first line is written: a quiet beat pays nothing.
void set_log_name(const char* name);

void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);

// A repeated failure is logged the 1st, 2nd, 4th, 8th, ... time.
constexpr bool is_worth_logging(unsigned long times) { return times != 0 && (times & (times - 1)) == 0; }

}  // namespace pulse
