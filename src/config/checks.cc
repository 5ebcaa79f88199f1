#include "src/config/checks.h"

#include <algorithm>
#include <utility>

#include "src/base/file.h"
#include "src/base/host_port.h"
#include "src/config/draft.h"
#include "src/config/drain_steps.h"
#include "src/config/hostgroup_rules.h"
#include "src/config/proxysql_groups.h"
#include "src/linux/group.h"

namespace pulse {

namespace {

using std::chrono::milliseconds;

Result<void> finish_drain(const Draft& draft) {
  const Config& config = draft.loaded.config;
  if (auto steps = parse_drain_steps(config.drain.steps); !steps) {
    return Error{draft.source(place_of("drain.steps")) + ": pulse.drain.steps: " + steps.error().text};
  }
  // A second without clients, and what comes after it.
  const milliseconds most = config.drain.timeout - kDrainQuiet - kDrainStopReserve;
  if (config.drain.settle > most) {
    const bool said = draft.said[place_of("drain.settle_ms")];
    return Error{draft.source(said ? place_of("drain.settle_ms") : place_of("drain.timeout_ms")) +
                 ": pulse.drain.settle_ms = " + std::to_string(config.drain.settle.count()) +
                 (said ? "" : ", the default") + ": allowed is at most " + std::to_string(most.count()) +
                 ", which is pulse.drain.timeout_ms less what comes after settling"};
  }
  for (const auto& [place, path] : {std::pair(place_of("daemon.program"), config.daemon.program),
                                    std::pair(place_of("daemon.token_file"), config.daemon.token_file)}) {
    if (path.empty() || path.front() == '/') continue;
    return Error{draft.source(place) + ": " + kKeys[place].full_name() + " = \"" + path +
                 "\": allowed is an absolute path"};
  }
  return {};
}

// What is said is the only one. Else all that ProxySQL has, a port before the sockets: that is what `port` is; 0: none.
void finish_interfaces(std::vector<MysqlInterface>& all, bool is_said, const std::string& host, int64_t port) {
  if (is_said) all.clear();
  for (MysqlInterface& one : all) {
    if (!one.is_socket() && !is_address(one.host)) one.host = "127.0.0.1";
  }
  if (all.empty() && port != 0) all.push_back({host, port});
  std::stable_partition(all.begin(), all.end(), [](const MysqlInterface& one) { return !one.is_socket(); });
}

void finish_interfaces(Draft& draft) {
  DaemonSettings& daemon = draft.loaded.config.daemon;
  daemon.mysql_port_set = draft.said[place_of("daemon.mysql_host")] || draft.said[place_of("daemon.mysql_port")];
  daemon.pgsql_port_set = draft.said[place_of("daemon.pgsql_host")] || draft.said[place_of("daemon.pgsql_port")];
  finish_interfaces(daemon.mysql_interfaces, daemon.mysql_port_set, daemon.mysql_host, daemon.mysql_port);
  finish_interfaces(daemon.pgsql_interfaces, daemon.pgsql_port_set, daemon.pgsql_host, daemon.pgsql_port);
}

Result<void> finish_discovery(Draft& draft) {
  Config& config = draft.loaded.config;
  if (!config.address.empty() && !is_address(config.address)) {
    return Error{draft.source(place_of("address")) + ": pulse.address = \"" + config.address +
                 "\": allowed is an IPv4 or IPv6 address"};
  }
  if (!draft.said[place_of("discovery.names")]) {
    for (const ServerEntry& entry : config.bootstrap) {
      if (!is_address(entry.hostname) && entry.hostname != "localhost") {
        config.discovery.names.push_back(entry.hostname);
      }
    }
  }
  if (!draft.said[place_of("discovery.port")]) {
    config.discovery.port = config.bootstrap.empty() ? config.admin.port : config.bootstrap.front().port;
  }
  const bool takes_bootstrap = config.is_core() && !draft.said[place_of("discovery.source")] &&
                               !draft.said[place_of("discovery.members")] && config.discovery.names.empty();
  for (const ServerEntry& entry : config.bootstrap) {
    if (takes_bootstrap && is_address(entry.hostname)) {
      config.discovery.members.push_back(host_port_text(entry.hostname, entry.port));
    }
  }
  if (!draft.said[place_of("discovery.source")]) {
    config.discovery.source = config.role == Role::standalone     ? Source::none
                              : !config.discovery.members.empty() ? Source::fixed
                              : !config.discovery.names.empty()   ? Source::dns
                                                                  : Source::none;
  }
  const Source from = config.discovery.source;
  config.discovery.members_of_file = takes_bootstrap && from == Source::fixed;
  if (from == Source::dns && config.discovery.names.empty()) {
    return Error{draft.source(place_of("discovery.source")) +
                 ": pulse.discovery.source = \"dns\" without a name: set pulse.discovery.names, or put a host name "
                 "into proxysql_servers"};
  }
  if (from == Source::fixed && config.discovery.members.empty()) {
    return Error{draft.source(place_of("discovery.source")) +
                 ": pulse.discovery.source = \"static\" without a member: set pulse.discovery.members"};
  }
  for (const std::string& member : config.discovery.members) {
    const auto at = parse_host_port(member, config.discovery.port);
    if (at && is_address(at->host)) continue;
    return Error{draft.source(place_of("discovery.members")) + ": pulse.discovery.members: \"" + member +
                 "\": allowed is ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, with an IPv4 or IPv6 address"};
  }
  const std::string& api = config.discovery.kubernetes.api;
  if (!api.empty() && api.rfind("https://", 0) != 0) {
    return Error{draft.source(place_of("discovery.kubernetes.api")) + ": pulse.discovery.kubernetes.api = \"" + api +
                 "\": allowed is https://HOST or https://HOST:PORT"};
  }
  if (config.core.authority == Authority::newest) config.core.authority = Authority::revision;
  if (!draft.said[place_of("core.authority")]) {
    config.core.authority = from == Source::kubernetes ? Authority::revision : Authority::never;
  }
  return {};
}

// Characters that a name in SQL has, with or without a schema and an argument list: it goes into a statement as it is.
bool is_sql_name(const std::string& text) {
  return !text.empty() &&
         text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.\"()") ==
             std::string::npos;
}

Result<void> finish_sync_source(Draft& draft, const SyncSource& source, size_t credentials, size_t server,
                                size_t hostgroups, const char* module) {
  if (!source.is_set()) return {};
  if (source.credentials_file.empty() || source.credentials_file.front() != '/') {
    return Error{
        draft.source(credentials) + ": " + kKeys[credentials].full_name() + " = \"" + source.credentials_file +
        "\": allowed is an absolute path, of a file with the user in its first line, the password in its second"};
  }
  const bool is_socket = source.server.starts_with('/');
  if ((source.hostgroup >= 0) == !source.server.empty() ||
      (!source.server.empty() && !is_socket && !parse_host_port(source.server, 1))) {
    return Error{draft.source(server) + ": " + kKeys[server].full_name() + " = \"" + source.server +
                 "\": allowed is HOST, HOST:PORT or a socket's path, and either it or hostgroup"};
  }
  if (const auto rules = parse_hostgroup_rules(source.hostgroups); !rules) {
    return Error{draft.source(hostgroups) + ": " + kKeys[hostgroups].full_name() + ": " + rules.error().text};
  }
  const Config& config = draft.loaded.config;
  const auto has = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), module) != list.end();
  };
  if (config.is_core() && config.core.authority != Authority::never && has(config.core.modules) &&
      has(config.file_groups)) {
    draft.loaded.warnings.push_back(draft.path + ": pulse.sync_users writes " + module +
                                    ", and so does this file where it has changed: until the next sync its load takes "
                                    "the synced users away; leave " +
                                    module + " out of pulse.core.modules, or of the file");
  }
  return {};
}

