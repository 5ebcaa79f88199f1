#include "tests/proxysql-double/cluster.h"

#include <algorithm>
#include <ctime>
#include <thread>

#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/server.h"

namespace proxysql_double {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct SyncedModule {
  const char* name;  // in runtime_checksums_values
  const char* variable;
  Module module;
};

// mysql_servers itself is only shown: its second version decides, and the pull fetches both.
constexpr SyncedModule kSynced[] = {
    {"admin_variables", "admin_variables", Module::admin_variables},
    {"mysql_query_rules", "mysql_query_rules", Module::mysql_query_rules},
    {"mysql_servers_v2", "mysql_servers", Module::mysql_servers},
    {"mysql_users", "mysql_users", Module::mysql_users},
    {"mysql_variables", "mysql_variables", Module::mysql_variables},
    {"proxysql_servers", "proxysql_servers", Module::proxysql_servers},
};

std::string text_of(const std::pair<std::string, int>& key) { return key.first + ":" + std::to_string(key.second); }

void log_new_checksum(const std::string& name, const std::string& peer, const Stamp& stamp) {
  log_info("Cluster: detected a new checksum for " + name + " from peer " + peer + ", version " +
           std::to_string(stamp.version) + ", epoch " + std::to_string(stamp.epoch) + ", checksum " + stamp.checksum +
           " . Not syncing yet ...");
}

std::string describe(const PeerChecksum& peer, const Stamp& own) {
  return "version " + std::to_string(peer.stamp.version) + ", epoch " + std::to_string(peer.stamp.epoch) +
         ", diff_check " + std::to_string(peer.diff_check) + ". Own version: " + std::to_string(own.version) +
         ", epoch: " + std::to_string(own.epoch) + ". ";
}

}  // namespace

bool must_pull(const PeerChecksum& peer, const Stamp& own, int64_t diffs_before_sync) {
  return diffs_before_sync > 0 && peer.stamp.version > 1 && (own.version == 1 || peer.stamp.epoch > own.epoch) &&
         peer.diff_check >= diffs_before_sync;
}

void Cluster::load(const ResultSet& servers) {
  const std::lock_guard lock(mutex_);
  std::map<Key, std::shared_ptr<Node>> nodes;
  for (const Row& row : servers.rows) {
    const Key key{row[0].value_or(""), std::atoi(row[1].value_or("0").c_str())};
    const auto old = nodes_.find(key);
    const bool is_new = old == nodes_.end();
    auto node = is_new ? std::make_shared<Node>() : old->second;
    if (is_new) node->incarnation = ++incarnations_;
    node->weight = row[2].value_or("0");
    node->comment = row[3].value_or("");
    nodes.emplace(key, node);
    if (is_new) std::thread(&Cluster::watch, this, key, node->incarnation).detach();
  }
  nodes_ = std::move(nodes);
}

std::vector<Row> Cluster::checksum_rows() {
  const std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (const auto& [key, node] : nodes_) {
    for (const auto& [name, checksum] : node->checksums) {
      if (name.starts_with("pgsql_")) continue;  // ProxySQL 3 doesn't show these, of whatever version it is
      rows.push_back({key.first, std::to_string(key.second), name, std::to_string(checksum.stamp.version),
                      std::to_string(checksum.stamp.epoch), checksum.stamp.checksum,
                      std::to_string(checksum.changed_at), std::to_string(checksum.updated_at),
                      std::to_string(checksum.diff_check)});
    }
  }
  return rows;
}

std::vector<Row> Cluster::metrics_rows() {
  const std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (const auto& [key, node] : nodes_) {
    const auto age = std::chrono::duration_cast<milliseconds>(Clock::now() - node->last_metrics);
    rows.push_back({key.first, std::to_string(key.second), node->weight, node->comment,
                    std::to_string(node->response_ms), node->metrics[0], std::to_string(age.count()), node->metrics[1],
                    node->metrics[2], node->metrics[3]});
  }
  return rows;
}

bool Cluster::still_there(const Key& key, uint64_t incarnation) {
  const std::lock_guard lock(mutex_);
  const auto node = nodes_.find(key);
  return node != nodes_.end() && node->second->incarnation == incarnation;
}

