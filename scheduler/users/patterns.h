// Patterns of names as a shell has them: * is any text, ? one character, all else itself. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/config/hostgroup_rules.h"

namespace pulse {

// Whether the whole of `name` fits `pattern`. Case counts, as it does in user names.
bool matches(std::string_view pattern, std::string_view name);

// Whether the name fits any of them.
bool matches_any(const std::vector<std::string>& patterns, std::string_view name);

// Whether one of them is the name itself, without * or ?.
bool names_exactly(const std::vector<std::string>& patterns, std::string_view name);

// Of the first rule that fits; 0 without one, which is ProxySQL's own default.
int32_t hostgroup_of(const std::vector<HostgroupRule>& rules, std::string_view name);

}  // namespace pulse
