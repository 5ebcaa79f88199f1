#include "scheduler/admin/admin_errors.h"

#include <cerrno>

#include "src/base/exit_code.h"

namespace pulse {

AdminTarget admin_target(const Config& config) {
  return {config.admin.host, static_cast<uint16_t>(config.admin.port), config.admin.user, config.admin.password,
          config.admin.tls};
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

}  // namespace pulse