void Cluster::watch(const Key& key, uint64_t incarnation) {
  log_info("Cluster: starting thread for peer " + text_of(key));
  while (still_there(key, incarnation)) {
    const milliseconds interval(server_.variables.number("admin-cluster_check_interval_ms"));
    const std::string user = server_.variables.text("admin-cluster_username");
    if (user.empty()) {
      std::this_thread::sleep_for(seconds(1));
      continue;
    }
    auto peer = PeerConnection::open({key.first, key.second}, user, server_.variables.text("admin-cluster_password"));
    if (!peer) {
      log_warning("Cluster: unable to connect to peer " + text_of(key) + " . Error: " + peer.error().text);
      std::this_thread::sleep_for(interval + seconds(1));
      continue;
    }
    if (!introduce(*peer, key)) continue;
    bool gone = false;
    for (int64_t round = 1; check(*peer, key, incarnation, &gone); ++round) {
      const int64_t frequency = server_.variables.number("admin-cluster_check_status_frequency");
      if (frequency > 0 && round % frequency == 0) check_metrics(*peer, key);
      std::this_thread::sleep_for(milliseconds(server_.variables.number("admin-cluster_check_interval_ms")));
    }
    if (gone) break;
    std::this_thread::sleep_for(interval);
  }
  log_info("Cluster: closing thread for peer " + text_of(key));
}

bool Cluster::introduce(PeerConnection& peer, const Key& key) {
  const auto version = peer.query("SELECT @@version");
  const std::string remote = version && !version->rows.empty() ? version->rows[0][0].value_or("") : "";
  const std::string& own = server_.options.version;
  if (remote == own) {
    log_info("Cluster: clustering with peer " + text_of(key) + " . Remote version: " + remote +
             " . Self version: " + own);
    return bool(peer.query("PROXYSQL CLUSTER_NODE_UUID 00000000-0000-0000-0000-000000000000 " +
                           server_.variables.text("admin-mysql_ifaces")));
  }
  log_warning("Cluster: different ProxySQL version with peer " + text_of(key) + " . Remote: " + remote +
              " . Self: " + own);
  std::this_thread::sleep_for(version ? seconds(30) : seconds(1));
  return false;
}

bool Cluster::check(PeerConnection& peer, const Key& key, uint64_t incarnation, bool* gone) {
  const auto global = peer.query("SELECT GLOBAL_CHECKSUM()");
  if (!global || global->rows.empty()) {
    log_error("Cluster: unable to run query on " + text_of(key) + " : SELECT GLOBAL_CHECKSUM()");
    return false;
  }
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    const auto node = nodes_.find(key);
    *gone = node == nodes_.end() || node->second->incarnation != incarnation;
    if (*gone) return false;
    const std::string seen = global->rows[0][0].value_or("");
    changed = node->second->global_checksum != seen;
    node->second->global_checksum = seen;
  }
  ResultSet rows;
  if (changed) {
    const auto fetched = peer.query("SELECT * FROM runtime_checksums_values ORDER BY name");
    if (!fetched) return false;
    rows = *fetched;
  }
  const std::lock_guard lock(mutex_);
  const auto node = nodes_.find(key);
  *gone = node == nodes_.end() || node->second->incarnation != incarnation;
  if (*gone) return false;
  const std::shared_ptr<Node> held = node->second;  // a pull may remove it from the table
  if (changed) {
    take_checksums(*held, key, rows);
  } else {
    count_differences(*held);
  }
  pull_what_is_newer(*held, key);
  return true;
}

void Cluster::check_metrics(PeerConnection& peer, const Key& key) {
  const auto before = Clock::now();
  const auto rows = peer.query("SELECT * FROM stats_mysql_global ORDER BY Variable_Name");
  if (!rows) return;
  std::map<std::string, std::string> values;
  for (const Row& row : rows->rows) values[row[0].value_or("")] = row[1].value_or("0");
  const std::lock_guard lock(mutex_);
  const auto node = nodes_.find(key);
  if (node == nodes_.end()) return;
  node->second->metrics = {values["ProxySQL_Uptime"], values["Questions"], values["Client_Connections_connected"],
                           values["Client_Connections_created"]};
  node->second->last_metrics = Clock::now();
  node->second->response_ms = std::chrono::duration_cast<milliseconds>(Clock::now() - before).count();
}

void Cluster::take_checksums(Node& node, const Key& key, const ResultSet& rows) {
  const int64_t now = std::time(nullptr);
  for (const Row& row : rows.rows) {
    const std::string name = row[0].value_or("");
    const std::string checksum = row[3].value_or("");
    const std::string own = server_.modules.stamp(name).checksum;
    PeerChecksum& known = node.checksums[name];
    known.stamp.version = std::atoll(row[1].value_or("0").c_str());
    known.stamp.epoch = std::atoll(row[2].value_or("0").c_str());
    known.updated_at = now;
    if (known.changed_at == 0 || known.stamp.checksum != checksum) {
      known.stamp.checksum = checksum;
      known.changed_at = now;
      known.diff_check = 1;
      log_new_checksum(name, text_of(key), known.stamp);
    } else {
      ++known.diff_check;
    }
    if (checksum == own) known.diff_check = 0;
  }
}

