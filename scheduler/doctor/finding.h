// What doctor says of one thing that it looked at.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace pulse {

enum class Severity : uint8_t {
  ok,        // looked at, and well
  notice,    // worth knowing, nothing to do now
  warning,   // won't work, or won't when it is needed
  critical,  // doesn't work
};
const char* name(Severity severity);

struct Finding {
  Severity severity = Severity::ok;
  std::string subject;      // "scheduler": one or two words
  std::string what;         // was seen
  std::string means = {};   // for a person who doesn't know Pulse; "" where that is plain
  std::string action = {};  // what to do; "" for what is well
};

using Findings = std::vector<Finding>;

inline Severity worst_of(const Findings& findings) {
  Severity worst = Severity::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

}  // namespace pulse
