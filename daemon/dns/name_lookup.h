// The addresses of a host name, by the hosts file and DNS. Not by the C library: its resolver knows no deadline and no
// TTL, can't be cancelled, and needs plug-ins (NSS), which a static program hasn't got. So other services that
// nsswitch.conf names aren't asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/clock.h"

namespace pulse {

// What is known of one name.
struct NameAnswer {
  enum class Kind {
    addresses,
    no_such_name,  // by an answer that is certain: there is none
    failed,        // it couldn't be answered, or has no address, which says nothing of the name
  };
  Kind kind = Kind::failed;
  std::set<std::string> addresses = {};  // numeric
  std::string error = {};                // of the other two
  // There may be more: either IPv4 or IPv6 couldn't be answered.
  bool partial = false;
  // How long the addresses hold at least. None: nobody said, as with the hosts file.
  std::optional<std::chrono::seconds> ttl = {};
};

struct LookupSources {
  std::string hosts = "/etc/hosts";
  std::string resolv_conf = "/etc/resolv.conf";  // nameserver, search, domain, and of the options ndots and rotate
  uint16_t port = 53;                            // of all servers
};

// All addresses of a name, IPv4 and IPv6. Returns when `deadline` has passed, or as soon as `stop_fd` is readable or
// hung up (-1: nothing stops it). A name that is an address has that one. Reads both files each time.
NameAnswer look_up(const std::string& host, Deadline deadline, int stop_fd = -1, const LookupSources& sources = {});

// What look_up() is made of. Pure.

// What resolv.conf(5) says of names that aren't whole.
struct SearchRules {
  int ndots = 1;
  std::vector<std::string> domains;
};
// Of the text of that file; where it names no domain, of this host's own name.
SearchRules search_rules(std::string_view resolv_conf, std::string_view own_name);

// The names to ask for, in this order until one has an address: with the search domains, and as it is. The latter is
// the first if the name has as many dots as `ndots`, and the only one if it ends with a dot.
std::vector<std::string> names_to_ask(const std::string& host, const SearchRules& rules);

// The addresses that the text of a hosts(5) file gives a name.
std::set<std::string> addresses_in_hosts(std::string_view text, std::string_view host);

}  // namespace pulse
