// A cluster in miniature: ProxySQL's sync rules (PROXYSQL cluster: versions, epochs at one-second resolution,
// checksums, diffs before a pull, pulls that take time and win over a load) around the real plans. Deterministic from
// its seed.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "scheduler/cluster/core_plan.h"
#include "scheduler/cluster/satellite_plan.h"

namespace pulse::model {

using Table = std::set<ServerKey>;
using Users = std::set<int>;  // rows of mysql_users; the file of generation g holds 0 and g

struct ModuleState {
  int64_t version = 1;
  int64_t epoch = 0;
};

// What a node knows of one row of its runtime_proxysql_servers.
struct KnownPeer {
  int64_t updated_at = 0;
  ModuleState users, table;
  std::string users_checksum, table_checksum;
  int users_diffs = 0, table_diffs = 0;
};

struct Pull {  // under way: content as it was when the pull began
  int64_t ends_ms;
  int64_t epoch;
  bool of_table;
  Users users;
  Table table;
};

struct Node {
  std::string address;
  bool is_core = false;
  int generation = 1;  // of its configuration file
  int64_t created_at = 0;
  bool up = false;
  int64_t boots_ms = 0;
  int64_t started_ns = 0;
  ModuleState users_state, table_state;
  Users users_memory, users_runtime;
  Table table_memory, table_runtime;
  std::map<ServerKey, KnownPeer> peers;
  std::optional<Pull> pull;
  int64_t next_check_ms = 0;

  // The agent's side.
  CoreRecord record{};
  Observation last{};
  Applied applied{};
  int64_t next_beat_ms = 0;
  std::vector<Core> list;
  int64_t list_at_ms = -1'000'000;  // when the list was last known to be right
  int writes = 0;
  uint64_t stamps = 0;
};

struct Options {
  int beat_ms = 500;
  int check_ms = 200;
  int longest_pull_ms = 2000;
  double beat_killed = 0.05;  // between two statements
  double statement_refused = 0.05;
};

class Simulation {
 public:
  Simulation(uint64_t seed, Options options);

  std::string add_core(int generation);
  std::string add_satellite();
  void remove(const std::string& address);
  void restart(const std::string& address);  // ProxySQL alone: the agent's segment stays
  void empty_table(const std::string& address);
  void beats_fail(bool fail) { beats_fail_ = fail; }  // some: killed between two statements, or refused one
  void discovery_fails(bool fails) { discovery_fails_ = fails; }

  // Advances by that much. False and problem() once an invariant was broken.
  bool run(int64_t ms);

  // Whether every node that is up has the cores in its table and this generation's users, and nothing else.
  bool converged(int generation);
  int64_t writes() const;
  std::vector<std::string> cores() const;
  std::vector<std::string> satellites() const;
  const std::string& newest_core() const { return newest_; }
  int generation(const std::string& address) const { return nodes_.at(address).generation; }
  const std::string& problem() const { return problem_; }
  std::string describe() const;  // the nodes, and what was done last
  std::mt19937_64& random() { return random_; }
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }

 private:
  std::string add(bool is_core, int generation);
  void boot(Node& node);
  void check_peers(Node& node);
  void maybe_pull(Node& node, bool of_table);
  void finish_pull(Node& node);
  void beat(Node& node);
  Seen seen_by(Node& node);
  void apply(Node& node, const std::string& statement);
  Node* resolve(Node& from, const ServerKey& server);
  int64_t now_s() const { return 1'700'000'000 + now_ms_ / 1000; }
  int64_t now_ns() const { return (now_ms_ + 100'000) * 1'000'000; }
  void note(const std::string& what);
  bool chance(double probability) { return static_cast<double>(below(1'000'000)) < probability * 1e6; }

  std::mt19937_64 random_;
  const Options options_;
  std::map<std::string, Node> nodes_;
  std::string newest_;
  int64_t now_ms_ = 0;
  int next_number_ = 1;
  bool discovery_fails_ = false;
  bool beats_fail_ = true;
  std::string problem_;
  std::deque<std::string> trace_;
};

}  // namespace pulse::model
