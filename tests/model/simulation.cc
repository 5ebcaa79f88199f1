#include "tests/model/simulation.h"

#include <algorithm>

#include "scheduler/beat/observation.h"
#include "shm/record/applied.h"
#include "src/base/clock.h"

namespace pulse::model {

namespace {

constexpr int kDiffsBeforeSync = 3;
constexpr uint16_t kPort = 6032;
const ServerKey kPlaceholder{"proxysql-core", kPort};
constexpr std::chrono::milliseconds kPeerTimeout{5000};

std::string checksum(const Users& users) {
  std::string text = "0x";
  for (const int user : users) text += std::to_string(user) + "_";
  return users.empty() ? "0x0000000000000000" : text;
}

std::string checksum(const Table& table) {
  std::string text = "0x";
  for (const ServerKey& server : table) text += server.first + "_";
  return table.empty() ? "0x0000000000000000" : text;
}

Users file_users(const Node& node) { return {0, node.generation}; }

// The text between the first pair of quotes.
std::string quoted(const std::string& statement) {
  const size_t open = statement.find('\'');
  return statement.substr(open + 1, statement.find('\'', open + 1) - open - 1);
}

}  // namespace

Simulation::Simulation(uint64_t seed, Options options) : random_(seed), options_(options) {}

void Simulation::note(const std::string& what) {
  constexpr size_t kKept = 200;
  trace_.push_back(std::to_string(now_ms_) + " e" + std::to_string(now_s()) + " " + what);
  if (trace_.size() > kKept) trace_.pop_front();
}

std::string Simulation::add(bool is_core, int generation) {
  // Not in the order of creation: the lowest address must not be the oldest core by chance.
  const std::string address = "10.0." + std::to_string(below(200)) + "." + std::to_string(next_number_++);
  Node node;
  node.address = address;
  node.is_core = is_core;
  node.generation = generation;
  node.created_at = now_s();
  node.next_beat_ms = now_ms_ + 500 + below(options_.beat_ms);
  note("add " + address + " generation " + std::to_string(generation));
  boot(node);
  nodes_[address] = std::move(node);
  return address;
}

std::string Simulation::add_core(int generation) {
  // The newest is the one that the rule names: the last second, and of that second the first by name.
  const std::string address = add(true, generation);
  const auto newest = nodes_.find(newest_);
  if (newest == nodes_.end() || newest->second.created_at < now_s() || address < newest_) newest_ = address;
  return address;
}

std::string Simulation::add_satellite() { return add(false, 0); }

void Simulation::remove(const std::string& address) { nodes_.erase(address); }

void Simulation::restart(const std::string& address) {
  Node& node = nodes_.at(address);
  note("restart " + address);
  node.up = false;
  node.pull.reset();
  node.boots_ms = now_ms_ + 300 + below(2000);
}

void Simulation::empty_table(const std::string& address) {
  note("empty the table of " + address);
  Node& node = nodes_.at(address);
  node.table_memory.clear();
  node.table_runtime.clear();
  ++node.table_state.version;
  node.table_state.epoch = now_s();
  node.peers.clear();
}

// A start from the configuration file alone.
void Simulation::boot(Node& node) {
  note("boot " + node.address);
  node.up = true;
  node.started_ns = now_ns();
  node.users_state = node.table_state = {1, now_s()};
  node.users_memory = node.users_runtime = node.is_core ? file_users(node) : Users{};
  node.table_memory = node.table_runtime = {kPlaceholder};
  node.peers.clear();
  node.pull.reset();
  node.next_check_ms = now_ms_ + 100 + below(options_.check_ms);
}

// A headless service's name leads to some core. To the asking node itself never: ProxySQL can hang on that.
Node* Simulation::resolve(Node& from, const ServerKey& server) {
  if (server != kPlaceholder) {
    const auto found = nodes_.find(server.first);
    return found == nodes_.end() || !found->second.up ? nullptr : &found->second;
  }
  std::vector<Node*> candidates;
  for (auto& [address, node] : nodes_) {
    if (node.is_core && node.up && address != from.address) candidates.push_back(&node);
  }
  return candidates.empty() ? nullptr : candidates[static_cast<size_t>(below(static_cast<int64_t>(candidates.size())))];
}

void Simulation::check_peers(Node& node) {
  for (auto entry = node.peers.begin(); entry != node.peers.end();) {
    entry = node.table_runtime.count(entry->first) == 0 ? node.peers.erase(entry) : std::next(entry);
  }
  for (const ServerKey& server : node.table_runtime) {
    KnownPeer& known = node.peers[server];
    Node* peer = resolve(node, server);
    if (peer == nullptr) continue;
    known.updated_at = now_s();
    known.users = peer->users_state;
    known.table = peer->table_state;
    known.users_checksum = checksum(peer->users_runtime);
    known.table_checksum = checksum(peer->table_runtime);
    known.users_diffs = known.users_checksum == checksum(node.users_runtime) ? 0 : known.users_diffs + 1;
    known.table_diffs = known.table_checksum == checksum(node.table_runtime) ? 0 : known.table_diffs + 1;
  }
  maybe_pull(node, true);
  maybe_pull(node, false);
}

void Simulation::maybe_pull(Node& node, bool of_table) {
  if (node.pull) return;
  const ModuleState& own = of_table ? node.table_state : node.users_state;
  const ServerKey* source = nullptr;
  int64_t epoch = 0;
  for (const auto& [server, known] : node.peers) {
    const ModuleState& theirs = of_table ? known.table : known.users;
    const int diffs = of_table ? known.table_diffs : known.users_diffs;
    if (theirs.version <= 1 || diffs < kDiffsBeforeSync) continue;
    if (own.version != 1 && theirs.epoch <= own.epoch) continue;
    if (source != nullptr && theirs.epoch <= epoch) continue;
    source = &server;
    epoch = theirs.epoch;
  }
  if (source == nullptr) return;
  Node* peer = resolve(node, *source);
  if (peer == nullptr || peer == &node) return;
  // What was fetched is checked against the checksum that made the node want it: a name may lead to another core now.
  const KnownPeer& known = node.peers.at(*source);
  if (of_table ? checksum(peer->table_runtime) != known.table_checksum
               : checksum(peer->users_runtime) != known.users_checksum) {
    return;
  }
  const int64_t takes = chance(0.2) ? below(options_.longest_pull_ms) : below(50);
  node.pull = Pull{now_ms_ + takes, epoch, of_table, peer->users_runtime, peer->table_runtime};
}

void Simulation::finish_pull(Node& node) {
  const Pull pull = *node.pull;
  note(node.address + " has pulled " +
       (pull.of_table ? "table " + checksum(pull.table) : "users " + checksum(pull.users)) + " e" +
       std::to_string(pull.epoch));
  node.pull.reset();
  ModuleState& own = pull.of_table ? node.table_state : node.users_state;
  ++own.version;
  own.epoch = pull.epoch;
  if (pull.of_table) {
    node.table_memory = node.table_runtime = pull.table;
  } else {
    node.users_memory = node.users_runtime = pull.users;
  }
  for (auto& [server, known] : node.peers) (pull.of_table ? known.table_diffs : known.users_diffs) = 0;
}

Seen Simulation::seen_by(Node& node) {
  Seen seen;
  seen.now_s = now_s();
  seen.has_globals = true;
  seen.modules = {{"mysql_users", node.users_state.version, node.users_state.epoch, checksum(node.users_runtime)},
                  {"proxysql_servers", node.table_state.version, node.table_state.epoch, checksum(node.table_runtime)}};
  Table all = node.table_memory;
  all.insert(node.table_runtime.begin(), node.table_runtime.end());
  for (const ServerKey& server : all) {
    ServerRow row{server.first, server.second, node.table_memory.count(server) != 0,
                  node.table_runtime.count(server) != 0};
    if (row.in_runtime) {
      if (const auto known = node.peers.find(server); known != node.peers.end() && known->second.updated_at != 0) {
        const KnownPeer& peer = known->second;
        row.updated_at = peer.updated_at;
        row.modules = {{"mysql_users", peer.users.version, peer.users.epoch, peer.users_checksum},
                       {"proxysql_servers", peer.table.version, peer.table.epoch, peer.table_checksum}};
      }
    }
    seen.servers.push_back(std::move(row));
  }
  seen.uptime_s = (now_ns() - node.started_ns) / 1'000'000'000;
  watch_peers(seen, node.last, now_ns(), {milliseconds(options_.beat_ms), kPeerTimeout});
  return seen;
}

void Simulation::apply(Node& node, const std::string& statement) {
  const auto load = [&](ModuleState& state) {
    ++state.version;
    state.epoch = now_s();
  };
  const bool had_rows = !node.table_memory.empty();
  if (statement.rfind("INSERT OR REPLACE INTO proxysql_servers", 0) == 0) {
    node.table_memory.insert({quoted(statement), kPort});
  } else if (statement.rfind("DELETE FROM proxysql_servers", 0) == 0) {
    node.table_memory.erase({quoted(statement), kPort});
  } else if (statement == "LOAD PROXYSQL SERVERS FROM CONFIG") {
    node.table_memory.insert(kPlaceholder);
  } else if (statement == "LOAD PROXYSQL SERVERS TO RUNTIME") {
    if (node.table_memory.empty()) problem_ = node.address + " loads an empty proxysql_servers";
    node.table_runtime = node.table_memory;
    load(node.table_state);
  } else if (statement == "LOAD MYSQL USERS FROM CONFIG") {
    for (const int user : file_users(node)) node.users_memory.insert(user);
  } else if (statement == "DELETE FROM mysql_users") {
    node.users_memory.clear();
  } else if (statement == "LOAD MYSQL USERS TO RUNTIME") {
    if (node.users_memory.empty()) problem_ = node.address + " loads empty mysql_users";
    node.users_runtime = node.users_memory;
    load(node.users_state);
    ++node.stamps;
  } else if (statement == "SAVE MYSQL USERS TO MEMORY") {
    node.users_memory = node.users_runtime;
  } else {
    problem_ = "a statement that the model doesn't know: " + statement;
  }
  ++node.writes;
  if (had_rows && node.table_memory.empty()) problem_ = node.address + " emptied proxysql_servers: " + statement;
}

void Simulation::beat(Node& node) {
  const int64_t list_age_ms = now_ms_ - node.list_at_ms;
  CoreList list{node.list, list_age_ms > 60'000 ? "too old" : "", milliseconds(list_age_ms)};
  if (list.usable() && list.cores.empty()) list.unusable = "empty";
  if (!list.usable()) list.cores.clear();
  Config config;
  config.role = node.is_core ? Role::core : Role::satellite;
  config.core.authority = Authority::revision;
  config.core.modules = config.file_groups = {"mysql_users"};
  config.satellite.peer_timeout = kPeerTimeout;
  config.bootstrap = {{kPlaceholder.first, kPort, 0, ""}};

  const Seen before = seen_by(node);
  node.last = to_observation(before, node.last, now_ns(), kPeerTimeout, node.is_core);
  CorePlan made;
  if (node.is_core) {
    // What the other cores' daemons say: all of them are reached, at once.
    Applied applied = node.applied;
    for (const auto& [address, other] : nodes_) {
      if (other.is_core && other.up) merge_applied(applied, other.applied);
    }
    FileContents file{1, "", {{"mysql_users", {1, static_cast<uint64_t>(node.generation)}}}};
    made = plan_core({before,
                      list,
                      config,
                      node.record,
                      node.started_ns,
                      now_ns(),
                      applied,
                      {true, now_ns(), list.changed_ns, 0, ""},
                      node.record.file_identity == 0 ? &file : nullptr});
  } else {
    made.plan = plan_satellite({before, config.bootstrap, kPeerTimeout, list, false});
  }
  Outcomes outcomes;
  if (node.is_core && !made.plan.steps.empty()) node.record = made.record;
  std::set<std::string> refused_parts;
  const auto refused = [&](const Step& step) {
    if ((step.needs_rows_in == "proxysql_servers" && node.table_memory.empty()) ||
        (step.needs_rows_in == "mysql_users" && node.users_memory.empty()) ||
        (step.from_file && node.users_memory != file_users(node))) {
      return true;
    }
    if (!beats_fail_ || !chance(options_.statement_refused)) return false;
    note(node.address + " REFUSED " + step.statement);
    return true;
  };
  for (const Step& step : made.plan.steps) {
    if (beats_fail_ && chance(options_.beat_killed)) return;
    if (refused_parts.count(step.part) != 0) continue;
    if (refused(step)) {
      refused_parts.insert(step.part);
      if (step.undo.empty() || (beats_fail_ && chance(options_.statement_refused))) continue;
      note(node.address + " undo " + step.undo);
      apply(node, step.undo);
      outcomes.restored.push_back(step.part);
      continue;
    }
    note(node.address + " " + step.statement + ": " + step.reason);
    apply(node, step.statement);
    if (step.loads) outcomes.loaded.push_back(step.part);
    if (step.restores) outcomes.restored.push_back(step.part);
  }
  if (!node.is_core) return;
  if (beats_fail_ && !made.plan.steps.empty() && chance(options_.beat_killed)) return;
  note_membership_load(made.record.dispute, outcomes.loaded, now_ns());
  if (!made.plan.steps.empty()) {
    settle_core(made.record, made.applied, made.plan, outcomes, before, seen_by(node), now_ns());
  }
  node.record = made.record;
  node.applied = made.applied;
}

bool Simulation::run(int64_t ms) {
  const int64_t end_ms = now_ms_ + ms;
  for (; now_ms_ < end_ms && problem_.empty(); now_ms_ += 10) {
    for (auto& [address, node] : nodes_) {
      if (!node.up) {
        if (now_ms_ >= node.boots_ms) boot(node);
        continue;
      }
      if (!discovery_fails_ && chance(0.02)) {  // a look at the outside every half a second or so
        node.list.clear();
        for (const auto& [other_address, other] : nodes_) {
          if (other.is_core) {
            node.list.push_back({{other_address, kPort}, other_address, other.created_at, other_address == address});
          }
        }
        node.list_at_ms = now_ms_;
      }
      if (node.pull && now_ms_ >= node.pull->ends_ms) finish_pull(node);
      if (now_ms_ >= node.next_check_ms) {
        check_peers(node);
        node.next_check_ms = now_ms_ + options_.check_ms + below(20);
      }
      if (now_ms_ >= node.next_beat_ms) {
        beat(node);
        node.next_beat_ms = now_ms_ + options_.beat_ms + below(30);
      }
    }
  }
  return problem_.empty();
}

bool Simulation::converged(int generation) {
  Table cores;
  for (const auto& [address, node] : nodes_) {
    if (node.is_core) cores.insert({address, kPort});
  }
  const Users users{0, generation};
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    const Node& node = entry.second;
    return node.up && node.table_runtime == cores && node.table_memory == cores && node.users_runtime == users &&
           node.users_memory == users;
  });
}

