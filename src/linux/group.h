// Groups of the system.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace pulse {

// A group's name or number. Names are looked up in /etc/group by hand: a static program can't use NSS.
std::optional<gid_t> find_group(const std::string& name);

}  // namespace pulse
