#include "daemon/health/client_port.h"

#include <utility>

namespace pulse {
namespace {

constexpr char kSocketTable[] = "socket table";
constexpr char kConnection[] = "connection";
constexpr nanoseconds kPassiveDeadline = milliseconds(250);
constexpr nanoseconds kActiveDeadline = std::chrono::seconds(1);

std::string as_milliseconds(int64_t span_ns) { return std::to_string(span_ns / 1'000'000) + " ms"; }

void decide(PortVerdict& verdict, bool answers, int64_t at_ns, const char* how, std::string reason) {
  if (verdict.since_ns == 0 || verdict.answers != answers) verdict.since_ns = at_ns;
  verdict.answers = answers;
  verdict.ever_answered = verdict.ever_answered || answers;
  verdict.looked_at_ns = at_ns;
  verdict.how = how;
  verdict.reason = std::move(reason);
}

// Opens the window in which the queue must go down.
void open_window(LookState& state, const PortSample& sample) {
  state.window_ns = sample.accept_queue > 0 ? sample.at_ns : 0;
  state.last_queue = sample.accept_queue;
  state.suspicion_held = false;
}

}  // namespace

LookStep next_look(LookState state, const PortSample& sample) {
  PortVerdict& verdict = state.verdict;
  verdict.listeners.reset();
  if (sample.passive != PortSample::Passive::unavailable) verdict.listeners = sample.inodes;
  switch (sample.passive) {
    case PortSample::Passive::unavailable:
      return {std::move(state), true};
    case PortSample::Passive::not_listening:
      decide(verdict, false, sample.at_ns, kSocketTable, "nothing listens on the port");
      open_window(state, {sample.passive, 0, sample.at_ns, {}});
      return {std::move(state), false};
    case PortSample::Passive::listening:
      break;
  }

  if (sample.accept_queue == 0 || (state.window_ns != 0 && sample.accept_queue < state.last_queue)) {
    decide(verdict, true, sample.at_ns, kSocketTable, "listening, the accept queue is emptied");
    open_window(state, sample);
    return {std::move(state), false};
  }
  if (state.window_ns == 0) open_window(state, sample);
  state.last_queue = sample.accept_queue;
  // Clients that come while nobody knows yet whether they are served leave no time to see the queue stand.
  const bool untried = !verdict.answers && verdict.how != kConnection;
  const int64_t standing_ns = sample.at_ns - state.window_ns;
  const nanoseconds patience = state.suspicion_held ? kConfirmedPause : kSuspiciousQueue;
  if (untried || standing_ns >= patience.count()) return {std::move(state), true};
  // What was known still holds.
  verdict.looked_at_ns = sample.at_ns;
  if (verdict.how != kConnection) {
    verdict.reason = "listening, accept queue of " + std::to_string(sample.accept_queue) + " not seen going down for " +
                     as_milliseconds(standing_ns);
  }
  return {std::move(state), false};
}

LookState after_active_look(LookState state, const ActiveResult& result, int64_t at_ns) {
  std::string reason = result.greeted ? "greeted in " + as_milliseconds(result.took.count()) : result.error;
  if (result.greeted && !result.error.empty()) reason += ", with the error: " + result.error;
  decide(state.verdict, result.greeted, at_ns, kConnection, std::move(reason));
  if (result.greeted && state.closed) ++state.openings;
  if (result.greeted || result.refused) state.closed = result.refused;
  // A suspicion connects although the socket table has told who listens.
  auto& listeners = state.verdict.listeners;
  if (!listeners && result.greeted) listeners = {state.openings};
  if (!listeners && result.refused) listeners.emplace();
  if (state.window_ns != 0) state.window_ns = at_ns;
  state.suspicion_held = !result.greeted;
  return state;
}

PortSample ClientPort::sample() {
  PortSample sample;
  sample.at_ns = boottime_ns();
  if (mode_ == Mode::active) return sample;
  auto state = listen_look_.read(Deadline::after(kPassiveDeadline));
  if (!state) return sample;
  sample.passive = state->listening ? PortSample::Passive::listening : PortSample::Passive::not_listening;
  sample.accept_queue = state->accept_queue;
  sample.inodes = std::move(state->inodes);
  return sample;
}

void ClientPort::tick() {
  LookStep step = next_look(std::move(state_), sample());
  if (step.want_active) {
    const ActiveResult result = greet_(interface_, Deadline::after(kActiveDeadline));
    step.state = after_active_look(std::move(step.state), result, boottime_ns());
  }
  state_ = std::move(step.state);
  const std::lock_guard lock(mutex_);
  verdict_ = state_.verdict;
}

PortVerdict ClientPort::current() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

}  // namespace pulse
