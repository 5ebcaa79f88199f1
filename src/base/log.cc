#include "src/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <mutex>

#include "src/base/log_output.h"

namespace pulse {

namespace {

const char* g_name = "proxysql-pulse";
LogOutput g_output = write_to_stderr;

// Hands on each line as one piece; the level is in colour on a terminal.
class OutputSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string line(formatted.data(), formatted.size());
    if (in_colour_ && message.color_range_end > message.color_range_start) {
      line.insert(message.color_range_end, "\033[m");
      line.insert(message.color_range_start, message.level == spdlog::level::info   ? "\033[32m"
                                             : message.level == spdlog::level::warn ? "\033[33m\033[1m"
                                                                                    : "\033[31m\033[1m");
    }
    g_output(std::move(line));
  }
  void flush_() override {}

 private:
  const bool in_colour_ = ::isatty(STDERR_FILENO) != 0;
};

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>(g_name, std::make_shared<OutputSink>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%d %H:%M:%S.%e UTC %n [%^%l%$] %v",
                                                                    spdlog::pattern_time_type::utc));
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_name(const char* name) { g_name = name; }
void set_log_output(LogOutput output) { g_output = output; }
void log_info(const std::string& text) { logger().info(text); }
void log_warning(const std::string& text) { logger().warn(text); }
void log_error(const std::string& text) { logger().error(text); }

}  // namespace pulse
