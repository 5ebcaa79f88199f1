// Accounts of MySQL and MariaDB.
#include <cstdint>

#include "scheduler/admin/admin_client.h"
#include "scheduler/users/account_source.h"

namespace pulse {

namespace {

// Names and hashes come as hexadecimal: whatever character set the connection has, they are the bytes that are stored.
// The columns: name, host, plugin, hash, locked, expired, role, super, replication.
constexpr const char* kMysql =
    "SELECT HEX(User), Host, plugin, HEX(authentication_string), account_locked='Y', "
    "password_expired='Y' OR (COALESCE(password_lifetime, @@default_password_lifetime) > 0 AND "
    "password_last_changed < NOW() - INTERVAL COALESCE(password_lifetime, @@default_password_lifetime) DAY), "
    "0, Super_priv='Y', Repl_slave_priv='Y' FROM mysql.user";

// 32768 and 524288 are SUPER and REPLICATION SLAVE among the bits of `access`.
constexpr const char* kMariadb =
    "SELECT HEX(User), Host, COALESCE(JSON_VALUE(Priv, '$.plugin'), ''), "
    "HEX(JSON_VALUE(Priv, '$.authentication_string')), "
    "COALESCE(JSON_VALUE(Priv, '$.account_locked'), '0') IN ('1', 'true'), "
    "COALESCE(JSON_VALUE(Priv, '$.password_last_changed') = 0, 0) OR "
    "COALESCE(COALESCE(NULLIF(JSON_VALUE(Priv, '$.password_lifetime'), -1), @@default_password_lifetime) > 0 AND "
    "JSON_VALUE(Priv, '$.password_last_changed') + 86400 * "
    "COALESCE(NULLIF(JSON_VALUE(Priv, '$.password_lifetime'), -1), @@default_password_lifetime) < UNIX_TIMESTAMP(), "
    "0), COALESCE(JSON_VALUE(Priv, '$.is_role'), '0') IN ('1', 'true'), "
    "(COALESCE(JSON_VALUE(Priv, '$.access'), 0) & 32768) <> 0, "
    "(COALESCE(JSON_VALUE(Priv, '$.access'), 0) & 524288) <> 0 FROM mysql.global_priv";

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool unhex(std::string_view hex, std::string& bytes) {
  bytes.clear();
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    if (digit(hex[i]) < 0 || digit(hex[i + 1]) < 0) return false;
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return hex.size() % 2 == 0;
}

class AccountSink final : public RowSink {
 public:
  explicit AccountSink(std::vector<Account>& accounts) : accounts_(accounts) {}

  Result<void> columns(const std::vector<std::string_view>& names) override {
    return names.size() == 9 ? Result<void>() : Error{"the server's answer has other columns than were asked for"};
  }
  Result<void> row(const std::vector<std::optional<std::string_view>>& cells) override {
    const auto cell = [&](size_t i) { return cells[i].value_or(""); };
    Account account;
    if (!unhex(cell(0), account.name) || !unhex(cell(3), account.hash)) return Error{"an account isn't hexadecimal"};
    account.host = cell(1);
    account.plugin = cell(2);
    account.locked = cell(4) == "1";
    account.expired = cell(5) == "1";
    account.role = cell(6) == "1";
    account.super = cell(7) == "1";
    account.replication = cell(8) == "1";
    accounts_.push_back(std::move(account));
    return {};
  }

 private:
  std::vector<Account>& accounts_;
};

}  // namespace

Result<ReadAccounts> read_mysql_accounts(const SourceAddress& at, const SourceLogin& login, const SyncSource& source,
                                         bool of_replica, Deadline deadline) {
  AdminTarget target{at.host, at.port, login.user, login.password};
  target.backend = true;
  target.tls = source.tls != BackendTls::off;
  target.verify = source.tls == BackendTls::verified;
  target.ca_file = source.ca_file;
  auto client = AdminClient::connect(target, deadline);
  if (!client) return client.error();
  const auto server = client->query("SELECT VERSION(), @@global.read_only", deadline);
  if (!server) return server.error();
  if (server->rows.size() != 1 || server->rows[0].size() != 2) return Error{at.host + ": no answer to its version"};
  ReadAccounts read;
  read.is_writer = server->rows[0][1] == "0" || server->rows[0][1] == "OFF";
  if (read.is_writer || of_replica) {
    const bool is_mariadb = server->rows[0][0].find("MariaDB") != std::string::npos;
    AccountSink sink(read.accounts);
    if (auto done = client->read(is_mariadb ? kMariadb : kMysql, sink, deadline); !done) return done.error();
  }
  client->say_goodbye(deadline);
  return read;
}

}  // namespace pulse