int64_t Simulation::writes() const {
  int64_t sum = 0;
  for (const auto& [address, node] : nodes_) sum += node.writes;
  return sum;
}

std::vector<std::string> Simulation::cores() const {
  std::vector<std::string> list;
  for (const auto& [address, node] : nodes_) {
    if (node.is_core) list.push_back(address);
  }
  return list;
}

std::vector<std::string> Simulation::satellites() const {
  std::vector<std::string> list;
  for (const auto& [address, node] : nodes_) {
    if (!node.is_core) list.push_back(address);
  }
  return list;
}

std::string Simulation::describe() const {
  std::string text = "at " + std::to_string(now_ms_) + " ms, newest core " + newest_ + "\n";
  for (const auto& [address, node] : nodes_) {
    text += address + (node.is_core ? " core" : " satellite") + " generation " + std::to_string(node.generation) +
            (node.up ? "" : " DOWN") + " created " + std::to_string(node.created_at) + "\n  users v" +
            std::to_string(node.users_state.version) + " e" + std::to_string(node.users_state.epoch) + " " +
            checksum(node.users_runtime) + " memory " + checksum(node.users_memory) + "\n  table v" +
            std::to_string(node.table_state.version) + " e" + std::to_string(node.table_state.epoch) + " " +
            checksum(node.table_runtime) + " memory " + checksum(node.table_memory) + "\n  standing " +
            std::to_string(node.record.standing) + " " + std::string(pulse::text(node.record.reason)) + "\n";
  }
  for (const std::string& line : trace_) text += line + "\n";
  return text;
}

}  // namespace pulse::model
