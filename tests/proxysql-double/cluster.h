// ProxySQL's cluster: one thread for each node of proxysql_servers watches its checksums and pulls what is newer.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/proxysql-double/answer.h"
#include "tests/proxysql-double/modules.h"
#include "tests/proxysql-double/peer.h"

namespace proxysql_double {

struct Server;

// What a node knows of one module of a peer.
struct PeerChecksum {
  Stamp stamp;
  int64_t changed_at = 0;
  int64_t updated_at = 0;
  int64_t diff_check = 0;
};

// Pure: whether a module is to be pulled. `diffs_before_sync` 0 is never.
bool must_pull(const PeerChecksum& peer, const Stamp& own, int64_t diffs_before_sync);

// Thread-safe. One mutex covers all nodes; it is held during a whole pull, network and all, as in ProxySQL.
class Cluster {
 public:
  explicit Cluster(Server& server) : server_(server) {}

  // Rows of hostname, port, weight, comment. New nodes get a thread; threads of vanished ones end.
  void load(const ResultSet& servers);

  std::vector<Row> checksum_rows();
  std::vector<Row> metrics_rows();
  // Returns when the nodes' mutex was free.
  void wait_for_nodes() { const std::lock_guard lock(mutex_); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Node {
    std::string weight;
    std::string comment;
    std::string global_checksum;
    std::map<std::string, PeerChecksum> checksums;
    std::vector<std::string> metrics = {"0", "0", "0", "0"};  // Uptime, Queries, connected, created
    int64_t response_ms = 0;
    Clock::time_point last_metrics = Clock::now();
    uint64_t incarnation = 0;
  };
  using Key = std::pair<std::string, int>;

  void watch(const Key& key, uint64_t incarnation);
  // Each false when the conversation is over; `*gone` when the node was removed.
  bool introduce(PeerConnection& peer, const Key& key);
  bool check(PeerConnection& peer, const Key& key, uint64_t incarnation, bool* gone);
  void check_metrics(PeerConnection& peer, const Key& key);
  bool still_there(const Key& key, uint64_t incarnation);
  // With the mutex held.
  void take_checksums(Node& node, const Key& key, const ResultSet& rows);
  void count_differences(Node& node);
  void pull_what_is_newer(Node& node, const Key& key);
  std::optional<Key> best_source(const std::string& name, int64_t diffs_before_sync) const;
  void pull(const std::string& name, Module module, int64_t epoch, const std::string& expected_checksum);
  bool fetch_and_load(const Key& source, Module module, int64_t epoch, const std::string& expected_checksum);

  Server& server_;
  std::recursive_mutex mutex_;  // a pull of proxysql_servers calls load()
  std::map<Key, std::shared_ptr<Node>> nodes_;
  uint64_t incarnations_ = 0;
};

}  // namespace proxysql_double
