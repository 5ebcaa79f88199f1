// Of the other nodes: whether ProxySQL checks and reaches them, what differs and why, and who is listed.
#include <algorithm>
#include <map>

#include "scheduler/cluster/file_load.h"
#include "scheduler/doctor/findings.h"
#include "src/base/host_port.h"
#include "src/base/number.h"
#include "src/base/show.h"

namespace pulse {

namespace {

// A pull takes some of ProxySQL's checks. What differs for less is on its way.
constexpr int64_t kPullSoon = 10'000'000'000;

const std::string kPeersSubject = "peers";

std::string variable(const Examined& all, const std::string& name) {
  const auto found = all.admin.variables.find(name);
  return found == all.admin.variables.end() ? "" : found->second;
}

const ServerRow* row_of(const Examined& all, const PeerSeen& peer) {
  const auto& rows = all.admin.cluster->servers;
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const ServerRow& row) {
    return row.hostname == peer.host && row.port == peer.port;
  });
  return found == rows.end() ? nullptr : &*found;
}

// By ProxySQL's own clock, which has also set updated_at.
bool is_reached(const Examined& all, const ServerRow& row) {
  const int64_t age_s = all.admin.cluster->now_s - row.updated_at;
  return row.updated_at > 0 && age_s * 1000 <= all.node.config.satellite.peer_timeout.count() + 1000;
}

struct Compared {
  const char* name;     // of the module
  const char* command;  // LOAD <command> TO RUNTIME
  const ModuleRow* own;
};

std::vector<Compared> compared_modules(const Examined& all) {
  std::vector<Compared> list;
  const auto& own = all.admin.cluster->modules;
  for (const FileModule& module : file_modules())
    list.push_back({module.name, module.command, checksum_of(module, own)});
  list.push_back({"proxysql_servers", "PROXYSQL SERVERS", find_module(own, "proxysql_servers")});
  std::erase_if(list, [](const Compared& one) { return one.own == nullptr || one.own->checksum.empty(); });
  return list;
}

int64_t differs_since(const Observation& seen, const std::string& checksum_name) {
  for (size_t i = 0; i < std::min<size_t>(seen.modules_count, kModules); ++i) {
    if (text(seen.modules[i].name) == checksum_name) return seen.modules[i].differs_since_ns;
  }
  return 0;
}

// Why two nodes don't have the same of a module; `action` is what brings them together.
struct Cause {
  std::string why;
  std::string action;
};

Cause cause_of(const Examined& all, const Compared& module, const ModuleRow& theirs) {
  const std::string load = std::string("LOAD ") + module.command + " TO RUNTIME";
  const ModuleRow& own = *module.own;
  const std::string diffs = variable(all, std::string("admin-cluster_") + module.name + "_diffs_before_sync");
  if (diffs == "0") {
    return {"its sync is off on this node (admin-cluster_" + std::string(module.name) + "_diffs_before_sync = 0)",
            "set that to 3 and LOAD ADMIN VARIABLES TO RUNTIME, if it isn't off on purpose"};
  }
  if (theirs.version <= 1 && own.version <= 1) {
    return {"both are at version 1, as after their start: nobody pulls that",
            load + " on the core whose content is right"};
  }
  if (theirs.version <= 1) {
    return {"that node is at version 1, which nobody pulls, and pulls this node's itself",
            "if it lasts, see that node's doctor"};
  }
  if (own.version <= 1) {
    return {"this node is at version 1 and hasn't pulled yet", "if it lasts, see ProxySQL's log for the pull"};
  }
  if (theirs.epoch == own.epoch) {
    return {"both were loaded in the same second (equal epochs): ProxySQL never syncs over that",
            load + " on the core whose content is right; a core's beat does it by itself"};
  }
  if (theirs.epoch > own.epoch) {
    return {"that node's is newer and isn't pulled", "see ProxySQL's log for why the pull fails"};
  }
  if (all.node.config.is_core()) {
    return {"this node's is newer and that node doesn't pull it", "see that node's doctor and its ProxySQL's log"};
  }
  return {
      "this node's own load is newer than the core's, as after a drain: it pulls again only after a later load there",
      load + " on a core"};
}

