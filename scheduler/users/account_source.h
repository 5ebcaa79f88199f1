// A connection to a database server that accounts are read from, whatever its protocol.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/users/accounts.h"
#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/settings.h"

namespace pulse {

struct SourceAddress {
  std::string host;  // a name, an address, or the path of a unix socket with port 0
  uint16_t port = 0;
};

struct SourceLogin {
  std::string user;
  std::string password;
};

// The two lines of sync_users.*.credentials_file. `warning` is set if others than its owner and group may read it.
Result<SourceLogin> read_login(const std::string& path, std::string& warning);

struct ReadAccounts {
  bool is_writer = false;  // else `accounts` is empty, unless they were wanted all the same
  std::vector<Account> accounts;
};

// Logs in, asks whether the server takes writes, and reads all its accounts. A replica's are read with `of_replica`
// alone. Every wait ends with the deadline; an error's code is ETIMEDOUT then. An answer that breaks off is an error.
Result<ReadAccounts> read_mysql_accounts(const SourceAddress& at, const SourceLogin& login, const SyncSource& source,
                                         bool of_replica, Deadline deadline);
Result<ReadAccounts> read_pgsql_accounts(const SourceAddress& at, const SourceLogin& login, const SyncSource& source,
                                         bool of_replica, Deadline deadline);

// Whether a server at that address runs on this host, as far as the address says so.
bool is_on_this_host(const std::string& host);

}  // namespace pulse
