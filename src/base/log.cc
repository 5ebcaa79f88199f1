#include "src/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace pulse {

namespace {

const char* g_name = "proxysql-pulse";

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
    auto made = std::make_shared<spdlog::logger>(g_name, std::move(sink));
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%d %H:%M:%S.%e UTC %n [%^%l%$] %v",
                                                                    spdlog::pattern_time_type::utc));
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_name(const char* name) { g_name = name; }
void log_info(const std::string& text) { logger().info(text); }
void log_warning(const std::string& text) { logger().warn(text); }
void log_error(const std::string& text) { logger().error(text); }

}  // namespace pulse
