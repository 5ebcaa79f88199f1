#include "src/config/drain_steps.h"

#include <string_view>

#include "src/base/number.h"
#include "src/config/settings.h"

namespace pulse {

namespace {

bool take_span(std::string_view& text, milliseconds& span) {
  const auto value = take_number<int64_t>(text);
  if (!value || *value < 0 || *value > 3'600'000) return false;
  span = milliseconds(*value);
  return true;
}

}  // namespace

Result<std::vector<DrainStep>> parse_drain_steps(const std::vector<std::string>& texts) {
  std::vector<DrainStep> steps;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    DrainStep step{};
    const bool last = &text == &texts.back();
    bool good = take_span(rest, step.wait_timeout);
    if (!rest.empty() && rest.front() == ':') {
      rest.remove_prefix(1);
      good = good && take_span(rest, step.lasts) && step.lasts.count() > 0 && !last;
    } else {
      good = good && last;
    }
    if (!good || !rest.empty()) {
      return Error{"\"" + text + "\": allowed are WAIT_TIMEOUT_MS:SPAN_MS and, as the last one, WAIT_TIMEOUT_MS alone"};
    }
    if (!steps.empty() && step.wait_timeout >= steps.back().wait_timeout) {
      return Error{"\"" + text + "\": each step's wait timeout must be below the one before it"};
    }
    steps.push_back(step);
  }
  if (steps.empty()) return Error{"a list without any step"};
  return steps;
}

std::chrono::seconds least_grace(const Config& config) {
  return std::chrono::ceil<std::chrono::seconds>(config.drain.timeout + kAroundDrain);
}

std::string grace_problem(const Config& config) {
  if (config.drain.grace.count() == 0 || config.drain.grace >= least_grace(config)) return "";
  return "pulse.drain.grace_ms = " + std::to_string(config.drain.grace.count()) +
         " is too short for pulse.drain.timeout_ms = " + std::to_string(config.drain.timeout.count()) +
         ": the pod would be killed in the middle of the drain; set " + "terminationGracePeriodSeconds to " +
         std::to_string(least_grace(config).count()) + " at least, or lower the timeout";
}

}  // namespace pulse
