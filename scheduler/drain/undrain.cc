#include "scheduler/drain/undrain.h"

#include <array>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/drain/announcement.h"
#include "scheduler/drain/drain_admin.h"
#include "scheduler/run/engine_clock.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/run/state_access.h"
#include "shm/record/drains.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

int run_undrain(const Options& options) {
  SystemClock clock;
  const MonotonicTime began = MonotonicTime::now();
  arm_hard_timer(Deadline::after(options.timeout.value_or(milliseconds(5000))));
  limit_memory();
  StateAccess state(options);
  const auto fail = [](int code, const std::string& text) {
    log_error("undrain: " + text);
    return code;
  };
  if (!state.load_for_drain()) return fail(kExitConfig, state.config_error());
  state.open_existing();
  if (state.layout() == nullptr) return fail(kExitUnavailable, state.problem());
  const Config& config = state.loaded().config;
  // Not the beat's timeout: somebody waits for this one.
  const Deadline deadline = io_deadline(began, options.timeout.value_or(milliseconds(5000)));
  auto lock = try_drain_lock(state);
  while (lock && !lock->taken() && !deadline.passed()) {
    clock.sleep_until(clock.now() + kPoll);
    lock = try_drain_lock(state);
  }
  if (!lock) return fail(kExitUnavailable, lock.error().text);
  if (!lock->taken()) return fail(kExitSkipped, "a drain is under way; end it first (proxysql-pulse status shows it)");

  DrainRecord record{};
  int64_t since_ns = 0;
  bool read = false;
  const bool whole = guarded([&] {
    since_ns = state.layout()->draining_since_ns.load(std::memory_order_acquire);
    read = state.layout()->drain.read(record);
  });
  if (!whole || !read) return fail(kExitUnavailable, "the state segment " + state.path() + " can't be read");
  if (since_ns == 0) {
    log_info("undrain: nothing to do, no drain is in effect");
    return kExitOk;
  }
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return fail(exit_code_of(client.error(), Phase::connect), client.error().text);
  const auto version = version_of(*client, deadline);
  if (!version) return fail(exit_code_of(version.error(), Phase::observe), version.error().text);
  const auto seen = look_at(*client, *version, deadline);
  if (!seen) return fail(exit_code_of(seen.error(), Phase::observe), seen.error().text);
  const DrainLeft left = judge_drain(record, since_ns, started_boot_ns(*seen, boottime_ns()));
  if (left != DrainLeft::other_boot) {
    if (seen->is_paused()) record.paused = 1;  // whoever did it: this is to be in service again
    if (auto undone = undo_drain(config, record, deadline); !undone) {
      return fail(exit_code_of(undone.error(), Phase::act), undone.error().text);
    }
  }
  client->close(deadline);
  record.outcome = static_cast<uint8_t>(DrainOutcome::undone);
  static_cast<void>(guarded([&] {
    state.layout()->drain.publish(record);
    state.layout()->draining_since_ns.store(0, std::memory_order_release);
  }));
  log_info(left == DrainLeft::other_boot ? "undrain: the drain was of a ProxySQL that is gone; cleared away"
                                         : "undrain: back in service, with the timeouts as they were before");
  return kExitOk;
}

namespace {

constexpr std::array<Option, 1> kUndrainOptions = {timeout_option(50, 60'000, "{} (5000)\n")};

constexpr std::array<Exit, 6> kUndrainExits = {{
    {nullptr, kExitOk},
    {"admin interface unreachable or login refused", kExitUnavailable},
    {nullptr, kExitStatement},
    {"a drain still runs", kExitSkipped},
    {nullptr, kExitConfig},
    {nullptr, kExitTimeout},
}};

}  // namespace

constinit const Command kUndrainCommand = {
    .name = "undrain",
    .summary = "puts a ProxySQL that was drained back into service",
    .usage = "[OPTION...]",
    .about = R"(After a drain that left ProxySQL up, or failed: puts back what the drain has
changed, resumes a paused ProxySQL, lets readiness pass again.
)",
    .options = kUndrainOptions,
    .exits = kUndrainExits,
    .timeout_key = "timeout_ms",
    .run = run_undrain,
};

}  // namespace pulse
