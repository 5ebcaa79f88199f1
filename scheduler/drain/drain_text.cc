#include "scheduler/drain/drain_text.h"

#include <cstdio>

namespace pulse {

namespace {

std::string seconds_text(nanoseconds span) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(span.count()) / 1e9);
  return text;
}

}  // namespace

std::string clients_text(int64_t clients) {
  return clients < 0 ? "an unknown number of clients"
                     : std::to_string(clients) + (clients == 1 ? " client" : " clients");
}

std::string first_count_text(int64_t clients, const DrainPolicy& policy) {
  return clients_text(clients) + "; " + (policy.stops ? "stops" : "ends") + " when they have left, " +
         seconds_text(policy.settle) + " from now at the earliest and " + seconds_text(policy.timeout) +
         " at the latest";
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
    text += ", " + seconds_text(took) + " after the drain began";
    if (record.clients_first > 0) text += " with " + clients_text(record.clients_first);
  }
  if (record.admin_unresponsive != 0) {
    text += "; the admin interface was unresponsive" + (error.empty() ? "" : " (" + error + ")");
  }
  if (!edits.empty()) text += "; " + edits + " had been set and not loaded, and went live";
  return text;
}

}  // namespace pulse