Result<void> finish_sync_users(Draft& draft) {
  const SyncUsersSettings& sync = draft.loaded.config.sync_users;
  if (sync.mark.empty() || sync.mark.find_first_of(" '\"\\%\n") != std::string::npos) {
    return Error{draft.source(place_of("sync_users.mark")) + ": pulse.sync_users.mark = \"" + sync.mark +
                 "\": allowed is a word, without spaces and quotes"};
  }
  if (!is_sql_name(sync.pgsql.accounts)) {
    return Error{draft.source(place_of("sync_users.pgsql.accounts")) + ": pulse.sync_users.pgsql.accounts = \"" +
                 sync.pgsql.accounts + "\": allowed is a view, or a function with its brackets"};
  }
  if (auto mysql = finish_sync_source(draft, sync.mysql, place_of("sync_users.mysql.credentials_file"),
                                      place_of("sync_users.mysql.server"), place_of("sync_users.mysql.hostgroups"),
                                      "mysql_users");
      !mysql) {
    return mysql;
  }
  return finish_sync_source(draft, sync.pgsql, place_of("sync_users.pgsql.credentials_file"),
                            place_of("sync_users.pgsql.server"), place_of("sync_users.pgsql.hostgroups"),
                            "pgsql_users");
}

Result<void> finish_leader(Draft& draft) {
  Config& config = draft.loaded.config;
  if (!draft.said[place_of("leader.lease_name")]) {
    config.leader.lease_name = std::string("proxysql-pulse-") + config.role_name();
  }
  if (config.leader.lease_name.empty()) {
    return Error{draft.source(place_of("leader.lease_name")) + ": pulse.leader.lease_name: must not be empty"};
  }
  // As client-go has them: between the end of a leader and the next one there is time for jobs to end, and a renewal
  // that fails can be tried again.
  if (config.leader.duration <= config.leader.renew || config.leader.renew < config.leader.retry * 6 / 5) {
    size_t said = place_of("leader.duration_ms");
    for (const size_t key : {place_of("leader.renew_ms"), place_of("leader.retry_ms")}) {
      if (draft.said[key] && !draft.said[said]) said = key;
    }
    return Error{draft.source(said) + ": pulse.leader.duration_ms = " + std::to_string(config.leader.duration.count()) +
                 ", renew_ms = " + std::to_string(config.leader.renew.count()) +
                 ", retry_ms = " + std::to_string(config.leader.retry.count()) +
                 ": duration_ms must be more than renew_ms, and renew_ms at least 1.2 times retry_ms"};
  }
  if (config.leader.mode != LeaderMode::none || !draft.loaded.jobs) return {};
  for (const Job& job : *draft.loaded.jobs) {
    if (!job.leader_only) continue;
    draft.loaded.warnings.push_back(draft.path + ":" + std::to_string(job.line) + ": pulse.jobs: \"" + job.name +
                                    "\" has leader_only, but pulse.leader.mode is \"none\": it never runs");
  }
  return {};
}

}  // namespace

