#include "scheduler/drain/drain_admin.h"

#include <algorithm>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/drain/drain_plan.h"
#include "scheduler/drain/variables_sync.h"
#include "scheduler/run/engine_clock.h"
#include "shm/record/drains.h"
#include "src/base/log.h"
#include "src/base/number.h"

namespace pulse {

namespace {

std::string set_variable(const char* name, int64_t value) {
  return "UPDATE global_variables SET variable_value = '" + std::to_string(value) + "' WHERE variable_name = '" + name +
         "'";
}

}  // namespace

Result<void> set_timeouts(AdminClient& client, int64_t poll_ms, int64_t wait_ms, Deadline deadline) {
  for (const std::string& statement :
       {set_variable("mysql-poll_timeout", poll_ms), set_variable("mysql-wait_timeout", wait_ms),
        std::string("LOAD MYSQL VARIABLES TO RUNTIME")}) {
    if (auto done = client.query(statement, deadline); !done) return done.error();
  }
  return {};
}

// Tables as reviewed for the beat (cluster/cluster_query.h), and runtime_global_variables: its lower-case name makes
// ProxySQL fill it anew, 0.6 to 1 ms under the admin mutex.
Result<Sighting> look_at(AdminClient& client, Deadline deadline) {
  auto answer = client.query(
      "SELECT Variable_Name, Variable_Value FROM stats_mysql_global WHERE Variable_Name IN ('ProxySQL_Uptime', "
      "'Client_Connections_connected', 'Client_Connections_created', 'Client_Connections_non_idle', 'Questions', "
      "'mysql_listener_paused') UNION ALL "
      "SELECT variable_name, "
      "variable_value FROM runtime_global_variables WHERE variable_name IN ('mysql-poll_timeout', "
      "'mysql-wait_timeout', "
      "'mysql-threads')",
      deadline);
  if (!answer) return answer.error();
  Sighting seen;
  for (const auto& row : answer->rows) {
    if (row.size() != 2) continue;
    const int64_t number = to_number<int64_t>(row[1]).value_or(-1);
    if (row[0] == "ProxySQL_Uptime") seen.uptime_s = number;
    if (row[0] == "Client_Connections_connected") seen.clients = number;
    if (row[0] == "Client_Connections_created") seen.created = number;
    if (row[0] == "Client_Connections_non_idle") seen.not_idle = number;
    if (row[0] == "Questions") seen.questions = number;
    if (row[0] == "mysql_listener_paused") seen.paused = row[1] == "true" || row[1] == "1";
    if (row[0] == "mysql-poll_timeout") seen.poll_timeout_ms = number;
    if (row[0] == "mysql-wait_timeout") seen.wait_timeout_ms = number;
    if (row[0] == "mysql-threads") seen.threads = std::max<int64_t>(0, number);
  }
  if (seen.uptime_s < 0 || seen.clients < 0 || seen.wait_timeout_ms < 0 || seen.poll_timeout_ms < 0) {
    return Error{"ProxySQL's answer is incomplete: no uptime, clients or timeouts"};
  }
  return seen;
}

Result<std::string> tell_unloaded_edits(AdminClient& client, Deadline deadline) {
  auto edits = client.query(
      "SELECT m.variable_name FROM global_variables m JOIN runtime_global_variables r ON r.variable_name = "
      "m.variable_name WHERE m.variable_name LIKE 'mysql-%' AND m.variable_name NOT IN ('mysql-poll_timeout', "
      "'mysql-wait_timeout') AND m.variable_value <> r.variable_value",
      deadline);
  if (!edits) return edits.error();
  std::string names;
  for (const auto& row : edits->rows) names += (names.empty() ? "" : ", ") + row.at(0);
  if (!names.empty()) {
    log_warning("drain: " + names + " had been set and not loaded, and go live with LOAD MYSQL VARIABLES TO RUNTIME");
  }
  return names;
}

namespace {

Result<VariablesSync> sync_with_cores(AdminClient& client, Deadline deadline) {
  auto answer = client.query(variables_sync_statement(), deadline);
  if (!answer) return answer.error();
  return variables_sync_of(*answer);
}

// Until no pull is due any more, or `by`.
Result<void> wait_for_pull(AdminClient& client, Deadline by, Deadline deadline) {
  SystemClock clock;
  for (;;) {
    const auto sync = sync_with_cores(client, deadline);
    if (!sync) return sync.error();
    if (!sync->pull_due || by.passed()) return {};
    clock.sleep_until(std::min(clock.now() + milliseconds(100), by.instant()));
  }
}

// Whether the two variables are as a drain sets them. A core's load, pulled since, has put both back.
bool is_lowered(const Sighting& seen, const DrainRecord& record) {
  return seen.poll_timeout_ms == kDrainPollTimeoutMs || seen.wait_timeout_ms == record.lowered_to_ms;
}

// What may be lost: a core's load of MySQL variables, for a load here makes this node's the newest. So one that is due
// comes first, nothing is loaded where there is nothing to put back, and what was overtaken all the same is said.
Result<void> restore_timeouts(AdminClient& client, const DrainRecord& record, Deadline deadline) {
  const Deadline patience = Deadline::after(std::min<nanoseconds>(kPullPatience, deadline.left() / 2));
  if (auto waited = wait_for_pull(client, patience, deadline); !waited) return waited;
  const auto seen = look_at(client, deadline);
  if (!seen) return seen.error();
  if (!is_lowered(*seen, record)) {
    log_info("drain: a core's load has put mysql-wait_timeout and mysql-poll_timeout back already");
    return {};
  }
  if (auto edits = tell_unloaded_edits(client, deadline); !edits) return edits.error();
  auto restored = set_timeouts(client, record.poll_timeout_ms, record.wait_timeout_ms, deadline);
  if (!restored) return restored;
  const auto sync = sync_with_cores(client, deadline);
  if (!sync) return sync.error();
  if (sync->overtaken != 0) log_warning("drain: " + overtaken_text(*sync));
  return {};
}

}  // namespace

Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline) {
  // On a connection of its own: some versions answer RESUME twice.
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return client.error();
  const auto seen = look_at(*client, deadline);
  if (!seen) return seen.error();
  if (!has_left_changes(record, started_boot_ns(*seen, boottime_ns()))) return {};
  if (record.wait_timeout_ms >= 0) {
    if (auto restored = restore_timeouts(*client, record, deadline); !restored) return restored;
  }
  const bool paused = record.paused != 0 || record.phase == static_cast<uint8_t>(DrainPhase::pause);
  if (!paused || !seen->paused) return {};
  auto resumed = client->query("PROXYSQL RESUME", deadline);
  if (!resumed) return resumed.error();
  return {};
}

