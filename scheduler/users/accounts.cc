#include "scheduler/users/accounts.h"

#include <algorithm>
#include <map>

#include "scheduler/users/hashes.h"
#include "src/base/utf8.h"

namespace pulse {

namespace {

struct ReasonRow {
  Reason reason;
  const char* name;
  const char* text;
};

constexpr std::array<ReasonRow, kReasons> kRows = {{
    {Reason::taken, "taken", "ProxySQL has it, or gets it"},
    {Reason::role, "role", "a role, or an account that may not log in"},
    {Reason::anonymous, "anonymous", "it has no name"},
    {Reason::system, "system", "the server's own"},
    {Reason::locked, "locked", "the server lets nobody in with it"},
    {Reason::expired, "expired", "its password has expired"},
    {Reason::no_password, "no_password", "it has no password"},
    {Reason::method, "method", "it logs in by a method that ProxySQL doesn't have"},
    {Reason::bad_hash, "bad_hash", "its hash is none that ProxySQL can use"},
    {Reason::md5, "md5", "an md5 verifier, which ProxySQL takes for the password itself"},
    {Reason::name, "name", "its name isn't UTF-8, is too long, or has a control character"},
    {Reason::service, "service", "ProxySQL's monitor, a peer, or this program logs in with it"},
    {Reason::credentials, "credentials", "admin_credentials or stats_credentials has that name"},
    {Reason::administrator, "administrator", "it may do anything (SUPER); include names it, or it is left out"},
    {Reason::replication, "replication", "it is a replica's (REPLICATION SLAVE); include names it, or it is left out"},
    {Reason::local, "local", "it may log in from the server's own host alone"},
    {Reason::not_included, "not_included", "include doesn't have it"},
    {Reason::excluded, "excluded", "exclude has it"},
    {Reason::by_hand, "by_hand", "a row made by hand has that name"},
    {Reason::hosts_differ, "hosts_differ",
     "its hosts have different passwords, and none of them is '%': what ProxySQL has stays"},
    {Reason::method_off, "method_off",
     "caching_sha2_password, and mysql-default_authentication_plugin isn't: what ProxySQL has stays"},
}};

constexpr bool is_in_order() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].reason != static_cast<Reason>(i)) return false;
  }
  return true;
}
static_assert(is_in_order());

bool is_system(const Account& account, bool pgsql) {
  if (pgsql) return account.name.starts_with("pg_") || account.name == "postgres";
  for (const char* name : {"root", "mysql", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys",
                           "debian-sys-maint", "event_scheduler", "rdsadmin", "rdsrepladmin", "cloudsqladmin"}) {
    if (account.name == name) return true;
  }
  return false;
}

bool is_local(const std::string& host) { return host == "localhost" || host == "127.0.0.1" || host == "::1"; }

bool is_good_name(const std::string& name) {
  constexpr size_t kLongest = 128;  // in bytes: MySQL has 32 characters of up to 4, MariaDB 128, PostgreSQL 63 bytes
  if (name.size() > kLongest) return false;
  for (std::string_view rest = name; !rest.empty();) {
    const size_t length = utf8_length(rest);
    if (length == 0 || static_cast<unsigned char>(rest.front()) < 0x20 || rest.front() == 0x7f) return false;
    rest.remove_prefix(length);
  }
  return true;
}

Reason judge_hash(const Account& account, const SelectionRules& rules) {
  const bool is_native = account.plugin == "mysql_native_password" || account.plugin.empty();
  if (!rules.pgsql && !is_native && account.plugin != "caching_sha2_password") return Reason::method;
  if (account.hash.empty()) return Reason::no_password;
  if (rules.pgsql) {
    if (is_md5_verifier(account.hash)) return Reason::md5;
    return is_scram_verifier(account.hash) ? Reason::taken : Reason::bad_hash;
  }
  if (is_native) return is_native_hash(account.hash) ? Reason::taken : Reason::bad_hash;
  if (!is_caching_sha2_hash(account.hash)) return Reason::bad_hash;
  return rules.caching_sha2 ? Reason::taken : Reason::method_off;
}

Reason judge(const Account& account, const SelectionRules& rules) {
  if (account.role) return Reason::role;
  if (account.name.empty()) return Reason::anonymous;
  if (!is_good_name(account.name)) return Reason::name;
  if (is_system(account, rules.pgsql)) return Reason::system;
  if (account.locked) return Reason::locked;
  if (account.expired) return Reason::expired;
  if (rules.credentials.count(account.name) != 0) return Reason::credentials;
  if (rules.services.count(account.name) != 0) return Reason::service;
  if (matches_any(rules.exclude, account.name)) return Reason::excluded;
  if (!rules.include.empty() && !matches_any(rules.include, account.name)) return Reason::not_included;
  const bool is_named = names_exactly(rules.include, account.name);
  if (account.super && !is_named) return Reason::administrator;
  if (account.replication && !is_named) return Reason::replication;
  if (is_local(account.host) && !rules.local_accounts) return Reason::local;
  return judge_hash(account, rules);
}

}  // namespace

const char* name(Reason reason) { return kRows[static_cast<size_t>(reason)].name; }
const char* text(Reason reason) { return kRows[static_cast<size_t>(reason)].text; }
bool keeps_row(Reason reason) { return reason == Reason::hosts_differ || reason == Reason::method_off; }

Selection select_accounts(std::vector<Account>& accounts, const SelectionRules& rules) {
  std::sort(accounts.begin(), accounts.end(), [](const Account& one, const Account& other) {
    return one.name != other.name ? one.name < other.name : one.host < other.host;
  });
  Selection selection;
  for (auto first = accounts.begin(); first != accounts.end();) {
    const auto last = std::find_if(first, accounts.end(), [&](const Account& one) { return one.name != first->name; });
    const Account* any = nullptr;         // one that could be taken
    const Account* everywhere = nullptr;  // the one of '%'
    bool differ = false;
    for (auto account = first; account != last; ++account) {
      account->reason = judge(*account, rules);
      if (account->reason == Reason::method_off) selection.kept.insert(account->name);
      if (account->reason != Reason::taken) continue;
      differ = differ || (any != nullptr && any->hash != account->hash);
      any = &*account;
      if (account->host == "%") everywhere = &*account;
    }
    const Account* const chosen = differ ? everywhere : any;
    if (differ) {
      for (auto account = first; account != last; ++account) {
        const bool other = chosen == nullptr || account->hash != chosen->hash;
        if (account->reason == Reason::taken && other) account->reason = Reason::hosts_differ;
      }
      if (chosen == nullptr) selection.kept.insert(first->name);
    }
    if (chosen != nullptr) selection.wanted.push_back({chosen->name, chosen->hash});
    first = last;
  }
  for (const WantedUser& user : selection.wanted) selection.kept.erase(user.name);
  return selection;
}

ReasonCounts count_reasons(const std::vector<Account>& accounts) {
  ReasonCounts counts{};
  for (const Account& account : accounts) ++counts[static_cast<size_t>(account.reason)];
  return counts;
}

std::string counts_text(const ReasonCounts& counts) {
  std::string shown;
  for (size_t i = 0; i < kReasons; ++i) {
    if (counts[i] == 0 && i != 0) continue;
    shown += (shown.empty() ? "" : ", ") + std::to_string(counts[i]) + " " + name(static_cast<Reason>(i));
  }
  return shown;
}

}  // namespace pulse
