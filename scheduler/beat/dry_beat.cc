#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "scheduler/admin/admin_client.h"
#include "scheduler/admin/admin_errors.h"
#include "scheduler/beat/beat.h"
#include "scheduler/beat/reconciliation.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/boot.h"
#include "shm/segment/names.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

Result<InstanceLock> wait_for_lock(const StateAccess& state, Deadline deadline) {
  for (;;) {
    auto lock = InstanceLock::try_take(state.lock_path(), state.group(), false);
    if (!lock || lock->taken() || deadline.passed()) return lock;
    // flock(2) has no timeout, and the holder is a beat that lasts some milliseconds.
    const timespec pause{0, 5'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

void print(const Plan& plan, const Seen& seen) {
  std::printf("ProxySQL %s, up %lld s: %u backends online of %u, %lld clients, %zu rows of proxysql_servers\n",
              seen.version.c_str(), static_cast<long long>(seen.uptime_s), seen.backends.online,
              seen.backends.online + seen.backends.shunned + seen.backends.offline,
              static_cast<long long>(seen.clients), seen.servers.size());
  if (!plan.situation.empty()) std::printf("situation: %s\n", plan.situation.c_str());
  if (plan.steps.empty()) std::printf("nothing to do\n");
  for (const Step& step : plan.steps) {
    std::printf("would run: %s\n      why: %s\n", step.statement.c_str(), step.reason.c_str());
    for (const std::string& statement : step.instead) std::printf("  if refused: %s\n", statement.c_str());
  }
}

}  // namespace

int run_dry_beat(const Options& options) {
  const Moment began;
  arm_hard_timer(Deadline::after(options.timeout.value_or(milliseconds(5000))));
  limit_memory();
  StateAccess state(options);
  if (!state.load()) {
    log_error(state.config_error());
    return kExitConfig;
  }
  state.open_existing();
  const Config& config = state.loaded().config;
  const milliseconds timeout = options.timeout.value_or(config.beat.timeout);
  const Deadline deadline = io_deadline(began.monotonic, timeout);
  arm_hard_timer(Deadline::at(began.monotonic + timeout));
  auto lock = wait_for_lock(state, deadline);
  if (!lock || !lock->taken()) {
    log_error(lock ? "a beat is running and doesn't end: try again" : lock.error().text);
    return kExitSkipped;
  }

  Known known{};
  const BootTime now = BootTime::now();
  if (Layout* layout = state.layout(); layout != nullptr) {
    static_cast<void>(guarded([&] {
      static_cast<void>(read_known(*layout, machine_boot_id(), now, config.discovery.max_age, known));
      known.may_load_file = true;
      layout->holder.publish({::getpid(), now.ns, (now + deadline.left()).ns});
    }));
  }

  // A beat would make the segment, and remember.
  if (state.layout() == nullptr && ::access(state.path().c_str(), F_OK) != 0) known.may_load_file = true;

  Phase phase = Phase::connect;
  const auto fail = [&phase](const Error& error) {
    log_error(error.text);
    return exit_code_of(error, phase);
  };
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return fail(client.error());
  phase = Phase::observe;
  Reconciliation reconciliation(*client, config, known, deadline, now);
  auto seen = reconciliation.observe(Look::everything);
  if (!seen) return fail(seen.error());
  const auto plan = reconciliation.plan(*seen, [&phase](Phase entered) { phase = entered; });
  if (!plan) return fail(plan.error());
  client->close(deadline);
  if (config.is_core() && !text(reconciliation.core().reason).empty()) {
    std::printf("configuration authority: %s: %s\n", name(static_cast<Standing>(reconciliation.core().standing)),
                reconciliation.core().reason.data());
  }
  print(*plan, *seen);
  return kExitOk;
}

}  // namespace pulse