Result<void> DrainAdmin::connect(Deadline by) {
  auto client = AdminClient::connect(target_, by);
  if (!client) return client.error();
  client_ = std::move(*client);
  return {};
}

Result<bool> DrainAdmin::pull_is_due(Deadline by) {
  const auto sync = sync_with_cores(*client_, by);
  if (!sync) return sync.error();
  return sync->pull_due;
}

Result<VariablesReach> DrainAdmin::variables_reach(Deadline by) {
  const auto answer = client_->query(variables_reach_statement(), by);
  if (!answer) return answer.error();
  return variables_reach_of(*answer);
}

Result<std::vector<RestingSession>> DrainAdmin::resting_sessions(milliseconds rests, Deadline by) {
  const auto answer = client_->query(resting_sessions_statement(rests, !users_read_), by);
  if (!answer) return answer.error();
  users_read_ = true;
  return resting_sessions_of(*answer);
}

Result<bool> DrainAdmin::close_session(uint32_t id, Deadline by) {
  const auto done = client_->query("KILL CONNECTION " + std::to_string(id), by);
  if (done) return true;
  if (done.error().text.find("Unknown thread id") != std::string::npos) return false;
  return done.error();
}

Result<void> DrainAdmin::run(const std::string& command, Deadline by) {
  auto done = client_->query(command, by);
  if (!done) return done.error();
  return {};
}

}  // namespace pulse
