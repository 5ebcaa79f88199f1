// The BeatSystem of the program.
#pragma once

#include <memory>
#include <optional>

#include "scheduler/beat/beat_system.h"
#include "scheduler/cli/command_line.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/lock.h"

namespace pulse {

class RealBeatSystem final : public BeatSystem {
 public:
  explicit RealBeatSystem(const Options& options) : state_(options) {}

  // To be opened before anything else is asked of this.
  StateAccess& state() { return state_; }

  BootTime now() override;
  pid_t pid() override;
  void pause(nanoseconds span) override;
  void arm_hard_timer(MonotonicTime instant) override;
  void mark_hard_timer(Layout& layout, uint64_t attempt) override;
  Result<bool> try_lock() override;
  std::optional<pid_t> process_of_holder() override;
  std::optional<uid_t> other_holder() override;
  std::string lock_problem() override;
  bool is_second_user() override { return state_.is_second_user(); }
  KillResult kill(pid_t pid, BootTime ran_at) override;
  bool try_drain_lock() override;
  uint64_t boot_id() override;
  uint64_t pid_namespace() override;
  std::pair<ProcessNow, uint32_t> look_at(const ProxySQLProcess& watched) override;
  ProxySQLProcess find_proxysql(const Config& config, Deadline deadline) override;
  std::optional<ProcessMemory> read_memory(const Config& config, Deadline deadline) override;
  Result<const LoadedConfig*> load() override;
  Result<std::unique_ptr<AdminSession>> connect(const Config& config, Deadline deadline) override;
  Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline) override;

 private:
  StateAccess state_;
  std::optional<InstanceLock> lock_;
  std::optional<InstanceLock> drain_lock_;
};

}  // namespace pulse
