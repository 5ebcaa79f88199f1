#include "scheduler/drain/drain_plan.h"

#include <algorithm>

#include "src/config/drain_steps.h"

namespace pulse {

namespace {

// Per thread but the first, and all other time that PAUSE takes: 0.02, 1.12, 3.2 to 4.0 and 7.5 s were measured with 1,
// 2, 4 and 8 MySQL threads; with as many of MySQL and PostgreSQL each 0.1, 2.1, 5.2 and 14.2 s, with 1 + 4 4.2 s.
constexpr milliseconds kPausePerThread{1070};
constexpr milliseconds kPauseBase{1000};

milliseconds span_of(const std::vector<DrainStep>& steps) {
  milliseconds span{0};
  for (const DrainStep& step : steps) span += step.lasts;
  return span;
}

}  // namespace

DrainPolicy drain_policy(const Config& config) {
  DrainPolicy policy;
  policy.settle = config.drain.settle;
  policy.timeout = config.drain.timeout;
  policy.satellite = config.is_satellite();
  policy.standalone = config.role == Role::standalone;
  if (const auto steps = parse_drain_steps(config.drain.steps)) policy.steps = *steps;  // load_config() refused others
  return policy;
}

milliseconds pause_span(int64_t mysql_threads, int64_t pgsql_threads) {
  const auto bounded = [](int64_t threads) { return std::clamp<int64_t>(threads, 0, 1024); };
  return kPauseBase + kPausePerThread * std::max<int64_t>(0, bounded(mysql_threads) + bounded(pgsql_threads) - 1);
}

std::optional<milliseconds> pause_at(const DrainPolicy& policy, int64_t mysql_threads, int64_t pgsql_threads) {
  // 4 is ProxySQL's own default.
  const milliseconds span = pause_span(mysql_threads == 0 && pgsql_threads == 0 ? 4 : mysql_threads, pgsql_threads);
  const milliseconds at = policy.timeout - kDrainStopReserve - span;
  if (at < policy.settle) return std::nullopt;
  return at;
}

DrainAction next_drain_action(const DrainPolicy& policy, const DrainSight& sight) {
  if (sight.elapsed >= policy.settle && sight.empty_for >= kDrainQuiet) return DrainAction::stop;
  if (sight.elapsed >= policy.timeout - kDrainStopReserve) return DrainAction::stop;
  const auto pause = pause_at(policy, sight.mysql_threads, sight.pgsql_threads);
  const bool clients = sight.empty_for.count() == 0;
  if (sight.admin && clients && pause && sight.elapsed >= *pause) return DrainAction::pause_and_stop;
  return DrainAction::wait;
}

milliseconds wait_timeout_at(const DrainPolicy& policy, const DrainSight& sight) {
  const bool settled = sight.elapsed >= policy.settle;
  // The last step has a quarter of the time, and two seconds at least: a transaction that began under another one has
  // to end, and then ProxySQL, which looks once a second, has to meet the gap before the next.
  constexpr milliseconds kLast{2000};
  const milliseconds all =
      pause_at(policy, sight.mysql_threads, sight.pgsql_threads).value_or(policy.timeout - kDrainStopReserve);
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

}  // namespace pulse
