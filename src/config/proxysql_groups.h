// What ProxySQL's own groups of the file say: its admin interface, credentials, MySQL port, the scheduler's row, the
// bootstrap entries, and which groups have rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/config/cnf.h"
#include "src/config/settings.h"

namespace pulse {

struct Draft;

// Reads them below `root` into the draft, as what counts where neither pulse nor the environment nor a flag says
// otherwise. What ProxySQL passes over is passed over, with a warning where it matters to Pulse.
void take_proxysql_groups(const CnfSetting& root, Draft& draft);

// A user of the admin interface.
struct Credentials {
  std::string user;
  std::string password;
};

// The users of admin_credentials, as ProxySQL splits them: "u1:p1;u2:p2". Empty pairs are passed over, so are empty
// parts of a pair, and what comes after a pair's second part: "u:p:q" has the password "p".
std::vector<Credentials> split_credentials(std::string_view text);

// Who can log in as an administrator: one pair for each user of `admin`, in its order, with the last password that it
// gives. A user that stats_credentials names, too, only sees statistics. Both are values of the file; an empty one
// leaves ProxySQL's default.
std::vector<Credentials> admin_logins(std::string_view admin, std::string_view stats);

// Whether a password of admin_credentials is a hash of one, of mysql_native_password or of caching_sha2_password.
bool is_password_hash(std::string_view password);

// The first TCP address of ProxySQL's "a:1;b:2;/path" lists, as host and port, wildcards turned into loopback;
// the path of a unix socket with port 0 if there is no other.
std::optional<std::pair<std::string, int64_t>> first_interface(const std::string& interfaces);

// All of such a list, in its order; wildcards turned into loopback.
std::vector<MysqlInterface> all_interfaces(const std::string& interfaces);

}  // namespace pulse
