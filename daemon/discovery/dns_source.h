// Members from DNS: all addresses of some names, looked up again and again.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/discovery/source_status.h"
#include "src/base/result.h"
#include "src/config/settings.h"

namespace pulse {

// An address is a member at once, and gone when that many good looks in a row didn't have it: resolvers give a part of
// the addresses, or old ones, for a moment.
inline constexpr int kGoneLooks = 3;

// What is known of one name: its addresses, each with the number of good looks in a row that it was missing from.
using KnownAddresses = std::map<std::string, int>;

// Takes in a good look. True if an address came or went.
bool take_in(KnownAddresses& known, const std::set<std::string>& seen);

// All addresses of a host, numeric. None at all is an error, as is what the resolver can't answer. May take as long as
// the resolver likes.
Result<std::set<std::string>> look_up(const std::string& host);

// Looks up all names of `config` every discovery_interval until the daemon stops. To be a thread of its own.
void follow_names(const Config& config, const SourceLink& link);

}  // namespace pulse
