#include "scheduler/users/patterns.h"

#include <algorithm>

#include "src/base/utf8.h"

namespace pulse {

namespace {

// The bytes of the character that `text` begins with; one byte of what is no UTF-8.
size_t step(std::string_view text) { return std::max<size_t>(utf8_length(text), 1); }

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0;
  size_t star = std::string_view::npos, star_took = 0;  // the last *, and where in the name its text ends
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_took = n;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      n += step(name.substr(n));
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      star_took += step(name.substr(star_took));
      n = star_took;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& one) { return matches(one, name); });
}

bool names_exactly(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& one) {
    return one == name && one.find_first_of("*?") == std::string::npos;
  });
}

int32_t hostgroup_of(const std::vector<HostgroupRule>& rules, std::string_view name) {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const HostgroupRule& rule) { return matches(rule.pattern, name); });
  return found == rules.end() ? 0 : found->hostgroup;
}

}  // namespace pulse
