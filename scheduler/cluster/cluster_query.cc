#include "scheduler/cluster/cluster_query.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "shm/segment/boot.h"

namespace pulse {

namespace {

constexpr size_t kColumns = 5;

bool to_number(const std::string& text, int64_t& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

ServerRow* server(Seen& seen, const std::string& hostname, const std::string& port_text) {
  int64_t port = 0;
  if (!to_number(port_text, port) || port < 0 || port > 65'535) return nullptr;
  for (ServerRow& row : seen.servers) {
    if (row.port == port && row.hostname == hostname) return &row;
  }
  seen.servers.push_back({hostname, static_cast<uint16_t>(port)});
  return &seen.servers.back();
}

bool take_backends(Seen& seen, const std::vector<std::string>& row) {
  int64_t count = 0, id = 0;
  if (!to_number(row[2], count) || !to_number(row[3], id) || id < 0 || id > UINT32_MAX) return false;
  Hostgroup& hostgroup = seen.hostgroups[static_cast<uint32_t>(id)];
  hostgroup.id = static_cast<uint32_t>(id);
  const auto add = [count](uint32_t& all, uint32_t& of_hostgroup) {
    all += static_cast<uint32_t>(count);
    of_hostgroup += static_cast<uint32_t>(count);
  };
  const std::string& status = row[1];
  if (status == "ONLINE") {
    add(seen.backends_online, hostgroup.online);
  } else if (status.rfind("SHUNNED", 0) == 0) {
    add(seen.backends_shunned, hostgroup.shunned);
  } else {
    add(seen.backends_offline, hostgroup.offline);
  }
  return true;
}

// "NAME VERSION EPOCH CHECKSUM", the checksum may be empty.
bool take_peer_module(ServerRow& server, const std::string& packed) {
  ModuleRow module;
  const size_t version = packed.find(' ');
  const size_t epoch = packed.find(' ', version + 1);
  const size_t checksum = packed.find(' ', epoch + 1);
  if (version == std::string::npos || epoch == std::string::npos || checksum == std::string::npos) return false;
  module.name = packed.substr(0, version);
  module.checksum = packed.substr(checksum + 1);
  const bool good = to_number(packed.substr(version + 1, epoch - version - 1), module.version) &&
                    to_number(packed.substr(epoch + 1, checksum - epoch - 1), module.epoch);
  server.modules.push_back(std::move(module));
  return good;
}

bool take_row(Seen& seen, const std::vector<std::string>& row, bool& has_uptime) {
  const std::string& kind = row[0];
  int64_t number = 0;
  if (kind == "memory" || kind == "runtime" || kind == "peer") {
    ServerRow* found = server(seen, row[1], row[2]);
    if (found == nullptr) return false;
    if (kind == "memory") found->in_memory = true;
    if (kind == "runtime") found->in_runtime = true;
    if (kind != "peer") return true;
    if (!to_number(row[3], number)) return false;
    found->updated_at = std::max(found->updated_at, number);
    return take_peer_module(*found, row[4]);
  }
  if (kind == "module") {
    ModuleRow module{row[1], 0, 0, row[4]};
    const bool good = to_number(row[2], module.version) && to_number(row[3], module.epoch);
    seen.modules.push_back(std::move(module));
    return good;
  }
  if (kind == "backends") return take_backends(seen, row);
  if (kind == "now") return to_number(row[1], seen.now_s);
  if (kind == "global") {
    if (row[1] == "ProxySQL_Uptime") {
      has_uptime = true;
      return to_number(row[2], seen.uptime_s);
    }
    if (row[1] == "Client_Connections_connected") return to_number(row[2], seen.clients);
    if (row[1] == "mysql_listener_paused") seen.listener_paused = row[2] == "true" || row[2] == "1";
    if (row[1] == "admin-version") seen.version = row[2];
    return true;
  }
  return false;
}

}  // namespace

std::string observe_statement(Look look) {
  std::string statement =
      "SELECT 'memory', hostname, port, '', '' FROM proxysql_servers"
      " UNION ALL SELECT 'runtime', hostname, port, '', '' FROM runtime_proxysql_servers"
      " UNION ALL SELECT 'peer', hostname, port, updated_at, name || ' ' || version || ' ' || epoch || ' ' || checksum"
      " FROM stats_proxysql_servers_checksums"
      " UNION ALL SELECT 'module', name, version, epoch, checksum FROM runtime_checksums_values"
      " UNION ALL SELECT 'now', strftime('%s', 'now'), '', '', ''";
  if (look == Look::cluster) return statement;
  // ProxySQL refreshes a table when it finds its name in lower case. GLOBAL_VARIABLES is no such table, but naming it
  // rebuilds runtime_global_variables under the checksums' mutex; the version needs no refresh.
  return statement.append(
      " UNION ALL SELECT 'backends', status, COUNT(*), hostgroup_id, '' FROM runtime_mysql_servers"
      " GROUP BY hostgroup_id, status"
      " UNION ALL SELECT 'global', Variable_Name, Variable_Value, '', '' FROM stats_mysql_global WHERE Variable_Name IN"
      " ('ProxySQL_Uptime', 'Client_Connections_connected', 'mysql_listener_paused')"
      " UNION ALL SELECT 'global', variable_name, variable_value, '', '' FROM GLOBAL_VARIABLES"
      " WHERE variable_name = 'admin-version'");
}

Look what_to_look_at(const Observation& last, uint64_t connection_id, int64_t now_ns) {
  const bool due = last.globals_ns == 0 || now_ns - last.globals_ns >= nanoseconds(kEverythingEvery).count();
  return due || connection_id <= last.connection_id ? Look::everything : Look::cluster;
}

bool has_loaded(const Seen& seen, const Observation& last) {
  for (size_t i = 0; i < std::min<size_t>(last.modules_count, kModules); ++i) {
    const ModuleRow* module = find_module(seen.modules, text(last.modules[i].name));
    if (module != nullptr && module->version != last.modules[i].version) return true;
  }
  return false;
}

Result<Seen> parse_seen(const AdminResult& answer, Look look) {
  Seen seen;
  bool has_uptime = false;
  for (const auto& row : answer.rows) {
    if (row.size() != kColumns || !take_row(seen, row, has_uptime)) {
      std::string shown;
      for (const auto& cell : row) shown += (shown.empty() ? "" : ", ") + cell.substr(0, 40);
      return Error{"unexpected row in ProxySQL's answer: " + shown};
    }
  }
  seen.has_globals = look == Look::everything;
  if (seen.now_s == 0) return Error{"ProxySQL's answer is incomplete: no time"};
  if (seen.has_globals && !has_uptime) return Error{"ProxySQL's answer is incomplete: no ProxySQL_Uptime"};
  // A server that is neither in memory nor at runtime any more may still have checksums for a moment.
  std::erase_if(seen.servers, [](const ServerRow& row) { return !row.in_memory && !row.in_runtime; });
  return seen;
}

void carry_first_seen(Seen& seen, const Observation& last, int64_t now_ns) {
  const bool same_boot =
      !seen.has_globals || is_same_boot(last.proxysql_started_ns, now_ns - seen.uptime_s * 1'000'000'000);
  const size_t known = same_boot ? std::min<size_t>(last.peers_count, kPeers) : 0;
  for (ServerRow& row : seen.servers) {
    if (!row.in_runtime) continue;
    row.first_seen_ns = now_ns;
    for (size_t i = 0; i < known; ++i) {
      const Peer& peer = last.peers[i];
      if (peer.first_seen_ns != 0 && peer.port == row.port && text(peer.hostname) == row.hostname) {
        row.first_seen_ns = std::min(now_ns, peer.first_seen_ns);
      }
    }
  }
}

namespace {

void compare_with_peers(Module& to, const ModuleRow& own, const Seen& seen, const Observation& last, int64_t now_ns,
                        std::chrono::milliseconds peer_timeout) {
  for (const ServerRow& row : seen.servers) {
    if (!is_live(row, seen.now_s, peer_timeout)) continue;
    const ModuleRow* theirs = find_module(row.modules, own.name);
    if (theirs == nullptr || theirs->checksum.empty() || theirs->checksum == own.checksum) continue;
    ++to.differing_peers;
    if (theirs->epoch == own.epoch) ++to.equal_epochs;
  }
  if (to.differing_peers == 0) return;
  to.differs_since_ns = now_ns;
  for (size_t i = 0; i < std::min<size_t>(last.modules_count, kModules); ++i) {
    const Module& before = last.modules[i];
    if (text(before.name) == own.name && before.differs_since_ns != 0) to.differs_since_ns = before.differs_since_ns;
  }
}

}  // namespace

Observation to_observation(const Seen& seen, const Observation& last, int64_t now_ns,
                           std::chrono::milliseconds peer_timeout, bool is_core) {
  Observation out{};
  out.at_ns = now_ns;
  out.connection_id = seen.connection_id;
  out.is_core = is_core ? 1 : 0;
  if (seen.has_globals) {
    out.globals_ns = now_ns;
    out.proxysql_started_ns = now_ns - seen.uptime_s * 1'000'000'000;
    out.clients = seen.clients;
    out.backends_online = seen.backends_online;
    out.backends_shunned = seen.backends_shunned;
    out.backends_offline = seen.backends_offline;
    out.backends_total = seen.backends_online + seen.backends_shunned + seen.backends_offline;
    out.listener_paused = seen.listener_paused ? 1 : 0;
    set_text(out.version, seen.version);
  } else {
    out.globals_ns = last.globals_ns;
    out.proxysql_started_ns = last.proxysql_started_ns;
    out.clients = last.clients;
    out.backends_online = last.backends_online;
    out.backends_shunned = last.backends_shunned;
    out.backends_offline = last.backends_offline;
    out.backends_total = last.backends_total;
    out.listener_paused = last.listener_paused;
    out.version = last.version;
  }

  // Uptime comes in whole seconds: two looks at one boot differ by less than two.
  const bool same_boot = last.at_ns != 0 && is_same_boot(last.proxysql_started_ns, out.proxysql_started_ns);
  const bool received = std::any_of(seen.modules.begin(), seen.modules.end(), [](const ModuleRow& module) {
    return module.version > 1 &&
           (module.name == "mysql_servers" || module.name == "mysql_servers_v2" || module.name == "mysql_users");
  });
  out.configured = received || out.backends_total > 0 || (same_boot && last.configured != 0) ? 1 : 0;

  for (const ModuleRow& module : seen.modules) {
    if (out.modules_count == kModules) break;
    Module& to = out.modules[out.modules_count++];
    set_text(to.name, module.name);
    set_text(to.checksum, module.checksum);
    to.version = module.version;
    to.epoch = module.epoch;
    compare_with_peers(to, module, seen, last, now_ns, peer_timeout);
  }
  for (const ServerRow& row : seen.servers) {
    const bool live = is_live(row, seen.now_s, peer_timeout);
    if (live) ++out.live_peers;
    if (out.peers_count < kPeers) {
      Peer& to = out.peers[out.peers_count];
      set_text(to.hostname, row.hostname);
      to.port = row.port;
      to.in_memory = row.in_memory ? 1 : 0;
      to.in_runtime = row.in_runtime ? 1 : 0;
      to.live = live ? 1 : 0;
      to.checked = row.updated_at > 0 ? 1 : 0;
      to.updated_at = row.updated_at;
      to.first_seen_ns = row.first_seen_ns;
    }
    ++out.peers_count;
  }
  return out;
}

Hostgroups to_hostgroups(const Seen& seen, int64_t now_ns) {
  Hostgroups out{};
  out.at_ns = now_ns;
  for (const auto& [id, hostgroup] : seen.hostgroups) {
    if (out.count < kHostgroups) out.hostgroups[out.count] = hostgroup;
    ++out.count;
    if (hostgroup.online == 0) ++out.without_online;
  }
  return out;
}

}  // namespace pulse
