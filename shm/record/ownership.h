// Whose a segment is: two ProxySQLs on one host may be configured with the same path. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shm/segment/layout_owner.h"
#include "shm/segment/segment.h"
#include "src/config/settings.h"

namespace pulse {

// The owner that a configuration file speaks of. `file` is its path as given.
Owner make_owner(std::string_view file, uint64_t config_path, std::string_view admin_host, int64_t admin_port,
                 int64_t mysql_port);
Owner owner_of(const Config& config);

enum class Ownership {
  unclaimed,  // nobody's: the next beat takes it
  ours,
  moved,    // this file's, which names other ports or another host now: the next beat writes that down
  another,  // another ProxySQL's
};

// By the file alone, which costs no reading of it: ours as far as that says, unclaimed or another.
Ownership judge_owner_by_file(const Owner& owner, uint64_t config_path);

// `self` is make_owner() of the configuration. The same file, or the same admin interface under another file's name, is
// the same ProxySQL.
Ownership judge_owner(const Owner& owner, const Owner& self);

// How long the owner has to be silent before another ProxySQL may have its segment: three of its intervals, a minute at
// least. Its admin interface must not listen any more either.
int64_t abandoned_after_ns(uint32_t interval_ms);

// "127.0.0.1:6032 (/etc/proxysql.cnf)", or the path of the admin interface's unix socket.
std::string show_owner(const Owner& owner);

// "the state segment PATH is of ProxySQL at 127.0.0.1:6032 (/etc/a.cnf), and that of /etc/b.cnf is at 127.0.0.1:7032:
// set pulse.state to another path in one of the files"
std::string another_owner_text(const std::string& state_path, const Owner& owner, const Owner& self);

// For whoever reads or writes the state of `self` without being its beat: an error that says whose the segment is, if
// it is another ProxySQL's. A copy of some hundred bytes.
Result<void> check_owner(const Segment& segment, const std::string& state_path, const Owner& self);

// Where the state of `self` goes while the segment at `state_path` is another's.
std::string spare_path(const std::string& state_path, const Owner& self);

}  // namespace pulse
