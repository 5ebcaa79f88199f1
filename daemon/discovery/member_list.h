// From what discovery found to the list in the segment. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shm/segment/layout.h"

namespace pulse {

// What has made a pod: its controlling owner, and the object that holds the revision of the pod's template. "" where
// the source doesn't say.
struct PodOwner {
  std::string kind;  // "ReplicaSet", "StatefulSet"
  std::string name;
  std::string uid;
  std::string revision_name;  // of a StatefulSet's pod: its label controller-revision-hash

  auto operator<=>(const PodOwner&) const = default;
};

struct Found {       // one member, as a source gives it
  std::string name;  // "" where the source knows none
  std::string address;
  uint16_t port = 0;  // of the admin interface
  bool is_core = false;
  bool ready = false;
  int64_t created_at = 0;  // epoch seconds; 0 where the source doesn't say
  int64_t revision = 0;    // of the workload's template; 0: not known
  PodOwner owner = {};

  bool operator==(const Found&) const = default;
};

// What can be this node's own address among the members; see find_self().
struct OwnAddresses {
  std::string configured;  // pulse.address; "" if not set
  std::string admin_host;
  int64_t admin_port = 0;
  std::vector<std::string> interfaces;  // of this host, loopback left out

  bool operator==(const OwnAddresses&) const = default;
};

// A numeric address in its one canonical form, "" if it isn't one.
std::string canonical_address(const std::string& address);

// Cores first, each kind ordered by address (as a number, IPv4 first) and port. An entry without a numeric address
// goes; of several with one address and port the core stays, else the first.
std::vector<Found> in_order(std::vector<Found> found);

// The positions of this node itself, always with admin_port as port: at the configured address if there is one; else
// where the admin interface is reached; else at the addresses of this host's interfaces.
std::vector<size_t> find_self(const std::vector<Found>& members, const OwnAddresses& own);

// Puts `members`, which are in order, into `list`, of which only changed_ns and boot_id are left alone. Returns how
// many found no room: the last ones, so satellites before cores.
uint32_t fill(Members& list, const std::vector<Found>& members, const OwnAddresses& own);

// Whether two lists have the same members.
bool same_members(const Members& a, const Members& b);

// The differences for a log line: "+pod-a 10.0.0.1, -10.0.0.2:6033". The port is named where it isn't 6032. At most
// `most` are named, the others counted. "" if there are none.
std::string describe_change(const Members& before, const Members& after, size_t most = 20);

}  // namespace pulse
