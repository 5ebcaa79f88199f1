#include "shm/record/leadership.h"

#include <string>

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

}  // namespace pulse
