#include "scheduler/drain/drain_text.h"

#include "src/base/show.h"
#include "src/config/drain_steps.h"

namespace pulse {

std::string clients_text(int64_t clients) {
  return clients < 0 ? "an unknown number of clients" : counted(static_cast<uint64_t>(clients), "client");
}

std::string first_count_text(int64_t clients, const DrainPolicy& policy) {
  return clients_text(clients) + "; " + (policy.stops ? "stops" : "ends") + " when they have left, " +
         show_seconds(nanoseconds(policy.settle).count()) + " from now at the earliest and " +
         show_seconds(nanoseconds(policy.timeout).count()) + " at the latest";
}

std::string will_cut_text(int64_t idle, const DrainEstimate& found) {
  return clients_text(idle) + " rest in ProxySQL's idle threads, which close " + std::to_string(kIdleSessionsPerPass) +
         " each in two seconds: that takes " + show_seconds(nanoseconds(found.needed).count()) + ", so some " +
         clients_text(found.cut) + " will be cut; a drain.timeout_ms of " +
         std::to_string((found.needed + kDrainStopReserve).count()) + " would hold them";
}

std::string lowered_again_text(const char* protocol, int64_t wait_timeout_ms) {
  return std::string("drain: ") + protocol + "-wait_timeout was set to " + std::to_string(wait_timeout_ms) +
         " by somebody else, a core's load as a rule; lowered again";
}

std::string stopped_text(const std::string& how, int64_t left) {
  return "ProxySQL was stopped by " + how + "; " + (left == 0 ? "no client was left" : clients_text(left) + " cut");
}

std::string runs_on_text(const std::string& error, bool process_seen, int64_t left) {
  return "ProxySQL runs on: " + (error.empty() ? "it didn't end in time" : error) +
         (process_seen ? "" : ", and its process can't be seen from here to send it SIGTERM") + "; " +
         (left == 0 ? "no client is left" : clients_text(left) + " left") +
         ", readiness stays 503 until proxysql-pulse undrain";
}

std::string drained_text(bool paused, int64_t left) {
  return paused ? "drained and paused: new connections are refused; " + clients_text(left) + " left"
                : "drained, no client is left; proxysql-pulse undrain ends it";
}

std::string still_here_text(const std::string& error, int64_t left) {
  return clients_text(left) + " still here at the deadline" + (error.empty() ? "" : ": " + error) +
         "; readiness stays 503 until proxysql-pulse undrain";
}

std::string circumstances_text(const DrainRecord& record, bool succeeded, nanoseconds took, const std::string& error,
                               const std::string& edits) {
  std::string text;
  if (succeeded) {
    text += ", " + show_seconds(nanoseconds(took).count()) + " after the drain began";
    if (record.clients_first > 0) text += " with " + clients_text(record.clients_first);
  }
  if (record.admin_unresponsive != 0) {
    text += "; the admin interface was unresponsive" + (error.empty() ? "" : " (" + error + ")");
  }
  if (record.closed > 0) {
    text += "; " + counted(static_cast<uint64_t>(record.closed), "resting session") + " closed one by one";
  }
  if (!edits.empty()) text += "; " + edits + " had been set and not loaded, and went live";
  // Nobody could be counted towards the end: the figure is what was known last.
  constexpr int64_t kOld = 1'000'000'000;
  if (const int64_t age = record.ended_ns - record.clients_at_ns; record.clients > 0 && age > kOld) {
    text += "; they were last counted " + show_seconds(age) + " before";
  }
  return text;
}

}  // namespace pulse
