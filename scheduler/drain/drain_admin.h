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

// admin-version.
Result<std::string> version_of(AdminClient& client, Deadline deadline);

Result<Sighting> look_at(AdminClient& client, const std::string& version, Deadline deadline);

// LOAD MYSQL VARIABLES, and its twin, take everything along that somebody has set and not loaded: the names of all
// that, which are logged too. The drain's own variables are overwritten and not loaded.
Result<std::string> tell_unloaded_edits(AdminClient& client, Protocols which, Deadline deadline);

// Restores what the drain of `record` changed in ProxySQL: its variables, and the listeners if it paused them. If a
// core has newer MySQL variables, it first waits for ProxySQL to pull them, for half of the time left and kPullPatience
// at most; what that has brought isn't overwritten. Says in the log if variables of a core can't arrive any more.
Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline);

class DrainAdmin final : public DrainedAdmin {
 public:
  explicit DrainAdmin(AdminTarget target) : target_(std::move(target)) {}

  Result<void> connect(Deadline by) override;
  void disconnect() override {
    client_.reset();
    version_.reset();
  }
  bool is_connected() const override { return client_.has_value(); }

  Result<Sighting> look(Deadline by) override;
  Result<std::string> unloaded_edits(Protocols which, Deadline by) override {
    return tell_unloaded_edits(*client_, which, by);
  }
  Result<bool> pull_is_due(Deadline by) override;
  Result<void> lower(Protocols which, int64_t wait_timeout_ms, Deadline by) override;
  Result<void> restore(const DrainRecord& record, Deadline by) override;
  Result<VariablesReach> variables_reach(Deadline by) override;
  Result<std::vector<RestingSession>> resting_sessions(milliseconds rests, Deadline by) override;
  Result<bool> close_session(uint32_t id, Deadline by) override;
  Result<void> pause(Deadline by) override { return run("PROXYSQL PAUSE", by); }
  Result<void> shut_down(Deadline by) override { return run("PROXYSQL SHUTDOWN", by); }

 private:
  Result<void> run(const std::string& command, Deadline by);

  const AdminTarget target_;
  std::optional<AdminClient> client_;
  bool users_read_ = false;             // ProxySQL's table of users has been filled for this drain
  std::optional<std::string> version_;  // of who answers on this connection
};

}  // namespace pulse
