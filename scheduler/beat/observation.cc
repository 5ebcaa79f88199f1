#include "scheduler/beat/observation.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "shm/segment/boot.h"
#include "src/config/modules.h"

namespace pulse {

namespace {

// Whether the last observation was of the ProxySQL that is seen now. A connection with a lower number is of another
// one: uptimes alone can't tell two starts within two seconds.
bool is_same_proxysql(const Seen& seen, const Observation& last, int64_t started_ns) {
  return seen.connection_id >= last.connection_id && is_same_boot(last.proxysql_started_ns, started_ns);
}

}  // namespace

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

void watch_peers(Seen& seen, const Observation& last, int64_t now_ns, const PeerWatch& watch) {
  const bool same_boot = !seen.has_globals || is_same_proxysql(seen, last, now_ns - seen.uptime_s * 1'000'000'000);
  const size_t known = same_boot && last.at_ns != 0 ? std::min<size_t>(last.peers_count, kPeers) : 0;
  const nanoseconds watched =
      std::clamp(nanoseconds(now_ns - last.at_ns), nanoseconds(0),
                 std::min<nanoseconds>(nanoseconds(watch.interval), nanoseconds(watch.peer_timeout) / 2));
  for (ServerRow& row : seen.servers) {
    row.moved_ns = 0;
    row.silent = nanoseconds(0);
    if (!row.in_runtime) continue;
    const auto end = last.peers.begin() + static_cast<ptrdiff_t>(known);
    const auto before = std::find_if(last.peers.begin(), end, [&](const Peer& peer) {
      return peer.in_runtime != 0 && peer.port == row.port && text(peer.hostname) == row.hostname;
    });
    if (before == end) {
      // Nobody has seen it move. ProxySQL's own clock, which sets updated_at too, can make it live for one timeout, but
      // never dead.
      const int64_t age_s = seen.now_s - row.updated_at;
      if (row.updated_at > 0 && age_s >= 0 && age_s * 1000 <= watch.peer_timeout.count()) row.moved_ns = now_ns;
    } else if (row.updated_at != 0 && row.updated_at != before->updated_at) {
      row.moved_ns = now_ns;
    } else {
      row.moved_ns = std::min(now_ns, before->moved_ns);
      row.silent = nanoseconds(std::max<int64_t>(0, before->silent_ns)) + watched;
    }
  }
}

namespace {

const Module* module_in(const Observation& seen, std::string_view name) {
  const auto end = seen.modules.begin() + std::min<size_t>(seen.modules_count, kModules);
  const auto found = std::find_if(seen.modules.begin(), end, [&](const Module& one) { return text(one.name) == name; });
  return found == end ? nullptr : &*found;
}

// Of a row that has gone since, nobody can tell whether the module was pulled from there.
bool has_lost_a_peer(const Seen& seen, const Observation& last) {
  const auto end = last.peers.begin() + std::min<size_t>(last.peers_count, kPeers);
  return std::any_of(last.peers.begin(), end, [&](const Peer& peer) {
    return std::none_of(seen.servers.begin(), seen.servers.end(), [&](const ServerRow& row) {
      return row.port == peer.port && row.hostname == text(peer.hostname);
    });
  });
}

// `before` is the module in the last observation, if that was of the same start of ProxySQL.
ModuleOrigin origin_of(const ModuleRow& own, const Module* before, const Seen& seen, const Observation& last,
                       int64_t now_ns) {
  constexpr nanoseconds kWatchedFor = std::chrono::minutes(1);
  if (own.version <= 1) return ModuleOrigin::unknown;
  bool is_newest = !seen.servers.empty();
  for (const ServerRow& row : seen.servers) {
    const ModuleRow* theirs = find_module(row.modules, own.name);
    if (theirs == nullptr || theirs->version <= 1) continue;
    if (theirs->epoch == own.epoch && theirs->checksum == own.checksum) return ModuleOrigin::core;
    if (theirs->epoch >= own.epoch) is_newest = false;
  }
  if (before == nullptr) return ModuleOrigin::unknown;
  if (before->version == own.version && before->epoch == own.epoch && text(before->checksum) == own.checksum) {
    return static_cast<ModuleOrigin>(before->origin);
  }
  const bool watched = own.version > before->version && now_ns - last.at_ns <= kWatchedFor.count();
  return watched && is_newest && !has_lost_a_peer(seen, last) ? ModuleOrigin::here : ModuleOrigin::unknown;
}

// Of a satellite's module with rows: see Module.
void look_for_divergence(Module& to, const ModuleRow& own, const Module* before, const Seen& seen, int64_t now_ns,
                         std::chrono::milliseconds peer_timeout) {
  std::string common;
  int64_t newest = 0;
  for (const ServerRow& row : seen.servers) {
    if (!is_live(row, peer_timeout)) continue;
    const ModuleRow* theirs = find_module(row.modules, own.name);
    if (theirs == nullptr || theirs->checksum.empty()) return;
    if (!common.empty() && common != theirs->checksum) return;
    common = theirs->checksum;
    if (theirs->version > 1) newest = std::max(newest, theirs->epoch);
  }
  if (common.empty() || common == own.checksum) return;
  set_text(to.peers_checksum, common);
  if (own.version <= 1 || newest == 0 || own.epoch < newest) return;
  const bool goes_on = before != nullptr && before->stuck_since_ns != 0 && before->epoch == own.epoch &&
                       before->checksum == to.checksum && before->peers_checksum == to.peers_checksum;
  to.stuck_since_ns = goes_on ? before->stuck_since_ns : now_ns;
}

void compare_with_peers(Module& to, const ModuleRow& own, const Seen& seen, const Observation& last, int64_t now_ns,
                        std::chrono::milliseconds peer_timeout) {
  bool is_known = false;
  for (const ServerRow& row : seen.servers) {
    if (!is_live(row, peer_timeout)) continue;
    const ModuleRow* theirs = find_module(row.modules, own.name);
    if (theirs == nullptr || theirs->checksum.empty()) continue;
    is_known = true;
    if (theirs->checksum == own.checksum) continue;
    ++to.differing_peers;
    if (theirs->epoch == own.epoch) ++to.equal_epochs;
    if (theirs->epoch < own.epoch && own.version > 1) ++to.older_peers;
    if (theirs->version <= 1) ++to.unloaded_peers;
  }
  const Module* before = module_in(last, own.name);
  const int64_t before_ns = before == nullptr ? 0 : before->differs_since_ns;
  if (to.differing_peers != 0) {
    to.differs_since_ns = before_ns == 0 ? now_ns : before_ns;
  } else if (!is_known) {
    to.differs_since_ns = before_ns;  // nobody is heard of for a moment: that ends no difference
  }
}

}  // namespace

Observation to_observation(const Seen& seen, const Observation& last, int64_t now_ns,
                           std::chrono::milliseconds peer_timeout, bool is_core) {
  // What isn't used of a large array stays as it is: nobody reads it, and to clear it costs a beat three pages.
  Observation out;
  std::memset(&out, 0, offsetof(Observation, peers));
  out.at_ns = now_ns;
  out.connection_id = seen.connection_id;
  out.is_core = is_core ? 1 : 0;
  out.memory = last.memory;
  out.no_cluster_user = seen.no_cluster_user ? 1 : 0;
  if (seen.has_globals) {
    out.globals_ns = now_ns;
    out.proxysql_started_ns = now_ns - seen.uptime_s * 1'000'000'000;
    out.clients = seen.clients;
    const int64_t of_mysql = seen.clients - seen.pgsql_clients;
    out.clients_idle = seen.clients_not_idle < 0 ? 0 : std::max<int64_t>(0, of_mysql - seen.clients_not_idle);
    out.threads = seen.threads;
    out.pgsql_clients = seen.pgsql_clients;
    out.backends = seen.backends;
    out.pgsql_backends = seen.pgsql_backends;
    out.listener_paused = seen.listener_paused ? 1 : 0;
    out.serves_mysql = seen.serves_mysql ? 1 : 0;
    out.serves_pgsql = seen.serves_pgsql ? 1 : 0;
    set_text(out.version, seen.version);
  } else {
    out.globals_ns = last.globals_ns;
    out.proxysql_started_ns = last.proxysql_started_ns;
    out.clients = last.clients;
    out.clients_idle = last.clients_idle;
    out.threads = last.threads;
    out.pgsql_clients = last.pgsql_clients;
    out.backends = last.backends;
    out.pgsql_backends = last.pgsql_backends;
    out.listener_paused = last.listener_paused;
    out.serves_mysql = last.serves_mysql;
    out.serves_pgsql = last.serves_pgsql;
    out.version = last.version;
  }

  // Uptime comes in whole seconds: two looks at one boot differ by less than two.
  const bool same_boot = last.at_ns != 0 && is_same_proxysql(seen, last, out.proxysql_started_ns);
  const bool received = std::any_of(seen.modules.begin(), seen.modules.end(), [](const ModuleRow& module) {
    const FileModule* known = module.version > 1 ? find_file_module(module.name) : nullptr;
    return known != nullptr && known->serves;
  });
  out.configured = received || out.backends.total() > 0 || (same_boot && last.configured != 0) ? 1 : 0;

  for (const ModuleRow& module : seen.modules) {
    if (out.modules_count == kModules) {
      out.modules_left_out = static_cast<uint8_t>(std::min(out.modules_left_out + 1, 255));
      continue;
    }
    Module& to = out.modules[out.modules_count++];
    set_text(to.name, module.name);
    set_text(to.checksum, module.checksum);
    to.version = module.version;
    to.epoch = module.epoch;
    compare_with_peers(to, module, seen, last, now_ns, peer_timeout);
    if (is_core || find_row_module(module.name) == nullptr) continue;
    const Module* before = same_boot ? module_in(last, module.name) : nullptr;
    to.origin = static_cast<uint8_t>(origin_of(module, before, seen, last, now_ns));
    look_for_divergence(to, module, before, seen, now_ns, peer_timeout);
  }
  // Those at runtime first, where there are too many: of these it matters since when they are silent.
  const bool all_fit = seen.servers.size() <= kPeers;
  std::vector<const ServerRow*> rows;
  for (const ServerRow& row : seen.servers) {
    if (all_fit || row.in_runtime) rows.push_back(&row);
  }
  for (const ServerRow& row : seen.servers) {
    if (!all_fit && !row.in_runtime) rows.push_back(&row);
  }
  for (const ServerRow* each : rows) {
    const ServerRow& row = *each;
    const bool live = is_live(row, peer_timeout);
    if (live) ++out.live_peers;
    if (out.peers_count < kPeers) {
      Peer& to = out.peers[out.peers_count] = {};
      set_text(to.hostname, row.hostname);
      to.port = row.port;
      to.in_memory = row.in_memory ? 1 : 0;
      to.in_runtime = row.in_runtime ? 1 : 0;
      to.live = live ? 1 : 0;
      to.checked = row.updated_at > 0 ? 1 : 0;
      to.updated_at = row.updated_at;
      to.moved_ns = row.moved_ns;
      to.silent_ns = row.silent.count();
    }
    ++out.peers_count;
  }
  return out;
}

Hostgroups to_hostgroups(const Seen& seen, int64_t now_ns) {
  Hostgroups out{};
  out.at_ns = now_ns;
  for (const auto* of_protocol : {&seen.hostgroups, &seen.pgsql_hostgroups}) {
    for (const auto& [id, hostgroup] : *of_protocol) {
      if (out.count < kHostgroups) out.hostgroups[out.count] = hostgroup;
      ++out.count;
      if (hostgroup.online == 0) ++out.without_online;
    }
  }
  return out;
}

}  // namespace pulse
