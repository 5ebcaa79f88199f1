#include "scheduler/admin/admin_errors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "src/base/exit_code.h"

namespace pulse {

AdminTarget admin_target(const Config& config) {
  return {config.admin.host, static_cast<uint16_t>(config.admin.port), config.admin.user, config.admin.password,
          config.admin.tls};
}

Deadline io_deadline(int64_t began_monotonic_ns, std::chrono::milliseconds timeout) {
  const int64_t span = nanoseconds(timeout).count();
  return Deadline::at_monotonic_ns(began_monotonic_ns + span - std::min<int64_t>(30'000'000, span / 5));
}

bool is_refusal(const Error& error) { return error.code != ETIMEDOUT && (error.code < 2000 || error.code >= 3000); }

bool is_unreachable(const Error& error) {
  constexpr int kConnectionError = 2002, kConnHostError = 2003;  // CR_ of errmsg.h
  return error.code == kConnectionError || error.code == kConnHostError;
}

int exit_code_of(const Error& error, Phase phase) {
  if (error.code == ETIMEDOUT) return kExitTimeout;
  return phase == Phase::connect || !is_refusal(error) ? kExitUnavailable : kExitStatement;
}

void limit_memory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they reserve terabytes
  const rlimit limit{64 << 20, 64 << 20};
  ::setrlimit(RLIMIT_DATA, &limit);
#endif
}

}  // namespace pulse
