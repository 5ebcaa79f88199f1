#include "scheduler/users/sync_users.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/admin/proxysql_version.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/run/state_access.h"
#include "scheduler/users/users_admin.h"
#include "shm/record/attempts.h"
#include "shm/record/leadership.h"
#include "shm/segment/boot.h"
#include "shm/status/snapshot.h"
#include "src/base/exit_code.h"
#include "src/base/host_port.h"
#include "src/base/log.h"
#include "src/base/show.h"

namespace pulse {

namespace {

constexpr milliseconds kBeforeConfig{600'000};  // until the file says how long
constexpr milliseconds kOneServer{5'000};       // of several that may be the writer

// One protocol's part of a run.
struct Part {
  UsersTable table;
  const SyncSource& source;
  Result<ReadAccounts> (*read)(const SourceAddress&, const SourceLogin&, const SyncSource&, bool, Deadline);
  uint16_t port;  // of a server without one
};

class SyncUsers {
 public:
  explicit SyncUsers(const Options& options) : options_(options), state_(options) {}

  int run() {
    arm_hard_timer(deadline_in(options_.timeout.value_or(kBeforeConfig)));
    limit_memory();
    if (!state_.load()) return fail(kExitConfig, state_.config_error());
    const Config& config = state_.loaded().config;
    const SyncUsersSettings& settings = config.sync_users;
    arm_hard_timer(deadline_in(settings.deadline));
    deadline_ = io_deadline(began_, settings.deadline);
    if (!settings.mysql.is_set() && !settings.pgsql.is_set()) {
      return fail(kExitConfig, config.file + ": nothing to sync: set pulse.sync_users.mysql or pulse.sync_users.pgsql");
    }
    if (config.is_satellite()) {
      return fail(kExitConfig,
                  "pulse.role is \"satellite\": users come from the cores, and a load of its own would cut it "
                  "off from them; run it on a core");
    }
    auto lock = InstanceLock::try_take(config.state + ".sync-users", config.group);
    if (!lock) return fail(kExitConfig, lock.error().text);
    if (!lock->taken()) return fail(kExitSkipped, "another sync of this ProxySQL's users is running");
    if (const std::string reason = why_not_now(config); !reason.empty()) return fail(kExitSkipped, reason);

    auto admin = AdminClient::connect(admin_target(config), deadline_);
    if (!admin) {
      const std::string hint = login_hint(admin.error(), config);
      return fail(exit_code_of(admin.error(), Phase::connect), admin.error().text + (hint.empty() ? "" : ": " + hint));
    }
    const auto facts = read_facts(*admin, deadline_);
    if (!facts) return fail(exit_code_of(facts.error(), Phase::observe), facts.error().text);

    // One of them that fails says nothing against the other.
    int code = kExitOk;
    if (settings.mysql.is_set()) {
      code = sync(*admin, *facts, {kMysqlUsers, settings.mysql, read_mysql_accounts, 3306}, settings);
    }
    if (settings.pgsql.is_set()) {
      const int other = !has_pgsql(facts->version)
                            ? fail(kExitConfig, "ProxySQL " + facts->version + " has no pgsql_users: it came with 3.0")
                            : sync(*admin, *facts, {kPgsqlUsers, settings.pgsql, read_pgsql_accounts, 5432}, settings);
      if (code == kExitOk) code = other;
    }
    admin->say_goodbye(deadline_);
    return code;
  }

 private:
  Deadline deadline_in(milliseconds span) const { return Deadline::at(began_ + span); }

  static int fail(int code, const std::string& text) {
    log_error("sync-users: " + text);
    return code;
  }

  // What the segment says against it: as for a dump, and that this node doesn't lead.
  std::string why_not_now(const Config& config) {
    state_.open_existing();
    if (options_.dry_run) return "";
    const bool leader_alone = config.leader.mode != LeaderMode::none && !options_.any_node;
    if (state_.segment() == nullptr) {
      return leader_alone ? "no state segment says who the leader is: --any-node does without" : "";
    }
    const BackoffPolicy policy{nanoseconds(config.beat.interval).count(), nanoseconds(config.beat.backoff_max).count()};
    const int64_t now = boottime_ns();
    StateView view = read_state(*state_.segment(), machine_boot_id(), policy, now);
    read_jobs(*state_.segment(), machine_boot_id(), now, view);
    if (view.draining_since_ns != 0 && view.drain.ended_ns < view.draining_since_ns) return "a drain is running";
    if (view.last_beat_ns != 0 && view.record.next_attempt_ns > now) {
      return "the admin interface doesn't answer, and beats back off: not asked either; see status";
    }
    if (!leader_alone) return "";
    const Leadership leader = leadership(view.leader, machine_boot_id(), now);
    return leader.is_self ? "" : "this node isn't the leader: " + leader.reason;
  }

  struct ReadFrom {
    SourceAddress at;
    std::vector<Account> accounts;
  };

  // The accounts of the server that is asked, or of the first of the hostgroup that takes writes.
  Result<ReadFrom> read_accounts(AdminSession& admin, const Part& part, const SourceLogin& login) const {
    if (part.source.hostgroup < 0) {
      const auto named = parse_host_port(part.source.server, part.port);
      SourceAddress at{part.source.server, 0};  // a socket's path
      if (part.source.server.front() != '/') at = {named->host, named->port};
      auto read = part.read(at, login, part.source, true, deadline_);
      if (!read) return read.error();
      return ReadFrom{at, std::move(read->accounts)};
    }
    const auto servers = online_servers(admin, part.table, part.source.hostgroup, deadline_);
    if (!servers) return servers.error();
    const std::string group = "hostgroup " + std::to_string(part.source.hostgroup);
    Error last{group + " has no server that is ONLINE", kNoSource};
    for (const SourceAddress& at : *servers) {
      auto read = part.read(at, login, part.source, false, sooner(kOneServer, deadline_));
      if (read && read->is_writer) return ReadFrom{at, std::move(read->accounts)};
      last = read ? Error{group + ": " + host_port_text(at.host, at.port) + " is read-only, and no other takes writes",
                          kNoSource}
                  : read.error();
      if (deadline_.passed()) break;
    }
    return last;
  }

  int sync(AdminSession& admin, const ProxysqlFacts& facts, const Part& part, const SyncUsersSettings& settings) {
    const std::string table = part.table.table;
    std::string warning;
    const auto login = read_login(part.source.credentials_file, warning);
    if (!login) return fail(kExitConfig, table + ": " + login.error().text);
    if (!warning.empty()) log_warning("sync-users: " + warning);

    auto read = read_accounts(admin, part, *login);
    if (!read) {
      const int code = read.error().code == ETIMEDOUT ? kExitTimeout : kExitUnavailable;
      return fail(code, table + ": " + read.error().text + ": nobody is removed");
    }
    SelectionRules rules;
    rules.pgsql = !part.table.has_schema;
    rules.caching_sha2 = facts.caching_sha2;
    rules.local_accounts = is_on_this_host(read->at.host);
    rules.credentials = facts.credentials;
    rules.services = facts.services;
    rules.services.insert(login->user);
    rules.include = part.source.include;
    rules.exclude = part.source.exclude;
    const Selection selection = select_accounts(read->accounts, rules);

    const auto memory = read_users(admin, part.table, "", deadline_);
    if (!memory) return fail(exit_code_of(memory.error(), Phase::observe), memory.error().text);
    const auto runtime = read_users(admin, part.table, "runtime_", deadline_);
    if (!runtime) return fail(exit_code_of(runtime.error(), Phase::observe), runtime.error().text);
    auto hostgroups = parse_hostgroup_rules(part.source.hostgroups);
    if (!hostgroups) return fail(kExitConfig, table + ": hostgroups: " + hostgroups.error().text);
    const UsersPlan plan = plan_users({part.table, selection, *memory, *runtime, std::move(*hostgroups), settings.mark,
                                       settings.most_removals_percent, options_.force});
    for (Account& account : read->accounts) {
      if (account.reason == Reason::taken && plan.by_hand.count(account.name) != 0) account.reason = Reason::by_hand;
    }
    const std::string counts = counts_text(count_reasons(read->accounts));
    if (options_.dry_run) return show(part, *read, plan, counts);
    if (!plan.refusal.empty()) return fail(kExitRefused, table + ": " + plan.refusal + " (" + counts + ")");
    return carry_out(admin, part, plan, settings.mark, host_port_text(read->at.host, read->at.port), counts);
  }

  int carry_out(AdminSession& admin, const Part& part, const UsersPlan& plan, const std::string& mark,
                const std::string& from, const std::string& counts) const {
    const auto written = pulse::carry_out(admin, part.table, plan, mark, deadline_);
    const std::string table = part.table.table;
    if (!written) return fail(exit_code_of(written.error(), Phase::act), written.error().text);
    if (!plan.does_nothing() || written->saved || ::isatty(STDOUT_FILENO) != 0) {
      std::printf("%s from %s: %s, %s\n", table.c_str(), from.c_str(), changes_text(plan).c_str(), counts.c_str());
    }
    return kExitOk;
  }

  static std::string changes_text(const UsersPlan& plan) {
    return std::to_string(plan.added.size()) + " added, " + std::to_string(plan.changed.size()) + " changed, " +
           std::to_string(plan.removed.size()) + " removed, " + (plan.loads ? "loaded" : "nothing to load");
  }

  // Each account with what becomes of it, the users that go, and the counts.
  static int show(const Part& part, const ReadFrom& read, const UsersPlan& plan, const std::string& counts) {
    for (const Account& account : read.accounts) {
      std::string line = account.name + (account.host.empty() ? "" : "@" + account.host) + ": ";
      if (account.reason == Reason::taken) {
        line += plan.added.count(account.name) != 0     ? "to be added"
                : plan.changed.count(account.name) != 0 ? "to be changed"
                                                        : "taken";
      } else {
        line += std::string(name(account.reason)) + ", " + text(account.reason);
      }
      std::puts(printable(line).c_str());
    }
    for (const std::string& gone : plan.removed) std::puts(printable(gone + ": to be removed").c_str());
    if (!plan.refusal.empty()) std::printf("refused: %s\n", printable(plan.refusal).c_str());
    std::printf("%s from %s: %s, %s\n", part.table.table, host_port_text(read.at.host, read.at.port).c_str(),
                changes_text(plan).c_str(), counts.c_str());
    return plan.refusal.empty() ? kExitOk : kExitRefused;
  }

  // Names come from a server: nothing of them is to move a terminal's cursor.
  static std::string printable(std::string line) {
    for (char& c : line) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return line;
  }

  static constexpr int kNoSource = 1;  // errors that aren't the clock's

  const Options& options_;
  const MonotonicTime began_ = MonotonicTime::now();
  Deadline deadline_ = Deadline::at(began_ + kBeforeConfig);
  StateAccess state_;
};

int run_sync_users(const Options& options) { return SyncUsers(options).run(); }

constexpr std::array<Option, 4> kSyncUsersOptions = {{
    {"dry-run", nullptr, "change nothing: list what becomes of each account\n", take_flag<&Options::dry_run>},
    {"force", nullptr,
     "remove more users at once than\n"
     "sync_users.most_removals_percent allows\n",
     take_flag<&Options::force>},
    {"any-node", nullptr,
     "also where this node isn't the leader\n"
     "(pulse.leader.mode)\n",
     take_flag<&Options::any_node>},
    timeout_option(1'000, 600'000, "of the whole run, {}\n(sync_users.deadline_ms)\n"),
}};

constexpr std::array<Exit, 8> kSyncUsersExits = {{
    {"the users are as they are to be", kExitOk},
    {nullptr, kExitUsage},
    {"refused: it could do harm, see what it says", kExitRefused},
    {"ProxySQL or the database server unreachable, or a login refused", kExitUnavailable},
    {"a statement failed, or somebody changed the table meanwhile", kExitStatement},
    {"another one or a drain runs, the admin interface hangs, or not the leader", kExitSkipped},
    {nullptr, kExitConfig},
    {nullptr, kExitTimeout},
}};

}  // namespace

constinit const Command kSyncUsersCommand = {
    .name = "sync-users",
    .summary = "takes a database server's accounts over as ProxySQL's users",
    .usage = "[OPTION...]",
    .about = R"(Reads the accounts of the server that pulse.sync_users names, writes those that
ProxySQL can log in into mysql_users (or pgsql_users) and loads them, if
anything differs. It changes and removes only the users that it has made, which
have its mark in their comment. A source that fails, breaks off or is empty
removes nobody.
)",
    .options = kSyncUsersOptions,
    .more = R"(As a job: jobs = ( { name = "users"
    command = ["/usr/bin/proxysql-pulse", "sync-users"] } )
)",
    .exits = kSyncUsersExits,
    .timeout_key = "sync_users.deadline_ms",
    .run = run_sync_users,
};

}  // namespace pulse
