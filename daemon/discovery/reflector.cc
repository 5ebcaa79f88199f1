#include "daemon/discovery/reflector.h"

#include <algorithm>

namespace pulse {

namespace {

nanoseconds backoff(unsigned failures, double random) {
  // A third of the wait at most is by chance: 0.8 to 1.2 s, doubling, up to 10 to 15 s.
  const nanoseconds most = kLongestBackoff * 2 / 3;
  nanoseconds wait = kShortestBackoff;
  for (unsigned i = 1; i < failures && wait < most; ++i) wait *= 2;
  wait = std::min(wait, most);
  return wait + nanoseconds(static_cast<int64_t>(static_cast<double>(wait.count()) * random / 2));
}

}  // namespace

ReflectorStep next_step(ReflectorState& state, const ApiOutcome& outcome, double random) {
  using Kind = ApiOutcome::Kind;
  const ApiRequest ended = state.next;
  if (outcome.kind == Kind::done) {
    if (ended == ApiRequest::watch) prove(state);
    state.watch_failures = 0;
    state.next = ApiRequest::watch;
    return {};
  }
  ++state.failures;
  if (outcome.kind == Kind::expired) {
    state.next = ApiRequest::list;
    if (state.failures == 1) return {};
    return {backoff(state.failures - 1, random), true};
  }
  // The token may have been replaced while the request was under way: once, at once.
  if (outcome.status == 401 && state.failures == 1) return {};
  if (ended == ApiRequest::watch) {
    // Where a watch is refused, or can't be read, its resource version may be the reason: only a list gets out of that.
    constexpr unsigned kWatchFailures = 3;
    ++state.watch_failures;
    const bool refused = outcome.status >= 400 && outcome.status < 500 && outcome.status != 401 &&
                         outcome.status != 403 && outcome.status != 429;
    if (outcome.unreadable || refused || state.watch_failures >= kWatchFailures) state.next = ApiRequest::list;
  }
  const auto asked = std::clamp(outcome.retry_after, std::chrono::seconds(0), kLongestRetryAfter);
  // From the failed request's beginning: one that hung has waited already.
  const nanoseconds left = std::max<nanoseconds>(backoff(state.failures, random) - outcome.took, kShortestBackoff);
  return {std::max<nanoseconds>(left, asked), true};
}

void prove(ReflectorState& state) { state.failures = state.watch_failures = 0; }

std::chrono::seconds watch_span(milliseconds longest, double random) {
  const auto cut = static_cast<int64_t>(static_cast<double>(longest.count()) * random / 10);
  const auto span = std::chrono::duration_cast<std::chrono::seconds>(longest - milliseconds(cut));
  return std::max(span, std::chrono::seconds(1));
}

}  // namespace pulse