Result<void> finish(Draft& draft) {
  Config& config = draft.loaded.config;
  if (!config.role) {
    return Error{draft.path + ": pulse.role is missing: allowed is " + find_key("role")->allowed()};
  }
  if (!draft.said[place_of("timeout_ms")]) {
    config.beat.timeout = std::clamp(config.beat.interval * 4 / 5, milliseconds(200), milliseconds(2000));
  }
  if (!draft.said[place_of("satellite.peer_timeout_ms")]) {
    config.satellite.peer_timeout = std::max(milliseconds(5000), draft.cluster_check_interval * 5);
  }
  if (config.state.empty() || config.state.front() != '/') {
    return Error{draft.source(place_of("state")) + ": pulse.state = \"" + config.state +
                 "\": allowed is an absolute path"};
  }
  if (!config.group_name.empty()) {
    config.group = find_group(config.group_name);
    if (!config.group) {
      return Error{draft.source(place_of("group")) + ": pulse.group = \"" + config.group_name +
                   "\": allowed is a number or a name in /etc/group"};
    }
  }
  if (!config.admin.password_file.empty()) {
    const std::string where = draft.source(place_of("admin.password_file")) + ": pulse.admin.password_file: ";
    auto secret = read_text(config.admin.password_file);
    if (!secret) return Error{where + "can't read " + secret.error().text};
    if (secret->empty()) {
      return Error{where + config.admin.password_file + " is empty; its first line is the password"};
    }
    config.admin.password = secret->substr(0, secret->find('\n'));
    if (!config.admin.password.empty() && config.admin.password.back() == '\r') config.admin.password.pop_back();
    draft.loaded.origins[place_of("admin.password")] = {0, config.admin.password_file};
  }
  if (is_password_hash(config.admin.password) && !draft.said[place_of("admin.password")]) {
    draft.loaded.warnings.push_back(draft.source(place_of("admin.password")) +
                                    ": admin_credentials has a hash of the password of " + config.admin.user +
                                    ", which nobody can log in with: set pulse.admin.password, or "
                                    "pulse.admin.password_file, to the password itself");
  }
  if (config.admin.host.empty() || config.admin.user.empty()) {
    const Key& key = kKeys[config.admin.host.empty() ? place_of("admin.host") : place_of("admin.user")];
    return Error{draft.source(index_of(key)) + ": " + key.full_name() + ": must not be empty"};
  }
  for (const auto& [place, host] : {std::pair(place_of("daemon.mysql_host"), &config.daemon.mysql_host),
                                    std::pair(place_of("daemon.pgsql_host"), &config.daemon.pgsql_host)}) {
    if (is_address(*host)) continue;
    if (draft.said[place]) {
      return Error{draft.source(place) + ": " + kKeys[place].full_name() + " = \"" + *host +
                   "\": allowed is an IPv4 or IPv6 address"};
    }
    // ProxySQL takes a name for its interfaces; the daemon never looks one up, and the port is this host's anyway.
    *host = "127.0.0.1";
  }
  finish_interfaces(draft);
  if (auto discovery = finish_discovery(draft); !discovery) return discovery;
  if (auto drain = finish_drain(draft); !drain) return drain;
  if (auto leader = finish_leader(draft); !leader) return leader;
  if (auto sync = finish_sync_users(draft); !sync) return sync;
  if (config.beat.timeout >= config.beat.interval) {
    draft.loaded.warnings.emplace_back(
        "pulse.timeout_ms is not below pulse.interval_ms: while the admin interface hangs, beats "
        "meet the one before them and are skipped");
  }
  if (config.role == Role::standalone && !config.bootstrap.empty()) {
    draft.loaded.warnings.push_back(draft.path +
                                    ": pulse.role = \"standalone\" with rows in proxysql_servers: ProxySQL syncs with "
                                    "them all the same; take them out, or set the role to \"core\"");
  }
  if (config.is_satellite() && config.bootstrap.empty()) {
    draft.loaded.warnings.push_back(draft.path +
                                    ": no proxysql_servers: a satellite that has lost its cores can't find them again");
  }
  return {};
}

}  // namespace pulse
