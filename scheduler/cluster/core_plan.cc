#include "scheduler/cluster/core_plan.h"

#include <algorithm>

#include "scheduler/cluster/config_authority.h"
#include "scheduler/cluster/unlock_and_divergence.h"
#include "shm/segment/boot.h"

namespace pulse {

namespace {

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

void begin_boot(const CoreInput& input, CoreRecord& record) {
  const bool same_boot =
      record.proxysql_started_ns != 0 && is_same_boot(record.proxysql_started_ns, input.proxysql_started_ns);
  if (same_boot) return;
  const int64_t newest = record.newest_created_at;
  Dispute dispute = record.dispute;
  dispute.stands = 0;  // nobody has undone what ended with the earlier ProxySQL
  record = CoreRecord{};
  record.newest_created_at = newest;
  record.dispute = dispute;
  record.proxysql_started_ns = input.proxysql_started_ns;
}

}  // namespace

const Core* self_of(const CoreInput& input) { return input.list.usable() ? input.list.self() : nullptr; }

bool comes_before(const Core& core, const Core& self) {
  if (core.created_at != self.created_at) return core.created_at > self.created_at;
  return &core < &self;  // the list is ordered by address
}

const ServerRow* server_row(const Seen& seen, const ServerKey& server) {
  for (const ServerRow& row : seen.servers) {
    if (row.port == server.second && row.hostname == server.first) return &row;
  }
  return nullptr;
}

CorePlan plan_core(const CoreInput& input) {
  CorePlan out{{}, input.record};
  begin_boot(input, out.record);
  const uint32_t taken_apart = out.record.taken_apart;
  decide_standing(input, out.record);
  const Core* self = self_of(input);
  if (self != nullptr) {
    watch_dispute(out.record.dispute, input.list, input.seen, input.now_ns, input.resync_requested);
    plan_membership(input.list, input.seen, Pulled::by_peers, out.plan,
                    allowed_changes(out.record.dispute, input.seen, input.now_ns));
  } else {
    out.plan.situation = why_no_membership(input);
  }
  out.record.waiting = 0;
  const auto standing = static_cast<Standing>(out.record.standing);
  for (const FileModule& module : file_modules()) {
    put_together(module, taken_apart, out.plan);
    const bool wanted =
        contains(input.config.core.modules, module.name) && contains(input.config.file_groups, module.name);
    if (!wanted) continue;
    if (standing == Standing::authority) {
      stamp(input, module, taken_apart, out);
    } else if (standing == Standing::aside && self != nullptr) {
      unlock(input, *self, module, out.plan);
    }
  }
  if (self != nullptr) end_divergence(input, *self, out.plan);
  return out;
}

}  // namespace pulse
