#include "scheduler/drain/close_plan.h"

#include "src/base/number.h"

namespace pulse {

std::string resting_sessions_statement(milliseconds rests, bool users_anew) {
  // ProxySQL fills a table anew when a statement has its name in lower case.
  return "SELECT SessionID, time_ms FROM stats_mysql_processlist WHERE command = 'Sleep' AND srv_host IS NULL"
         " AND cli_host <> 'mirror_internal' AND time_ms >= " +
         std::to_string(rests.count()) + " AND user IN (SELECT username FROM " +
         (users_anew ? "runtime_mysql_users" : "RUNTIME_MYSQL_USERS") +
         " WHERE frontend = 1 AND transaction_persistent = 1) ORDER BY time_ms DESC LIMIT " +
         std::to_string(kCloseBatch);
}

std::vector<RestingSession> resting_sessions_of(const AdminResult& answer) {
  std::vector<RestingSession> sessions;
  for (const auto& row : answer.rows) {
    if (row.size() != 2) continue;
    const auto id = to_number<uint32_t>(row[0]);
    const auto rests = to_number<int64_t>(row[1]);
    if (id && rests && *rests >= 0) sessions.push_back({*id, milliseconds(*rests)});
  }
  return sessions;
}

std::optional<milliseconds> close_from(const DrainPolicy& policy, const DrainSight& sight) {
  if (sight.elapsed < policy.settle) return std::nullopt;
  return wait_timeout_at(policy, sight);
}

bool may_close(const RestingSession& session, nanoseconds since_look) {
  return since_look <= kCloseAtOnce || since_look * kCloseShare <= session.rests;
}

}  // namespace pulse
