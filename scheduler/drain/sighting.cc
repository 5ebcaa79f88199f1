#include "scheduler/drain/sighting.h"

#include <algorithm>

#include "src/base/number.h"

namespace pulse {

namespace {

// Unless a version says otherwise; the default of both protocols.
constexpr int64_t kDefaultThreads = 4;

// A row of one protocol's statistics or variables, without its prefix.
void take(ListenerSight& listener, const std::string& name, const std::string& value) {
  const int64_t number = to_number<int64_t>(value).value_or(-1);
  if (name == "Client_Connections_connected") listener.clients = number;
  if (name == "Client_Connections_non_idle") listener.not_idle = number;
  if (name == "listener_paused") listener.paused = value == "true" || value == "1";
  if (name == "poll_timeout") listener.poll_timeout_ms = number;
  if (name == "wait_timeout") listener.wait_timeout_ms = number;
  if (name == "threads") listener.threads = std::max<int64_t>(0, number);
}

}  // namespace

std::string look_statement(bool pgsql) {
  const auto statistics = [](const std::string& protocol, const char* more) {
    return "SELECT '" + protocol + "', Variable_Name, Variable_Value FROM stats_" + protocol +
           "_global WHERE Variable_Name IN ('ProxySQL_Uptime', 'Client_Connections_connected', "
           "'Client_Connections_created', 'Client_Connections_non_idle'" +
           more + ", '" + protocol + "_listener_paused') UNION ALL ";
  };
  std::string statement = statistics("mysql", ", 'Questions'");
  if (pgsql) statement += statistics("pgsql", "");
  statement +=
      "SELECT 'variable', variable_name, variable_value FROM runtime_global_variables WHERE variable_name IN "
      "('mysql-poll_timeout', 'mysql-wait_timeout', 'mysql-threads'";
  if (pgsql) statement += ", 'pgsql-poll_timeout', 'pgsql-wait_timeout', 'pgsql-threads'";
  return statement + ")";
}

Result<Sighting> sighting_of(const AdminResult& answer) {
  Sighting seen;
  int64_t created = 0, questions = 0;
  for (const auto& row : answer.rows) {
    if (row.size() != 3) continue;
    const bool variable = row[0] == "variable";
    const std::string protocol = variable ? row[1].substr(0, 5) : row[0];
    if (protocol != "mysql" && protocol != "pgsql") continue;
    std::string name = row[1];
    if (name.starts_with(protocol)) name.erase(0, protocol.size() + 1);
    const int64_t number = to_number<int64_t>(row[2]).value_or(-1);
    if (name == "ProxySQL_Uptime") seen.uptime_s = number;
    if (name == "Client_Connections_created") created += std::max<int64_t>(0, number);
    // PostgreSQL's statistics count no questions: there a new connection is all that a look can find of who came and
    // went between two.
    if (name == "Questions" || (protocol == "pgsql" && name == "Client_Connections_created")) {
      questions += std::max<int64_t>(0, number);
    }
    take(protocol == "mysql" ? seen.mysql : seen.pgsql, name, row[2]);
  }
  if (seen.uptime_s < 0 || (!seen.mysql.is_served() && !seen.pgsql.is_served())) {
    return Error{"ProxySQL's answer is incomplete: no uptime, or no clients and timeouts of any protocol"};
  }
  seen.created = created;
  seen.questions = questions;
  seen.clients = 0;
  for (ListenerSight* listener : {&seen.mysql, &seen.pgsql}) {
    if (!listener->is_served()) {
      *listener = {};
      continue;
    }
    seen.clients += listener->clients;
    if (listener->threads == 0) listener->threads = kDefaultThreads;
  }
  return seen;
}

bool remember_found(const ListenerSight& seen, int64_t lowered_to_ms, int64_t& wait_ms, int64_t& poll_ms) {
  const bool first = wait_ms < 0;
  const bool changed = lowered_to_ms >= 0 && seen.wait_timeout_ms != lowered_to_ms;
  if (first || (changed && seen.poll_timeout_ms != kDrainPollTimeoutMs)) {
    wait_ms = seen.wait_timeout_ms;
    poll_ms = seen.poll_timeout_ms;
  }
  return first || !changed;
}

}  // namespace pulse
