// The statements of a sync, for ProxySQL's admin interface. Pure.
//
// Each stands alone: there are no transactions there. One statement changes all rows, so that a sync that is killed
// leaves the table as it was or as it is meant; users that go are switched off by it, which is all that a load looks
// at, and their rows are deleted after the load.
#pragma once

#include <string>
#include <string_view>

#include "scheduler/users/user_rows.h"

namespace pulse {

// A text in a statement. Whatever isn't plain letters and digits goes as hexadecimal: no quote ends it early, no
// control character of a salt is lost, and no name of a statistics table makes ProxySQL refresh it.
std::string sql_text(std::string_view text);

// Writes the rows. Columns that a row of ours has already are kept, those of a sync are set; a name that anybody else
// has a row of is passed over, even if it has come up since it was looked at. `writes` isn't empty.
std::string write_users(const UsersTable& table, const UserRows& writes, std::string_view mark);

// Deletes the rows that are switched off.
std::string sweep_users(const UsersTable& table, std::string_view mark);

// How many of the rows of ours on disk aren't those in memory; the two that make it so. Nobody else's are touched.
std::string count_unsaved_users(const UsersTable& table, std::string_view mark);
std::string delete_saved_users(const UsersTable& table, std::string_view mark);
std::string save_users(const UsersTable& table, std::string_view mark);

}  // namespace pulse
