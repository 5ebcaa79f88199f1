#include "scheduler/cluster/config_authority.h"

#include <algorithm>

#include "src/base/clock.h"

namespace pulse {

namespace {

Standing standing_of(const CoreRecord& record) { return static_cast<Standing>(record.standing); }

void decide(CoreRecord& record, Standing standing, const std::string& reason) {
  record.standing = static_cast<uint8_t>(standing);
  set_text(record.reason, reason);
}

void note_cores(const CoreInput& input, CoreRecord& record) {
  if (!input.list.usable()) return;
  for (const Core& core : input.list.cores) {
    record.newest_created_at = std::max(record.newest_created_at, core.created_at);
  }
}

}  // namespace

std::string why_no_membership(const CoreInput& input) {
  if (!input.list.usable()) return input.list.unusable;
  return "this core is not among the members: set pulse.address if it isn't known by its interfaces' addresses";
}

// Once aside, aside for this boot: an old core that restarts in the middle of a rollout must not bring the old
// configuration back when the new core that kept it from doing so is replaced.
void decide_standing(const CoreInput& input, CoreRecord& record) {
  note_cores(input, record);
  if (standing_of(record) == Standing::aside) return;
  const Authority authority = input.config.core.authority;
  if (authority == Authority::always) return decide(record, Standing::authority, "core.authority is \"always\"");
  if (authority == Authority::never) return decide(record, Standing::aside, "core.authority is \"never\"");
  const Core* self = self_of(input);
  if (self == nullptr) {
    if (standing_of(record) == Standing::undecided) decide(record, Standing::undecided, why_no_membership(input));
    return;
  }
  if (self->created_at == 0) {
    return decide(record, Standing::aside,
                  "the source of members doesn't say which core is the newest: set core.authority");
  }
  if (self->created_at < record.newest_created_at) {
    return decide(record, Standing::aside,
                  "a core that was created " + std::to_string(record.newest_created_at - self->created_at) +
                      " s later has been seen");
  }
  for (const Core& core : input.list.cores) {
    if (comes_before(core, *self)) {
      return decide(record, Standing::aside, shown(core.server) + " was created in the same second and comes first");
    }
  }
  const nanoseconds looked(input.now_ns - input.list.age.count());
  if (looked.count() < input.proxysql_started_ns + nanoseconds(kListAfterStart).count()) {
    return decide(record, Standing::undecided, "no list of members since ProxySQL's start: is there a newer core?");
  }
  decide(record, Standing::authority, "this is the newest core");
}

}  // namespace pulse
