// Roles of PostgreSQL.
#include "scheduler/postgresql/client.h"
#include "scheduler/users/account_source.h"

namespace pulse {

namespace {

class OneFlag final : public RowSink {
 public:
  Result<void> columns(const std::vector<std::string_view>&) override { return {}; }
  Result<void> row(const std::vector<std::optional<std::string_view>>& cells) override {
    flag_ = cells.size() == 1 && cells[0] == "f";
    return {};
  }
  bool flag() const { return flag_; }

 private:
  bool flag_ = false;
};

class RoleSink final : public RowSink {
 public:
  explicit RoleSink(std::vector<Account>& accounts) : accounts_(accounts) {}

  Result<void> columns(const std::vector<std::string_view>& names) override {
    return names.size() == 6 ? Result<void>() : Error{"the server's answer has other columns than were asked for"};
  }
  Result<void> row(const std::vector<std::optional<std::string_view>>& cells) override {
    const auto is_true = [&](size_t i) { return cells[i] == "t"; };
    Account account;
    account.name = cells[0].value_or("");
    account.hash = cells[1].value_or("");
    account.role = !is_true(2);
    account.super = is_true(3);
    account.replication = is_true(4);
    account.expired = is_true(5);
    accounts_.push_back(std::move(account));
    return {};
  }

 private:
  std::vector<Account>& accounts_;
};

}  // namespace

Result<ReadAccounts> read_pgsql_accounts(const SourceAddress& at, const SourceLogin& login, const SyncSource& source,
                                         bool of_replica, Deadline deadline) {
  pgsql::Target target{at.host, at.port, login.user, login.password, source.database};
  target.tls = source.tls != BackendTls::off;
  target.verify = source.tls == BackendTls::verified;
  target.ca_file = source.ca_file;
  auto client = pgsql::Client::connect(target, deadline);
  if (!client) return client.error();
  OneFlag writes;
  if (auto asked = client->read("SELECT pg_is_in_recovery()", writes, deadline); !asked) return asked.error();
  ReadAccounts read;
  read.is_writer = writes.flag();
  if (read.is_writer || of_replica) {
    RoleSink sink(read.accounts);
    const std::string roles =
        "SELECT name, verifier, can_login, is_superuser, is_replication, expired FROM " + source.accounts;
    if (auto done = client->read(roles, sink, deadline); !done) return done.error();
  }
  client->say_goodbye();
  return read;
}

}  // namespace pulse
