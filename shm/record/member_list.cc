#include "shm/record/member_list.h"

#include "src/base/clock.h"

namespace pulse {

std::string why_unusable(const Members& members, const Discovery& discovery, uint64_t boot_id, int64_t now_ns,
                         std::chrono::milliseconds max_age) {
  // Where discovery says nothing of why, it may not be there at all.
  const std::string error(discovery.boot_id == boot_id ? text(discovery.error) : "");
  const std::string why = ": " + (error.empty() ? "is proxysql-pulsed running?" : error);
  if (discovery.boot_id != boot_id) return "no list of members yet" + why;
  if (discovery.source == static_cast<uint8_t>(Source::none)) return "pulse.discovery.source is \"none\"";
  if (discovery.ok_ns == 0 || members.boot_id != boot_id) {
    return "no list of members yet" + (error.empty() ? "" : ": " + error);
  }
  const int64_t age_ns = now_ns - discovery.ok_ns;
  if (age_ns > nanoseconds(max_age).count()) {
    return "the list of members is " + std::to_string(age_ns / 1'000'000) + " ms old" + why;
  }
  // Cores come first: while there is anybody else in the list, all of them are.
  if (discovery.members_left_out > 0 && members.cores >= kMembers) {
    return "more than " + std::to_string(kMembers) + " cores: the list is incomplete";
  }
  return "";
}

}  // namespace pulse
