#include "scheduler/drain/drain_way.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "src/base/number.h"

namespace pulse {

namespace {

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// "pod-0" is the host of "pod-0" and of "pod-0.headless.space.svc".
bool is_own_name(const std::string& name, const std::string& own_host) {
  return !own_host.empty() && name.substr(0, name.find('.')) == own_host.substr(0, own_host.find('.'));
}

}  // namespace

std::string variables_reach_statement() {
  return "SELECT 'own', '', checksum FROM runtime_checksums_values WHERE name = 'admin_variables'"
         " UNION ALL SELECT 'diffs', '', variable_value FROM runtime_global_variables"
         " WHERE variable_name = 'admin-cluster_mysql_variables_diffs_before_sync'"
         " UNION ALL SELECT 'member', hostname, COALESCE((SELECT checksum FROM stats_proxysql_servers_checksums c"
         " WHERE c.hostname = s.hostname AND c.port = s.port AND c.name = 'admin_variables'), '')"
         " FROM runtime_proxysql_servers s";
}

VariablesReach variables_reach_of(const AdminResult& answer) {
  VariablesReach reach;
  for (const auto& row : answer.rows) {
    if (row.size() != 3) continue;
    if (row[0] == "own") reach.admin_checksum = row[2];
    if (row[0] == "diffs") reach.diffs = to_number<int64_t>(row[2]).value_or(-1);
    if (row[0] == "member") reach.members.push_back({row[1], row[2]});
  }
  return reach;
}

size_t count_strangers(const std::vector<std::string>& remote_hosts, const std::vector<VariablesReach::Member>& members,
                       const std::string& own_host) {
  const auto is_member = [&](const std::string& host) {
    return std::any_of(members.begin(), members.end(), [&](const auto& member) { return member.host == host; });
  };
  const auto others = static_cast<size_t>(std::count_if(remote_hosts.begin(), remote_hosts.end(),
                                                        [&](const std::string& host) { return !is_member(host); }));
  const auto names = static_cast<size_t>(std::count_if(members.begin(), members.end(), [&](const auto& member) {
    return !is_address(member.host) && !is_own_name(member.host, own_host);
  }));
  return others > names ? others - names : 0;
}

DrainWay drain_way(const VariablesReach& reach, std::optional<size_t> strangers, bool standalone) {
  if (standalone && reach.members.empty()) return DrainWay::alone;
  if (!strangers || *strangers > 0) return reach.diffs == 0 ? DrainWay::strangers : DrainWay::synced;
  if (reach.members.empty()) return DrainWay::alone;
  if (reach.diffs != 0) return DrainWay::synced;
  // The checksum is of all admin variables: where it is the same, the member has the same 0.
  const bool agree = !reach.admin_checksum.empty() &&
                     std::all_of(reach.members.begin(), reach.members.end(), [&](const VariablesReach::Member& member) {
                       return member.admin_checksum == reach.admin_checksum;
                     });
  return agree ? DrainWay::unsynced : DrainWay::peers_differ;
}

bool may_change(DrainWay way, bool still) { return lowers(way) || (still && way == DrainWay::peers_differ); }

}  // namespace pulse
