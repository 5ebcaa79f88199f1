// What a sync changes: the wanted users against the rows of mysql_users or pgsql_users in memory and at runtime. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/users/accounts.h"
#include "scheduler/users/user_rows.h"

namespace pulse {

struct UsersPlanInput {
  UsersTable table = kMysqlUsers;
  const Selection& selection;
  const UserRows& memory;   // sorted
  const UserRows& runtime;  // sorted
  std::vector<HostgroupRule> hostgroups = {};
  std::string mark = {};
  int64_t most_removals_percent = 0;
  bool force = false;
};

struct UsersPlan {
  // Why nothing is done; "" if the rest may be.
  std::string refusal;
  UserRows writes;              // rows as they are to be: new ones, and all that changes
  UserRows memory;              // all rows after the writes
  UserRows served;              // runtime after the load
  std::set<std::string> added;  // names
  std::set<std::string> changed;
  std::set<std::string> removed;
  std::set<std::string> by_hand;  // wanted, but somebody else's rows have that name
  bool loads = false;             // what serves isn't what is wanted
  bool sweeps = false;            // rows that were taken out are still in the table

  bool does_nothing() const { return writes.empty() && !loads && !sweeps; }
};

UsersPlan plan_users(const UsersPlanInput& input);

// How many of `own` users may go at once: at least one, unless the percentage is 0. Pure.
size_t most_removals(size_t own, int64_t percent);

// What differs between two sets of rows in the columns that matter, for messages: a name; "" if nothing does.
std::string first_difference(const UserRows& one, const UserRows& other);

}  // namespace pulse
