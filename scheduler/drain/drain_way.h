// Whether a drain may lower mysql-wait_timeout: only where no other node takes it over. Pure.
//
// What it could destroy: a node that pulls the lowered variables closes its own clients as soon as they rest, and keeps
// them when this node is gone. So it has to be known of each node that it doesn't pull.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/admin/admin_session.h"
#include "shm/segment/layout_drain.h"

namespace pulse {

struct VariablesReach {
  struct Member {
    std::string host;
    std::string admin_checksum;  // "": it wasn't reached
  };

  // admin-cluster_mysql_variables_diffs_before_sync at runtime: 0 means never. -1: not known.
  int64_t diffs = -1;
  std::string admin_checksum;   // of this node's own admin variables, to which `diffs` belongs
  std::vector<Member> members;  // of runtime_proxysql_servers; this node may be one of them
};

// Tables as reviewed for the beat (cluster/cluster_query.h), and runtime_global_variables as for a drain's look.
std::string variables_reach_statement();
VariablesReach variables_reach_of(const AdminResult& answer);

// How many of `remote_hosts`, which are connected to the admin interface, can't be members. Members by name may be any
// of them. `own_host`: this host's name, which is no other's.
size_t count_strangers(const std::vector<std::string>& remote_hosts, const std::vector<VariablesReach::Member>& members,
                       const std::string& own_host);

// Of a core, or of a node that is none of a cluster's (`standalone`): without members, nobody pulls from that one.
// `strangers`: as counted above; nothing: nobody knows.
DrainWay drain_way(const VariablesReach& reach, std::optional<size_t> strangers, bool standalone = false);

// Whether another way may be chosen than this one. Once something that was lowered might have reached another node, it
// stays so. But a member that has just come isn't known for a moment: as long as nothing was lowered and taken back,
// and no session has been closed (`still`), that may change. A stranger stays one: that its connection isn't seen for a
// moment says nothing.
bool may_change(DrainWay way, bool still);

}  // namespace pulse
