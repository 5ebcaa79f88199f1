#include "daemon/one_shot/drain_runner.h"

#include <system_error>

namespace pulse {

namespace {

// Beyond its own deadline and hard timer.
constexpr milliseconds kDrainOverdue{2000};

}  // namespace

DrainJob::DrainJob(const Config& config, std::function<void(const OneShotEnd&)> on_end)
    : drain_(config, "drain"), longest_(config.drain.timeout + kDrainOverdue), on_end_(std::move(on_end)) {}

DrainJob::~DrainJob() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

Result<void> DrainJob::start() {
  if (thread_.joinable()) thread_.join();  // past its on_end
  try {
    thread_ = std::thread([this] {
      const OneShotEnd end = drain_.run(longest_, stopping_);
      if (!stopping_) on_end_(end);
    });
  } catch (const std::system_error& failure) {
    return system_error("start a thread for the drain", failure.code().value());
  }
  return {};
}

}  // namespace pulse