void compare(const Examined& all, const PeerSeen& peer, const ServerRow& row, Findings& list) {
  for (const Compared& module : compared_modules(all)) {
    const ModuleRow* theirs = find_module(row.modules, module.own->name);
    if (theirs == nullptr || theirs->checksum.empty() || theirs->checksum == module.own->checksum) continue;
    const int64_t since_ns = differs_since(all.node.view.observation, module.own->name);
    const int64_t span = since_ns == 0 ? 0 : all.node.now_ns - since_ns;
    const Cause cause = cause_of(all, module, *theirs);
    const bool settled = span > kPullSoon;
    list.push_back({settled ? Severity::warning : Severity::notice, kPeersSubject,
                    std::string(module.name) + " isn't what " + host_port_text(peer.host, peer.port) + " has" +
                        (since_ns == 0 ? "" : ", for " + show_span(span)),
                    cause.why, settled ? cause.action : "a pull takes some seconds; look again. " + cause.action});
  }
}

Finding not_reached(const Examined& all, const PeerSeen& peer, const ServerRow* row) {
  const std::string where = host_port_text(peer.host, peer.port);
  const bool was = row != nullptr && row->updated_at > 0;
  Finding finding{Severity::warning, kPeersSubject,
                  where + (was ? " hasn't been reached for " +
                                     show_span((all.admin.cluster->now_s - row->updated_at) * 1'000'000'000)
                               : " was never reached"),
                  "", ""};
  const std::string& own_version = all.admin.cluster->version;
  if (!peer.proxysql_version.empty() && peer.proxysql_version != own_version) {
    finding.means = "it runs ProxySQL " + peer.proxysql_version + ", this node " + own_version +
                    ": nodes of different versions don't sync";
    finding.action = "bring all nodes to one version";
    return finding;
  }
  switch (peer.login) {
    case AdminSeen::Login::refused:
      finding.means = "it refuses cluster_username: " + peer.why;
      finding.action = "put cluster_username and cluster_password of this node into admin_credentials there";
      break;
    case AdminSeen::Login::unreachable:
      finding.means = peer.why;
      finding.action =
          "see whether it runs, and whether a network policy lets the admin port through; a node that is "
          "gone for good leaves the table by itself where discovery knows";
      break;
    case AdminSeen::Login::silent:
      finding.means = "its admin interface hangs before its greeting: " + peer.why;
      finding.action = "see doctor on that node";
      break;
    case AdminSeen::Login::works:
      finding.means = "cluster_username can log in there: its statements hang, or it is another version of ProxySQL";
      finding.action = "see doctor on that node, and \"Cluster:\" in this ProxySQL's log";
      break;
    case AdminSeen::Login::not_tried:
      finding.action = "see \"Cluster:\" in ProxySQL's log";
      break;
  }
  return finding;
}

}  // namespace

Findings peer_findings(const Examined& all) {
  Findings list;
  if (!all.admin.cluster) return list;
  if (all.peers.empty()) {
    if (all.node.config.role == Role::satellite) {
      list.push_back({Severity::critical, kPeersSubject, "proxysql_servers names no core",
                      "this satellite gets nothing",
                      "proxysql-pulse resync puts the file's entries back; see that the file has some"});
    } else {
      list.push_back({Severity::ok, kPeersSubject, "no other node in proxysql_servers"});
    }
    return list;
  }
  if (variable(all, "admin-cluster_username").empty()) {
    list.push_back(
        {Severity::critical, kPeersSubject, "admin-cluster_username isn't set",
         "ProxySQL never checks its peers and pulls nothing from them",
         "set cluster_username and cluster_password in admin_variables, with the pair in admin_credentials on "
         "all nodes; on a running one: SET admin-cluster_username = ..., SET admin-cluster_password = ..., "
         "LOAD ADMIN VARIABLES TO RUNTIME, SAVE ADMIN VARIABLES TO DISK"});
    return list;
  }
  size_t reached = 0;
  for (const PeerSeen& peer : all.peers) {
    const ServerRow* row = row_of(all, peer);
    if (row != nullptr && !row->in_runtime) {
      list.push_back({Severity::warning, kPeersSubject, host_port_text(peer.host, peer.port) + " is in memory alone",
                      "ProxySQL doesn't know it at runtime", "LOAD PROXYSQL SERVERS TO RUNTIME"});
    } else if (row == nullptr || !is_reached(all, *row)) {
      list.push_back(not_reached(all, peer, row));
    } else {
      ++reached;
      compare(all, peer, *row, list);
    }
  }
  if (reached == 0 && all.node.config.role == Role::satellite) {
    list.insert(list.begin(), {Severity::critical, kPeersSubject, "no core is reached",
                               "this satellite serves what it has and gets nothing new", "see the peers one by one"});
  }
  if (list.empty()) {
    list.push_back(
        {Severity::ok, kPeersSubject, "all " + std::to_string(reached) + " reached, and with the same configuration"});
  }
  return list;
}

