#include "scheduler/users/users_admin.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "scheduler/users/users_statements.h"
#include "src/base/number.h"
#include "src/config/proxysql_groups.h"

namespace pulse {

namespace {

class UserSink final : public RowSink {
 public:
  explicit UserSink(const UsersTable& table) : table_(table) {}

  Result<void> columns(const std::vector<std::string_view>&) override {
    answered_ = true;
    return {};
  }
  Result<void> row(const std::vector<std::optional<std::string_view>>& cells) override {
    auto read = user_row(table_, cells);
    if (!read) return read.error();
    rows_.push_back(std::move(*read));
    return {};
  }

  bool answered() const { return answered_; }
  UserRows take() { return std::move(rows_); }

 private:
  const UsersTable& table_;
  UserRows rows_;
  bool answered_ = false;
};

// Two loads of a module within one second leave a peer that pulled in between for ever with the first: an epoch counts
// seconds. Waits for the next one, by ProxySQL's clock.
Result<void> wait_for_next_second(AdminSession& admin, const UsersTable& table, Deadline deadline) {
  const std::string ask =
      std::string("SELECT epoch, strftime('%s', 'now') FROM runtime_checksums_values WHERE name='") + table.table + "'";
  constexpr int kMostTries = 30;
  for (int i = 0; i < kMostTries; ++i) {
    const auto answer = admin.query(ask, deadline);
    if (!answer) return answer.error();
    if (answer->rows.size() != 1 || answer->rows[0].size() != 2) return {};
    const auto epoch = to_number<int64_t>(answer->rows[0][0]);
    const auto now = to_number<int64_t>(answer->rows[0][1]);
    if (!epoch || !now || *epoch != *now) return {};
    const int64_t to_next_ns = 1'000'000'000 - clock_ns(CLOCK_REALTIME) % 1'000'000'000;
    const timespec pause{0, static_cast<long>(std::clamp<int64_t>(deadline.left().count(), 0, to_next_ns - 1))};
    ::nanosleep(&pause, nullptr);
  }
  return {};
}

Result<void> expect(AdminSession& admin, const UsersTable& table, const std::string& place, const UserRows& meant,
                    const char* consequence, Deadline deadline) {
  const auto rows = read_users(admin, table, place, deadline);
  if (!rows) return rows.error();
  const std::string different = first_difference(*rows, meant);
  if (different.empty() && !rows->empty()) return {};
  return Error{place + table.table + " isn't what was written: " + (rows->empty() ? "it is empty" : different) +
               "; somebody has changed it meanwhile, or a peer's came in: " + consequence};
}

Result<bool> save(AdminSession& admin, const UsersTable& table, const std::string& mark, Deadline deadline) {
  const auto unsaved = admin.query(count_unsaved_users(table, mark), deadline);
  if (!unsaved) return unsaved.error();
  if (unsaved->rows.size() == 1 && unsaved->rows[0].size() == 1 && unsaved->rows[0][0] == "0") return false;
  for (const std::string& statement : {save_users(table, mark), delete_saved_users(table, mark)}) {
    if (auto done = admin.query(statement, deadline); !done) return done.error();
  }
  return true;
}

}  // namespace

Result<ProxysqlFacts> read_facts(AdminSession& admin, Deadline deadline) {
  const auto answer = admin.query(
      "SELECT variable_name, variable_value FROM runtime_global_variables WHERE variable_name IN ('admin-version', "
      "'admin-admin_credentials', 'admin-stats_credentials', 'admin-cluster_username', 'mysql-monitor_username', "
      "'pgsql-monitor_username', 'mysql-default_authentication_plugin')",
      deadline);
  if (!answer) return answer.error();
  ProxysqlFacts facts;
  for (const auto& row : answer->rows) {
    if (row.size() != 2) continue;
    const std::string& name = row[0];
    const std::string& value = row[1];
    if (name == "admin-version") facts.version = value;
    if (name.ends_with("_credentials")) {
      for (const Credentials& one : split_credentials(value)) facts.credentials.insert(one.user);
    }
    if (name.ends_with("_username") && !value.empty()) facts.services.insert(value);
    if (name == "mysql-default_authentication_plugin") facts.caching_sha2 = value == "caching_sha2_password";
  }
  if (facts.version.empty()) return Error{"ProxySQL doesn't say its version: not asked for users"};
  return facts;
}

Result<std::vector<SourceAddress>> online_servers(AdminSession& admin, const UsersTable& table, int64_t hostgroup,
                                                  Deadline deadline) {
  const std::string from = table.has_schema ? "runtime_mysql_servers" : "runtime_pgsql_servers";
  const auto answer =
      admin.query("SELECT hostname, port FROM " + from + " WHERE hostgroup_id=" + std::to_string(hostgroup) +
                      " AND status='ONLINE' ORDER BY hostname, port",
                  deadline);
  if (!answer) return answer.error();
  std::vector<SourceAddress> servers;
  for (const auto& row : answer->rows) {
    if (row.size() != 2) continue;
    servers.push_back({row[0], to_number<uint16_t>(row[1]).value_or(0)});
  }
  return servers;
}

Result<UserRows> read_users(AdminSession& admin, const UsersTable& table, const std::string& place, Deadline deadline) {
  UserSink sink(table);
  if (auto read = admin.read(select_users(table, place), sink, deadline); !read) return read.error();
  if (!sink.answered()) return Error{place + table.table + ": ProxySQL answered without a result"};
  UserRows rows = sink.take();
  sort(rows);
  return rows;
}

Result<Written> carry_out(AdminSession& admin, const UsersTable& table, const UsersPlan& plan, const std::string& mark,
                          Deadline deadline) {
  Written written;
  if (!plan.writes.empty()) {
    const std::string statement = write_users(table, plan.writes, mark);
    constexpr size_t kMostStatementBytes = 15 << 20;  // beyond 16 MiB the protocol cuts it into packets
    if (statement.size() > kMostStatementBytes) {
      return Error{std::string(table.table) +
                   ": more users change than one statement takes: do it in parts with include"};
    }
    if (auto done = admin.query(statement, deadline); !done) return done.error();
    written.wrote = true;
  }
  if (plan.loads) {
    if (auto waited = wait_for_next_second(admin, table, deadline); !waited) return waited.error();
    if (auto right = expect(admin, table, "", plan.memory, "not loaded; the next run looks again", deadline); !right) {
      return right.error();
    }
    const auto done = admin.query(std::string("LOAD ") + table.module + " TO RUNTIME", deadline);
    if (!done) return done.error();
    written.loaded = true;
    const auto right = expect(admin, table, "runtime_", plan.served, "the next run looks again", deadline);
    if (!right) return right.error();
  }
  if (plan.sweeps) {
    if (auto done = admin.query(sweep_users(table, mark), deadline); !done) return done.error();
    written.wrote = true;
  }
  const auto saved = save(admin, table, mark, deadline);
  if (!saved) return saved.error();
  written.saved = *saved;
  return written;
}

}  // namespace pulse
