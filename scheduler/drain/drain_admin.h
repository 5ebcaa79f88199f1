// What a drain and its undoing ask of ProxySQL's admin interface.
#pragma once

#include <optional>
#include <string>

#include "scheduler/admin/admin_client.h"
#include "scheduler/drain/drain_target.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/load.h"

namespace pulse {

// Errors of all these are AdminClient's.

Result<Sighting> look_at(AdminClient& client, Deadline deadline);

// Sets both variables and loads them to runtime, with whatever else somebody has set and not loaded.
Result<void> set_timeouts(AdminClient& client, int64_t poll_ms, int64_t wait_ms, Deadline deadline);

// LOAD MYSQL VARIABLES takes everything along that somebody has set and not loaded: the names of all that, which are
// logged too. The drain's own two variables are overwritten and not loaded.
Result<std::string> tell_unloaded_edits(AdminClient& client, Deadline deadline);

// Restores what the drain of `record` changed in ProxySQL: its two variables, and the listeners if it paused them. If a
// core has newer variables, it first waits for ProxySQL to pull them, for half of the time left and kPullPatience at
// most; what that has brought isn't overwritten. Says in the log if variables of a core can't arrive any more.
Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline);

class DrainAdmin final : public DrainedAdmin {
 public:
  explicit DrainAdmin(AdminTarget target) : target_(std::move(target)) {}

  Result<void> connect(Deadline by) override;
  void disconnect() override { client_.reset(); }
  bool is_connected() const override { return client_.has_value(); }

  Result<Sighting> look(Deadline by) override { return look_at(*client_, by); }
  Result<std::string> unloaded_edits(Deadline by) override { return tell_unloaded_edits(*client_, by); }
  Result<bool> pull_is_due(Deadline by) override;
  Result<void> lower(int64_t wait_timeout_ms, Deadline by) override {
    return set_timeouts(*client_, kDrainPollTimeoutMs, wait_timeout_ms, by);
  }
  Result<void> restore(int64_t poll_timeout_ms, int64_t wait_timeout_ms, Deadline by) override {
    return set_timeouts(*client_, poll_timeout_ms, wait_timeout_ms, by);
  }
  Result<VariablesReach> variables_reach(Deadline by) override;
  Result<std::vector<RestingSession>> resting_sessions(milliseconds rests, Deadline by) override;
  Result<bool> close_session(uint32_t id, Deadline by) override;
  Result<void> pause(Deadline by) override { return run("PROXYSQL PAUSE", by); }
  Result<void> shut_down(Deadline by) override { return run("PROXYSQL SHUTDOWN", by); }

 private:
  Result<void> run(const std::string& command, Deadline by);

  const AdminTarget target_;
  std::optional<AdminClient> client_;
  bool users_read_ = false;  // ProxySQL's table of users has been filled for this drain
};

}  // namespace pulse