Findings member_findings(const Examined& all) {
  Findings list;
  const StateView& view = all.node.view;
  const Config& config = all.node.config;
  const std::string subject = "members";
  const auto source = static_cast<Source>(view.discovery.source);
  if (view.discovery.failing_since_ns != 0) {
    list.push_back({Severity::warning, subject,
                    std::string(name(source)) + " has failed for " +
                        show_span(all.node.now_ns - view.discovery.failing_since_ns) + ": " +
                        std::string(text(view.discovery.error)),
                    "beats act on no list that is older than discovery.max_age_ms: no core comes or goes", ""});
  }
  if (!view.members) return list;
  const Members& members = *view.members;
  const uint32_t count = std::min<uint32_t>(members.count, kMembers);
  uint32_t cores = 0;
  bool has_self = false;
  std::string missing;
  const bool may_compare =
      all.admin.cluster && std::all_of(all.admin.cluster->servers.begin(), all.admin.cluster->servers.end(),
                                       [](const ServerRow& row) { return is_address(row.hostname); });
  for (uint32_t i = 0; i < count; ++i) {
    const Member& member = members.members[i];
    has_self = has_self || member.is_self != 0;
    if (member.is_core == 0) continue;
    ++cores;
    const std::string address(text(member.address));
    const bool listed =
        may_compare &&
        std::any_of(all.admin.cluster->servers.begin(), all.admin.cluster->servers.end(), [&](const ServerRow& row) {
          return row.in_runtime && row.port == member.port && row.hostname == address;
        });
    if (may_compare && !listed) missing += (missing.empty() ? "" : ", ") + host_port_text(address, member.port);
  }
  if (config.is_core() && !has_self) {
    const bool one_name = source == Source::dns && cores == 1;
    list.push_back({Severity::critical, subject,
                    "this core is not among the " + counted(cores, "core") + " that " + name(source) + " names",
                    one_name ? "the name leads to one address that isn't this node's, as a ClusterIP service's does: a "
                               "headless one (clusterIP: None) is needed, which names each core"
                             : "this core changes nothing in the cluster: it can't tell which of them it is",
                    one_name ? "make the service headless, or name the cores in discovery.members"
                             : "set pulse.address to this node's address as the list has it"});
  }
  if (!missing.empty()) {
    list.push_back({Severity::warning, subject, missing + " not in proxysql_servers at runtime",
                    "this ProxySQL doesn't check that core", "the next beat inserts it; if it lasts, see its errors"});
  }
  if (list.empty()) {
    list.push_back({Severity::ok, subject,
                    counted(cores, "core") + ", " + counted(count - cores, "satellite") + " by " + name(source)});
  }
  return list;
}

Findings satellite_findings(const Examined& all) {
  Findings list;
  const StateView& view = all.node.view;
  if (!view.satellites) return list;
  for (uint32_t i = 0; i < std::min<uint32_t>(view.satellites->count, kStuckModules); ++i) {
    const StuckModule& stuck = view.satellites->modules[i];
    const FileModule* module = find_file_module(text(stuck.module));
    if (module == nullptr) continue;
    const Mend* const mend = find_mend(view, stuck);
    const bool reloads = all.node.config.satellite.mend == MendMode::reload;
    const std::string why(mend == nullptr ? "" : text(mend->why));
    list.push_back(
        {Severity::warning, "satellites",
         host_port_text(text(stuck.address), stuck.port) + " has its own " + module->name + " for " +
             show_span(all.node.now_ns - stuck.since_ns),
         "what it has is as new as the cores' or newer, as after a load at its own admin interface: it pulls no more" +
             (why.empty() ? "" : "; not mended: " + why),
         std::string("see what it has (proxysql-pulse doctor --diff there); LOAD ") + module->command +
             " TO RUNTIME on a core brings the cores' there, and takes away what was loaded on the satellite alone" +
             (reloads ? "" : "; satellite.mend = \"reload\" does so by itself")});
  }
  return list;
}

}  // namespace pulse