// The peer has changed nothing since the last look.
void Cluster::count_differences(Node& node) {
  for (auto& [name, known] : node.checksums) {
    known.updated_at = std::time(nullptr);
    if (known.stamp.checksum == server_.modules.stamp(name).checksum) known.diff_check = 0;
    if (known.diff_check > 0) ++known.diff_check;
  }
}

void Cluster::pull_what_is_newer(Node& node, const Key& key) {
  for (const SyncedModule& synced : kSynced) {
    const int64_t diffs =
        server_.variables.number("admin-cluster_" + std::string(synced.variable) + "_diffs_before_sync");
    const PeerChecksum peer = node.checksums[synced.name];
    const Stamp own = server_.modules.stamp(synced.name);
    const std::string subject =
        "Cluster: detected a peer " + text_of(key) + " with " + synced.name + " " + describe(peer, own);
    const bool time_to_complain = diffs > 0 && peer.diff_check > 0 && peer.diff_check % (diffs * 10) == 0;
    if (must_pull(peer, own, diffs)) {
      log_info(subject + "Proceeding with remote sync");
      pull(synced.name, synced.module, peer.stamp.epoch, peer.stamp.checksum);
    }
    if (!time_to_complain) continue;
    if (peer.stamp.version <= 1) {
      log_warning(subject + "diff_check is increasing, but version 1 doesn't allow sync.");
    } else if (peer.stamp.epoch == own.epoch) {
      log_error(subject +
                "Sync conflict, epoch times are EQUAL, can't determine which server holds the latest config, we won't "
                "sync.");
    }
  }
}

// The node with the greatest epoch among those whose difference was seen often enough. Nothing if one that wasn't has
// a greater epoch still.
std::optional<Cluster::Key> Cluster::best_source(const std::string& name, int64_t diffs_before_sync) const {
  std::optional<Key> best;
  int64_t best_epoch = 0;
  int64_t greatest = 0;
  for (const auto& [key, node] : nodes_) {
    const auto found = node->checksums.find(name);
    if (found == node->checksums.end() || found->second.stamp.version <= 1) continue;
    const PeerChecksum& checksum = found->second;
    if (checksum.stamp.epoch <= best_epoch) continue;
    greatest = checksum.stamp.epoch;
    if (checksum.diff_check < diffs_before_sync) continue;
    best_epoch = checksum.stamp.epoch;
    best = key;
  }
  return greatest > best_epoch ? std::nullopt : best;
}

void Cluster::pull(const std::string& name, Module module, int64_t epoch, const std::string& expected_checksum) {
  const std::string variable = module_name(module);
  const int64_t diffs = server_.variables.number("admin-cluster_" + variable + "_diffs_before_sync");
  const auto source = best_source(name, diffs);
  if (!source) return;
  log_info("Cluster: Fetching " + name + " from peer " + text_of(*source) +
           " started. Expected checksum: " + expected_checksum);
  if (fetch_and_load(*source, module, epoch, expected_checksum)) {
    log_info("Cluster: Fetching " + name + " from peer " + text_of(*source) + " completed");
    return;
  }
  log_info("Cluster: Fetching " + name + " from peer " + text_of(*source) + " failed");
  std::this_thread::sleep_for(seconds(1));
}

bool Cluster::fetch_and_load(const Key& source, Module module, int64_t epoch, const std::string& expected_checksum) {
  auto peer = PeerConnection::open({source.first, source.second}, server_.variables.text("admin-cluster_username"),
                                   server_.variables.text("admin-cluster_password"));
  if (!peer) return false;
  std::vector<ResultSet> contents;
  for (const std::string& query : content_queries(module)) {
    auto content = peer->query(query);
    if (!content) return false;
    contents.push_back(std::move(*content));
  }
  if (content_checksum(contents) != expected_checksum) return false;

  // ProxySQL takes the global mutex for query rules alone.
  std::unique_lock lock(server_.statement_mutex, std::defer_lock);
  if (module == Module::mysql_query_rules) lock.lock();
  store_content(*server_.database, module, contents);
  server_.load_to_runtime(module, epoch);
  if (server_.variables.boolean("admin-cluster_" + module_name(module) + "_save_to_disk")) {
    server_.modules.memory_to_disk(module);
  }
  return true;
}

}  // namespace proxysql_double
