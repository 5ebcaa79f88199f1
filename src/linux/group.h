// Groups of the system.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace pulse {

// A group's name or number. Names are looked up in /etc/group by hand: a static program can't use NSS.
std::optional<gid_t> find_group(const std::string& name);

// Whether the group is the user's own or has the user among its members, by /etc/passwd and /etc/group.
bool is_in_group(uid_t user, gid_t group);
// The same, by the two files' text. Pure.
bool is_in_group(uid_t user, gid_t group, std::string_view passwd, std::string_view groups);

}  // namespace pulse
