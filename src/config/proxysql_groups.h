// What ProxySQL's own groups of the file say: its admin interface, credentials, MySQL port, the scheduler's row, the
// bootstrap entries, and which groups have rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "src/base/result.h"

struct config_setting_t;  // libconfig's

namespace pulse {

struct Draft;

// Reads them below `root` into the draft, as what counts where neither pulse nor the environment nor a flag says
// otherwise.
Result<void> take_proxysql_groups(const config_setting_t* root, Draft& draft);

// The first TCP address of ProxySQL's "a:1;b:2;/path" lists, as host and port, wildcards turned into loopback;
// the path of a unix socket with port 0 if there is no other.
std::optional<std::pair<std::string, int64_t>> first_interface(const std::string& interfaces);

}  // namespace pulse
