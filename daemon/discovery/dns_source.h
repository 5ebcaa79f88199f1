// Members from DNS: all addresses of some names, looked up again and again.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "daemon/discovery/source_status.h"
#include "daemon/dns/name_lookup.h"
#include "src/config/settings.h"

namespace pulse {

// An address is a member at once, and gone when that many good looks in a row didn't have it: resolvers give a part of
// the addresses, or old ones, for a moment.
inline constexpr int kGoneLooks = 3;

// What is known of one name: its addresses, each with the number of good looks in a row that it was missing from.
using KnownAddresses = std::map<std::string, int>;

// Takes in a good look. True if an address came or went. Nobody is missing from a partial one.
bool take_in(KnownAddresses& known, const std::set<std::string>& seen, bool partial = false);

struct KnownName {
  KnownAddresses addresses;
  bool answered = false;  // it had addresses once
  int absent = 0;         // so many good looks in a row there was no such name
};
using KnownNames = std::map<std::string, KnownName>;

struct Round {
  bool changed = false;   // an address came or went, or the list became complete
  bool complete = false;  // of each name it is known who has it: until then a member may be missing
  std::string error;      // why the round isn't a good one; "" if it is
};

// Takes in the answers for all names. With a name for each node (pod-0.headless), one that doesn't exist while others
// answer is a node that isn't there, after kGoneLooks such rounds. If none answers, something else is wrong: nobody
// goes then. An answer that fails never means that a node isn't there.
Round take_in(KnownNames& known, const std::map<std::string, NameAnswer>& answers);

// How long to wait after a round: `interval`, or until the first of the addresses may have changed. A cache gives the
// same answer until then, and three looks at one answer are no three looks. No longer than a quarter of `max_age`, so
// that the list doesn't age. `ttl` is the shortest of the answers', none if one of them failed.
milliseconds next_round(milliseconds interval, milliseconds max_age, std::optional<std::chrono::seconds> ttl);

// Looks up one name until the deadline, or until the descriptor is readable or hung up.
using Resolve = std::function<NameAnswer(const std::string& host, Deadline deadline, int stop_fd)>;

// Looks up all names of `config` until the daemon stops. To be a thread of its own. `resolve` is look_up(), or a
// test's.
void follow_names(const Config& config, const SourceLink& link, const Resolve& resolve);

}  // namespace pulse
