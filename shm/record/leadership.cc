#include "shm/record/leadership.h"

#include <algorithm>

#include "src/base/clock.h"

namespace pulse {

Leadership leadership(const LeaderState& state, uint64_t boot_id, int64_t now_ns) {
  Leadership result;
  if (state.boot_id != boot_id) {
    result.reason = "nobody says who the leader is: is proxysql-pulsed running?";
    return result;
  }
  if (static_cast<LeaderMode>(state.mode) == LeaderMode::none) {
    result.reason = "pulse.leader.mode is \"none\"";
    return result;
  }
  result.handover_ns = state.handover_ns;
  result.is_self = now_ns < state.valid_until_ns;
  if (result.is_self) return result;
  const std::string holder(text(state.holder)), error(text(state.error));
  result.other_leads = state.valid_until_ns == 0 && error.empty() && !holder.empty();
  if (result.other_leads) {
    result.reason = holder + " is";
  } else if (!error.empty()) {
    result.reason = error;
  } else if (state.valid_until_ns != 0) {
    result.reason = "leadership wasn't renewed: is proxysql-pulsed running?";
  } else {
    result.reason = "there is no leader yet";
  }
  return result;
}

Lowest lowest(const Members& members, const Discovery& discovery, bool of_cores, uint64_t boot_id, int64_t now_ns,
              std::chrono::milliseconds max_age) {
  Lowest result;
  const std::string error(text(discovery.error));
  const std::string why = error.empty() ? "" : ": " + error;
  if (discovery.boot_id != boot_id || discovery.ok_ns == 0 || members.boot_id != boot_id) {
    result.unusable = "no list of members yet" + why;
  } else if (now_ns - discovery.ok_ns > nanoseconds(max_age).count()) {
    result.unusable =
        "the list of members is " + std::to_string((now_ns - discovery.ok_ns) / 1'000'000) + " ms old" + why;
  } else if (discovery.members_left_out > 0) {
    result.unusable = "the list of members is incomplete";
  }
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
  if (!self_listed) {
    result.unusable = "this node is no " + role + " of the list of members: set pulse.address, or see pulse.discovery";
  } else if (first == nullptr) {
    result.unusable = "no " + role + " is ready";
  } else {
    const std::string address(text(first->address));
    const bool ipv6 = address.find(':') != std::string::npos;
    result.holder = (ipv6 ? "[" + address + "]" : address) + ":" + std::to_string(first->port);
    if (!text(first->name).empty()) result.holder = std::string(text(first->name)) + " " + result.holder;
    result.is_self = first->is_self != 0;
  }
  return result;
}

}  // namespace pulse
