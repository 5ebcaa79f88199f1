#include "scheduler/beat/real_beat_system.h"

#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "scheduler/admin/admin_client.h"
#include "scheduler/admin/admin_errors.h"
#include "scheduler/drain/announcement.h"
#include "scheduler/drain/drain_admin.h"
#include "scheduler/run/hard_timer.h"
#include "shm/segment/boot.h"
#include "src/linux/socket_table.h"
#include "src/linux/unix_sockets.h"

namespace pulse {

BootTime RealBeatSystem::now() { return BootTime::now(); }

pid_t RealBeatSystem::pid() { return ::getpid(); }

void RealBeatSystem::pause(nanoseconds span) {
  const timespec time{span.count() / 1'000'000'000, span.count() % 1'000'000'000};
  ::nanosleep(&time, nullptr);
}

void RealBeatSystem::arm_hard_timer(MonotonicTime instant) { pulse::arm_hard_timer(Deadline::at(instant)); }
void RealBeatSystem::mark_hard_timer(Layout& layout, uint64_t attempt) { set_hard_timer_mark(&layout, attempt); }

Result<bool> RealBeatSystem::try_lock() {
  auto lock = InstanceLock::try_take(state_.lock_path(), state_.group());
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  return lock_->taken();
}

std::optional<pid_t> RealBeatSystem::process_of_holder() { return InstanceLock::process_of_holder(state_.lock_path()); }

std::optional<uid_t> RealBeatSystem::other_holder() { return lock_ ? lock_->other_holder() : std::nullopt; }

std::string RealBeatSystem::lock_problem() { return lock_ ? lock_->problem() : ""; }

KillResult RealBeatSystem::kill(pid_t pid, BootTime ran_at) {
  return kill_process(pid, ran_at.ns, Deadline::after(milliseconds(50)));
}

bool RealBeatSystem::try_drain_lock() {
  auto lock = pulse::try_drain_lock(state_);
  if (!lock || !lock->taken()) return false;
  drain_lock_ = std::move(*lock);
  return true;
}

uint64_t RealBeatSystem::boot_id() {
  // Read only where it matters: a file in memory is of the boot under which it was first stamped.
  uint64_t id = 0;
  if (Segment* segment = state_.segment(); segment != nullptr && segment->in_memory()) {
    id = state_.stored(&Layout::boot_id);
  }
  return id != 0 ? id : machine_boot_id();
}

uint64_t RealBeatSystem::pid_namespace() { return pulse::pid_namespace(); }

std::pair<ProcessNow, uint32_t> RealBeatSystem::look_at(const ProxySQLProcess& watched) {
  if (watched.pid_namespace == 0 || watched.pid_namespace != pulse::pid_namespace()) return {ProcessNow::unknown, 0};
  const auto stat = read_process_stat(static_cast<pid_t>(watched.pid));
  if (!stat)
    return {stat.error().code == ENOENT || stat.error().code == ESRCH ? ProcessNow::gone : ProcessNow::unknown, 0};
  if (stat->start_ticks != watched.start_ticks || stat->state == 'Z' || stat->state == 'X')
    return {ProcessNow::gone, 0};
  return {ProcessNow::same, stat->threads};
}

ProxySQLProcess RealBeatSystem::find_proxysql(const Config& config, Deadline deadline) {
  const auto inodes = config.admin.host.substr(0, 1) == "/"
                          ? listening_unix_inodes(config.admin.host, deadline)
                          : listening_inodes(static_cast<uint16_t>(config.admin.port), deadline,
                                             SocketSource::automatic, config.admin.host);
  if (!inodes) return {};
  const auto pid = process_with_socket(*inodes, deadline);
  if (!pid) return {};
  const auto stat = read_process_stat(*pid);
  if (!stat) return {};
  return {*pid, stat->start_ticks, pulse::pid_namespace(), stat->threads};
}

std::optional<ProcessMemory> RealBeatSystem::read_memory(const Config& config, Deadline deadline) {
  const ProxySQLProcess process = find_proxysql(config, deadline);
  if (process.pid == 0) return std::nullopt;
  return read_process_memory(static_cast<pid_t>(process.pid));
}

Result<const LoadedConfig*> RealBeatSystem::load() {
  if (!state_.load()) return Error{state_.config_error()};
  return &state_.loaded();
}

Result<std::unique_ptr<AdminSession>> RealBeatSystem::connect(const Config& config, Deadline deadline) {
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return client.error();
  return std::unique_ptr<AdminSession>(std::make_unique<AdminClient>(std::move(*client)));
}

Result<void> RealBeatSystem::undo_drain(const Config& config, const DrainRecord& record, Deadline deadline) {
  return pulse::undo_drain(config, record, deadline);
}

}  // namespace pulse
