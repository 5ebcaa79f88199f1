// The rules of sync_users.*.hostgroups as the file gives them: "PATTERN=HOSTGROUP". Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace pulse {

struct HostgroupRule {
  std::string pattern;
  int32_t hostgroup = 0;
};

// The error says which one it is, and what is allowed.
Result<std::vector<HostgroupRule>> parse_hostgroup_rules(const std::vector<std::string>& texts);

}  // namespace pulse
