// The log on stderr, in ProxySQL's manner.
#pragma once

#include <string>

namespace proxysql_double {

// One line each, written with one write(2): lines of threads never mix.
void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);

}  // namespace proxysql_double
