// Accounts of a database server, which of them ProxySQL is to have, and why the others are left out. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "scheduler/users/patterns.h"

namespace pulse {

// What becomes of an account.
enum class Reason : uint8_t {
  taken,
  role,
  anonymous,
  system,
  locked,
  expired,
  no_password,
  method,
  bad_hash,
  md5,
  name,
  service,
  credentials,
  administrator,
  replication,
  local,
  not_included,
  excluded,
  by_hand,
  hosts_differ,
  method_off,
};
inline constexpr size_t kReasons = static_cast<size_t>(Reason::method_off) + 1;

// "locked"
const char* name(Reason reason);
// What it means, for people.
const char* text(Reason reason);

// Whether a row that is there already stays as it is: the account is one that ProxySQL could have.
bool keeps_row(Reason reason);

// As the server has it.
struct Account {
  std::string name;
  std::string host;    // of MySQL
  std::string plugin;  // of MySQL
  std::string hash;
  bool locked = false;
  bool expired = false;
  bool role = false;  // it can't log in
  bool super = false;
  bool replication = false;
  Reason reason = Reason::taken;  // decided by select_accounts()
};

struct SelectionRules {
  bool pgsql = false;
  bool caching_sha2 = true;           // ProxySQL logs in with it: mysql-default_authentication_plugin
  bool local_accounts = false;        // the server is on this host: accounts of localhost alone work
  std::set<std::string> credentials;  // users of admin_credentials and stats_credentials
  std::set<std::string> services;     // whom ProxySQL and this program log in as
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

// A user that ProxySQL is to have.
struct WantedUser {
  std::string name;
  std::string hash;
};

struct Selection {
  std::vector<WantedUser> wanted;  // by name, each once
  std::set<std::string> kept;      // names whose rows, where there are some, stay as they are
};

// Decides each account's reason. Several hosts of one name count once: if all that could be taken have one hash, that;
// else the hash of the host '%'; else none, and a row that is there stays as it is.
Selection select_accounts(std::vector<Account>& accounts, const SelectionRules& rules);

using ReasonCounts = std::array<size_t, kReasons>;
ReasonCounts count_reasons(const std::vector<Account>& accounts);

// "12 taken, 3 locked, 1 anonymous"
std::string counts_text(const ReasonCounts& counts);

}  // namespace pulse
