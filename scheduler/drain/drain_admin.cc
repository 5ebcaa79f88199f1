#include "scheduler/drain/drain_admin.h"

#include <algorithm>
#include <utility>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/admin/load_report.h"
#include "scheduler/admin/proxysql_version.h"
#include "scheduler/drain/drain_plan.h"
#include "scheduler/drain/sighting.h"
#include "scheduler/drain/variables_sync.h"
#include "scheduler/run/engine_clock.h"
#include "shm/record/drains.h"
#include "src/base/log.h"

namespace pulse {

namespace {

// A protocol's variables and how they are loaded.
struct VariablesOf {
  const char* prefix;
  const char* load;
};
constexpr VariablesOf kMysql{"mysql-", "LOAD MYSQL VARIABLES TO RUNTIME"};
constexpr VariablesOf kPgsql{"pgsql-", "LOAD PGSQL VARIABLES TO RUNTIME"};

// Sets both variables and loads them to runtime, with whatever else somebody has set and not loaded. Could destroy: a
// core's newer variables, which are waited for before (DrainedAdmin::pull_is_due), and edits, which are told before.
Result<void> set_timeouts(AdminClient& client, const VariablesOf& of, int64_t poll_ms, int64_t wait_ms,
                          Deadline deadline) {
  const auto set = [&](const char* name, int64_t value) {
    return "UPDATE global_variables SET variable_value = '" + std::to_string(value) + "' WHERE variable_name = '" +
           of.prefix + name + "'";
  };
  for (const std::string& statement :
       {set("poll_timeout", poll_ms), set("wait_timeout", wait_ms), std::string(of.load)}) {
    const auto done = client.query(statement, deadline);
    if (!done) return done.error();
    const std::string refused = refused_variables(done->info);
    if (refused.empty()) continue;
    log_warning(std::string("drain: ").append(statement).append(": ProxySQL hasn't taken all: ").append(refused));
  }
  return {};
}

}  // namespace

Result<std::string> version_of(AdminClient& client, Deadline deadline) {
  // In upper case: the name in lower case makes ProxySQL refill runtime_global_variables.
  auto answer =
      client.query("SELECT variable_value FROM GLOBAL_VARIABLES WHERE variable_name = 'admin-version'", deadline);
  if (!answer) return answer.error();
  return answer->rows.empty() || answer->rows[0].empty() ? "" : answer->rows[0][0];
}

Result<Sighting> look_at(AdminClient& client, const std::string& version, Deadline deadline) {
  auto answer = client.query(look_statement(has_pgsql(version)), deadline);
  if (!answer) return answer.error();
  return sighting_of(*answer);
}

Result<std::string> tell_unloaded_edits(AdminClient& client, Protocols which, Deadline deadline) {
  const auto edited = [](const VariablesOf& of) {
    const std::string prefix = of.prefix;
    return "(m.variable_name LIKE '" + prefix + "%' AND m.variable_name NOT IN ('" + prefix + "poll_timeout', '" +
           prefix + "wait_timeout'))";
  };
  std::string of_which = which.mysql ? edited(kMysql) : "";
  if (which.pgsql) of_which += (of_which.empty() ? "" : " OR ") + edited(kPgsql);
  auto edits = client.query(
      "SELECT m.variable_name FROM global_variables m JOIN runtime_global_variables r ON r.variable_name = "
      "m.variable_name WHERE (" +
          of_which + ") AND m.variable_value <> r.variable_value",
      deadline);
  if (!edits) return edits.error();
  std::string names;
  for (const auto& row : edits->rows) names += (names.empty() ? "" : ", ") + row.at(0);
  if (!names.empty()) {
    log_warning("drain: " + names + " had been set and not loaded, and go live with " +
                (which.mysql ? kMysql.load : "") + (which.mysql && which.pgsql ? " and " : "") +
                (which.pgsql ? kPgsql.load : ""));
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

// Whether a protocol's two variables are as a drain sets them. A core's load, pulled since, has put both back.
bool is_lowered(const ListenerSight& seen, const DrainRecord& record) {
  return seen.is_served() &&
         (seen.poll_timeout_ms == kDrainPollTimeoutMs || seen.wait_timeout_ms == record.lowered_to_ms);
}

// What may be lost: a core's load of MySQL variables, for a load here makes this node's the newest. So one that is due
// comes first, nothing is loaded where there is nothing to put back, and what was overtaken all the same is said.
// PostgreSQL's can't be waited for: what a peer holds of them isn't known here.
Result<void> restore_timeouts(AdminClient& client, const std::string& version, const DrainRecord& record,
                              Deadline deadline) {
  if (record.wait_timeout_ms >= 0) {
    const Deadline patience = Deadline::after(std::min<nanoseconds>(kPullPatience, deadline.left() / 2));
    if (auto waited = wait_for_pull(client, patience, deadline); !waited) return waited;
  }
  const auto seen = look_at(client, version, deadline);
  if (!seen) return seen.error();
  const Protocols which{record.wait_timeout_ms >= 0 && is_lowered(seen->mysql, record),
                        record.pgsql_wait_timeout_ms >= 0 && is_lowered(seen->pgsql, record)};
  if (record.wait_timeout_ms >= 0 && seen->mysql.is_served() && !which.mysql) {
    log_info("drain: a core's load has put mysql-wait_timeout and mysql-poll_timeout back already");
  }
  if (!which.any()) return {};
  if (auto edits = tell_unloaded_edits(client, which, deadline); !edits) return edits.error();
  if (which.pgsql) {
    auto restored = set_timeouts(client, kPgsql, record.pgsql_poll_timeout_ms, record.pgsql_wait_timeout_ms, deadline);
    if (!restored) return restored;
  }
  if (!which.mysql) return {};
  auto restored = set_timeouts(client, kMysql, record.poll_timeout_ms, record.wait_timeout_ms, deadline);
  if (!restored) return restored;
  const auto sync = sync_with_cores(client, deadline);
  if (!sync) return sync.error();
  if (sync->overtaken != 0) log_warning("drain: " + overtaken_text(*sync));
  return {};
}

// RESUME acts on both protocols, and says of one that isn't paused that it isn't: only a look tells what came of it.
Result<void> resume(const Config& config, const std::string& version, Deadline deadline) {
  // On connections of its own: some versions answer twice.
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return client.error();
  if (resume_may_stall(version)) {
    log_warning("drain: PROXYSQL RESUME may leave ProxySQL " + version +
                " with workers that wait for ever (mended in 2.7.2): see whether clients are served");
  }
  const auto resumed = client->query("PROXYSQL RESUME", deadline);
  if (!resumed && !is_refusal(resumed.error())) return resumed.error();
  if (resumed && !has_pgsql(version)) return {};
  auto after = AdminClient::connect(admin_target(config), deadline);
  if (!after) return after.error();
  const auto seen = look_at(*after, version, deadline);
  if (!seen) return seen.error();
  if (!seen->is_paused()) return {};
  return resumed ? Error{"PROXYSQL RESUME was answered, and " +
                         std::string(seen->mysql.paused ? "the MySQL" : "the PostgreSQL") + " port stays paused"}
                 : resumed.error();
}

}  // namespace

Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline) {
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return client.error();
  const auto version = version_of(*client, deadline);
  if (!version) return version.error();
  const auto seen = look_at(*client, *version, deadline);
  if (!seen) return seen.error();
  if (!has_left_changes(record, started_boot_ns(*seen, boottime_ns()))) return {};
  if (record.wait_timeout_ms >= 0 || record.pgsql_wait_timeout_ms >= 0) {
    if (auto restored = restore_timeouts(*client, *version, record, deadline); !restored) return restored;
  }
  const bool paused = record.paused != 0 || record.phase == static_cast<uint8_t>(DrainPhase::pause);
  if (!paused || !seen->is_paused()) return {};
  return resume(config, *version, deadline);
}

Result<void> DrainAdmin::connect(Deadline by) {
  auto client = AdminClient::connect(target_, by);
  if (!client) return client.error();
  client_ = std::move(*client);
  return {};
}

Result<Sighting> DrainAdmin::look(Deadline by) {
  if (!version_) {
    auto version = version_of(*client_, by);
    if (!version) return version.error();
    version_ = std::move(*version);
  }
  auto seen = look_at(*client_, *version_, by);
  if (seen) seen->pgsql_is_pulled = syncs_pgsql(*version_);
  return seen;
}

Result<void> DrainAdmin::lower(Protocols which, int64_t wait_timeout_ms, Deadline by) {
  for (const auto& [wanted, of] : {std::pair(which.mysql, &kMysql), std::pair(which.pgsql, &kPgsql)}) {
    if (!wanted) continue;
    if (auto done = set_timeouts(*client_, *of, kDrainPollTimeoutMs, wait_timeout_ms, by); !done) return done;
  }
  return {};
}

Result<void> DrainAdmin::restore(const DrainRecord& record, Deadline by) {
  if (record.wait_timeout_ms >= 0) {
    auto done = set_timeouts(*client_, kMysql, record.poll_timeout_ms, record.wait_timeout_ms, by);
    if (!done) return done;
  }
  if (record.pgsql_wait_timeout_ms < 0) return {};
  return set_timeouts(*client_, kPgsql, record.pgsql_poll_timeout_ms, record.pgsql_wait_timeout_ms, by);
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
