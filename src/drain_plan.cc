#include "src/drain_plan.h"

#include <algorithm>
#include <charconv>

#include "shm/record/attempts.h"

namespace pulse {

namespace {

// Per MySQL thread but the first, and all other time that PAUSE takes: 0.02, 1.12, 3.2 to 4.0 and 7.5 s were measured
// with 1, 2, 4 and 8 threads.
constexpr milliseconds kPausePerThread{1070};
constexpr milliseconds kPauseBase{1000};

// What a process needs beyond the drain's own deadline, at most.
constexpr milliseconds kAroundDrain{2000};

bool take_number(std::string_view& text, milliseconds& number) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || value < 0 || value > 3'600'000) return false;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  number = milliseconds(value);
  return true;
}

milliseconds span_of(const std::vector<DrainStep>& steps) {
  milliseconds span{0};
  for (const DrainStep& step : steps) span += step.lasts;
  return span;
}

}  // namespace

Result<std::vector<DrainStep>> parse_drain_steps(const std::vector<std::string>& texts) {
  std::vector<DrainStep> steps;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    DrainStep step{};
    const bool last = &text == &texts.back();
    bool good = take_number(rest, step.wait_timeout);
    if (!rest.empty() && rest.front() == ':') {
      rest.remove_prefix(1);
      good = good && take_number(rest, step.lasts) && step.lasts.count() > 0 && !last;
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

DrainPolicy drain_policy(const Config& config) {
  DrainPolicy policy;
  policy.settle = config.drain_settle;
  policy.timeout = config.drain_timeout;
  policy.lowers = !config.is_core();
  if (const auto steps = parse_drain_steps(config.drain_steps)) policy.steps = *steps;  // load_config() refused others
  return policy;
}

milliseconds pause_span(int64_t mysql_threads) {
  return kPauseBase + kPausePerThread * (std::clamp<int64_t>(mysql_threads, 1, 1024) - 1);
}

std::optional<milliseconds> pause_at(const DrainPolicy& policy, int64_t mysql_threads) {
  // 4 is ProxySQL's own default.
  const milliseconds span = pause_span(mysql_threads == 0 ? 4 : mysql_threads);
  const milliseconds at = policy.timeout - kDrainStopReserve - span;
  if (at < policy.settle) return std::nullopt;
  return at;
}

DrainAction next_drain_action(const DrainPolicy& policy, const DrainSight& sight) {
  if (sight.elapsed >= policy.settle && sight.empty_for >= kDrainQuiet) return DrainAction::stop;
  if (sight.elapsed >= policy.timeout - kDrainStopReserve) return DrainAction::stop;
  const auto pause = pause_at(policy, sight.mysql_threads);
  const bool clients = sight.empty_for.count() == 0;
  if (sight.admin && clients && pause && sight.elapsed >= *pause) return DrainAction::pause_and_stop;
  return DrainAction::wait;
}

milliseconds wait_timeout_at(const DrainPolicy& policy, const DrainSight& sight) {
  const bool settled = sight.elapsed >= policy.settle;
  // The last step has a quarter of the time, and two seconds at least: a transaction that began under another one has
  // to end, and then ProxySQL, which looks once a second, has to meet the gap before the next.
  constexpr milliseconds kLast{2000};
  const milliseconds all = pause_at(policy, sight.mysql_threads).value_or(policy.timeout - kDrainStopReserve);
  const milliseconds end = all - std::max(kLast, all / 4);
  const milliseconds span = span_of(policy.steps);
  const double scale =
      span <= end ? 1.0 : static_cast<double>(std::max<int64_t>(0, end.count())) / static_cast<double>(span.count());
  milliseconds value{0};
  double begins = 0;
  for (const DrainStep& step : policy.steps) {
    if (static_cast<double>(sight.elapsed.count()) < begins) break;
    value = step.wait_timeout;
    begins += static_cast<double>(step.lasts.count()) * scale;
  }
  if (sight.no_newcomer_for >= kDrainNoNewcomer) {
    const milliseconds last = policy.steps.back().wait_timeout;
    const bool resting_went = sight.no_newcomer_for >= kDrainNoNewcomer + kDrainRestingFirst;
    value = std::min(value, resting_went ? last : std::max(last, kDrainLowestUnsettled));
  }
  return settled ? value : std::max(value, kDrainLowestUnsettled);
}

std::chrono::seconds least_grace(const Config& config) {
  return std::chrono::ceil<std::chrono::seconds>(config.drain_timeout + kAroundDrain);
}

std::string grace_problem(const Config& config) {
  if (config.drain_grace.count() == 0 || config.drain_grace >= least_grace(config)) return "";
  return "pulse.drain.grace_ms = " + std::to_string(config.drain_grace.count()) +
         " is too short for pulse.drain.timeout_ms = " + std::to_string(config.drain_timeout.count()) +
         ": the pod would be killed in the middle of the drain; set " + "terminationGracePeriodSeconds to " +
         std::to_string(least_grace(config).count()) + " at least, or lower the timeout";
}

bool is_draining(int64_t draining_since_ns, const DrainRecord& record, int64_t port_answers_since_ns) {
  if (draining_since_ns == 0) return false;
  const bool stopped =
      record.outcome == static_cast<uint8_t>(DrainOutcome::stopped) && record.ended_ns >= draining_since_ns;
  return !stopped || port_answers_since_ns <= record.ended_ns;
}

bool may_be_at_work(int64_t draining_since_ns, const DrainRecord& record, milliseconds timeout, int64_t now_ns) {
  if (draining_since_ns == 0 || record.ended_ns >= draining_since_ns) return false;
  const int64_t deadline_ns =
      record.began_ns >= draining_since_ns ? record.deadline_ns : draining_since_ns + nanoseconds(timeout).count();
  return now_ns < deadline_ns + nanoseconds(kAroundDrain).count();
}

DrainLeft judge_drain(const DrainRecord& record, int64_t draining_since_ns, int64_t proxysql_started_ns) {
  // Announced, and dead before it could write down of which boot it is: then only a ProxySQL that started later is
  // another one.
  const bool of_this_drain = record.began_ns >= draining_since_ns;
  const bool ended = of_this_drain && record.ended_ns >= record.began_ns;
  // It was seen to end, so whatever answers now is another one, however soon it came.
  if (ended && record.outcome == static_cast<uint8_t>(DrainOutcome::stopped)) return DrainLeft::other_boot;
  const bool same_boot = of_this_drain && record.proxysql_started_ns != 0
                             ? is_same_boot(record.proxysql_started_ns, proxysql_started_ns)
                             : proxysql_started_ns <= draining_since_ns;
  if (!same_boot) return DrainLeft::other_boot;
  return ended ? DrainLeft::stays : DrainLeft::died;
}

bool has_left_changes(const DrainRecord& record, int64_t proxysql_started_ns) {
  return record.outcome != static_cast<uint8_t>(DrainOutcome::undone) && record.proxysql_started_ns != 0 &&
         is_same_boot(record.proxysql_started_ns, proxysql_started_ns);
}

const char* name(DrainPhase phase) {
  switch (phase) {
    case DrainPhase::none:
      return "none";
    case DrainPhase::lock:
      return "lock";
    case DrainPhase::settle:
      return "settle";
    case DrainPhase::close:
      return "close";
    case DrainPhase::pause:
      return "pause";
    case DrainPhase::stop:
      return "stop";
    case DrainPhase::ended:
      return "ended";
  }
  return "unknown";
}

const char* name(DrainOutcome outcome) {
  switch (outcome) {
    case DrainOutcome::none:
      return "none";
    case DrainOutcome::stopped:
      return "stopped";
    case DrainOutcome::drained:
      return "drained";
    case DrainOutcome::failed:
      return "failed";
    case DrainOutcome::undone:
      return "undone";
  }
  return "unknown";
}

}  // namespace pulse
