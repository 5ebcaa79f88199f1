#include "scheduler/admin/admin_errors.h"

#include <cerrno>

#include "src/base/exit_code.h"
#include "src/config/proxysql_groups.h"

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

std::string contradiction_with_file(const Error& error) {
  const std::string bring =
      "LOAD ADMIN VARIABLES FROM CONFIG, LOAD ADMIN VARIABLES TO RUNTIME, SAVE ADMIN VARIABLES TO DISK; or write into "
      "the file what it has";
  if (is_refusal(error)) {
    return "once it has a proxysql.db, ProxySQL runs on the admin_credentials there, not on the file's: log in with "
           "those and run " +
           bring;
  }
  if (is_unreachable(error)) {
    return "it isn't running, or it runs on the mysql_ifaces of its proxysql.db, not on the file's: if it listens "
           "elsewhere (ss -ltnp), log in there and run " +
           bring;
  }
  return "";
}

std::string login_hint(const Error& error, const Config& config) {
  constexpr int kTlsFailed = 2026, kNoPlugin = 2059;  // CR_SSL_CONNECTION_ERROR, CR_AUTH_PLUGIN_CANNOT_LOAD
  if (is_refusal(error) && error.text.find("SSL is required") != std::string::npos) {
    return "ProxySQL lets this user in with TLS alone: set pulse.admin.tls = true";
  }
  if (error.code == kTlsFailed && config.admin.tls) {
    return "pulse.admin.tls asks for TLS, which ProxySQL offers with mysql-have_ssl = true alone";
  }
  if (error.code == kNoPlugin) {
    return "ProxySQL asks this user for another authentication method than mysql_native_password: let "
           "admin_credentials have its password in clear text, or as a hash of mysql_native_password";
  }
  if (is_refusal(error) && is_password_hash(config.admin.password)) {
    return "that is the hash of a password, which nobody can log in with: set pulse.admin.password, or "
           "pulse.admin.password_file, to the password itself";
  }
  return contradiction_with_file(error);
}

int exit_code_of(const Error& error, Phase phase) {
  if (error.code == ETIMEDOUT) return kExitTimeout;
  return phase == Phase::connect || !is_refusal(error) ? kExitUnavailable : kExitStatement;
}

}  // namespace pulse
