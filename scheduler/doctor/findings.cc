#include "scheduler/doctor/findings.h"

#include <iterator>
#include <utility>

namespace pulse {

Findings findings_of(const Examined& all) {
  Findings list;
  for (const auto find :
       {configuration_findings, admin_findings, scheduler_findings, health_findings, segment_findings, peer_findings,
        member_findings, satellite_findings, module_findings, daemon_findings, drain_findings}) {
    Findings found = find(all);
    std::move(found.begin(), found.end(), std::back_inserter(list));
  }
  return list;
}

}  // namespace pulse
