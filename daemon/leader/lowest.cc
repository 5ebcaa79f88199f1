#include "daemon/leader/lowest.h"

#include <algorithm>

#include "shm/record/member_list.h"
#include "src/base/host_port.h"

namespace pulse {

Lowest lowest(const Members& members, const Discovery& discovery, bool of_cores, uint64_t boot_id, int64_t now_ns,
              std::chrono::milliseconds max_age) {
  Lowest result;
  result.unusable = why_unusable(members, discovery, boot_id, now_ns, max_age);
  if (!result.unusable.empty()) return result;

  const Member* first = nullptr;
  bool self_listed = false;
  const uint32_t count = std::min<uint32_t>(members.count, kMembers);
  for (uint32_t i = 0; i < count; ++i) {
    const Member& member = members.members[i];
    if ((member.is_core != 0) != of_cores) continue;
    self_listed = self_listed || member.is_self != 0;
    if (first == nullptr && member.ready != 0) first = &member;
  }
  const std::string role = of_cores ? "core" : "satellite";
  // The list is in the order of addresses: who is left out of it isn't the lowest.
  const bool may_be_left_out = discovery.members_left_out > 0 && !of_cores && first != nullptr;
  if (!self_listed && !may_be_left_out) {
    result.unusable = "this node is no " + role + " of the list of members: set pulse.address, or see pulse.discovery";
  } else if (first == nullptr) {
    result.unusable = "no " + role + " is ready";
  } else {
    result.holder = host_port_text(text(first->address), first->port);
    if (!text(first->name).empty()) result.holder = std::string(text(first->name)) + " " + result.holder;
    result.is_self = first->is_self != 0;
  }
  return result;
}

}  // namespace pulse
