// What a sync asks ProxySQL, and what it has it do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scheduler/admin/admin_session.h"
#include "scheduler/users/account_source.h"
#include "scheduler/users/users_plan.h"

namespace pulse {

// Variables of ProxySQL that decide what is taken.
struct ProxysqlFacts {
  std::string version;
  std::set<std::string> credentials;  // users of admin_credentials and stats_credentials
  std::set<std::string> services;     // of its monitors and its cluster
  bool caching_sha2 = false;
};

Result<ProxysqlFacts> read_facts(AdminSession& admin, Deadline deadline);

// The hostgroup's servers that are ONLINE at runtime, by address and port.
Result<std::vector<SourceAddress>> online_servers(AdminSession& admin, const UsersTable& table, int64_t hostgroup,
                                                  Deadline deadline);

// The rows in memory (`place` is "") or at runtime ("runtime_"), sorted.
Result<UserRows> read_users(AdminSession& admin, const UsersTable& table, const std::string& place, Deadline deadline);

// What was done of a plan.
struct Written {
  bool wrote = false;
  bool loaded = false;
  bool saved = false;  // rows of ours on disk
};

// Does what the plan says, each step after the one before it was seen to have worked: writes all rows in one statement,
// reads them back, loads, reads what serves, deletes what was switched off, brings the rows of ours on disk up to date.
// Could destroy: what serves, if memory had anything else than was planned, or nothing: read back right before the
// load, and compared. Rows of others: no statement touches one.
Result<Written> carry_out(AdminSession& admin, const UsersTable& table, const UsersPlan& plan, const std::string& mark,
                          Deadline deadline);

}  // namespace pulse
