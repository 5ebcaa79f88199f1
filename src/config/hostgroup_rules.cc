#include "src/config/hostgroup_rules.h"

#include <string_view>

#include "src/base/number.h"

namespace pulse {

Result<std::vector<HostgroupRule>> parse_hostgroup_rules(const std::vector<std::string>& texts) {
  std::vector<HostgroupRule> rules;
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');
    const auto number =
        equals == std::string::npos ? std::nullopt : to_number<int32_t>(std::string_view(text).substr(equals + 1));
    if (!number || *number < 0 || equals == 0) {
      return Error{"\"" + text + "\": allowed is PATTERN=HOSTGROUP, like \"report_*=20\""};
    }
    rules.push_back({text.substr(0, equals), *number});
  }
  return rules;
}

}  // namespace pulse
