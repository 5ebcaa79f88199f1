#include "tests/model/proxysql_node.h"

#include <cinttypes>
#include <cstdio>

namespace pulse::model {

namespace {

struct Names {
  const char* table;
  const char* command;
};

constexpr std::array<Names, kModules> kNames{
    {{"mysql_servers", "MYSQL SERVERS"}, {"mysql_users", "MYSQL USERS"}, {"proxysql_servers", "PROXYSQL SERVERS"}}};

// The text between the first pair of quotes.
std::string quoted(const std::string& statement) {
  const size_t open = statement.find('\'');
  return statement.substr(open + 1, statement.find('\'', open + 1) - open - 1);
}

}  // namespace

const char* name_of(size_t module) { return kNames[module].table; }

std::string shown(const Rows& rows) {
  std::string text = "{";
  for (const auto& [key, value] : rows) text += (text.size() > 1 ? " " : "") + key + (value.empty() ? "" : "=" + value);
  return text + "}";
}

uint64_t hash_of(const Rows& rows) {
  uint64_t hash = 14'695'981'039'346'656'037U;
  const auto add = [&](const std::string& text) {
    for (const char c : text + '\n') hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  };
  for (const auto& [key, value] : rows) add(key), add(value);
  return hash;
}

std::string checksum(const Rows& rows) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%016" PRIX64, rows.empty() ? 0 : hash_of(rows));
  return text;
}

void ProxysqlNode::boot(const ConfigFile& file, int64_t now_ms, int64_t now_s) {
  up = true;
  started_ms = now_ms;
  peers.clear();
  pull.reset();
  for (size_t i = 0; i < kModules; ++i) {
    ModuleState& module = modules[i];
    if (!has_database) {
      module.disk = i == kMembership ? Rows{{kBootstrapName, ""}} : file.broken ? Rows{} : file.rows[i];
    }
    module.version = 1;
    module.epoch = now_s;
    module.memory = module.disk;
    module.agent_loaded_s = 0;
    module.loaded_ms = 0;
    module.edited_in_memory = false;
    set_runtime(i, module.disk, Cause::boot);
  }
  has_database = true;
}

void ProxysqlNode::stop() {
  up = false;
  pull.reset();
}

void ProxysqlNode::set_runtime(size_t index, Rows rows, Cause cause) {
  ModuleState& module = modules[index];
  std::swap(module.runtime, rows);
  module.checksum = model::checksum(module.runtime);
  module.loaded_by = cause;
  if (changed) changed(*this, index, rows, cause);
}

void ProxysqlNode::load(size_t index, Cause cause) {
  ModuleState& module = modules[index];
  ++module.version;
  module.epoch = now_s_;
  module.loaded_ms = now_ms_;
  set_runtime(index, module.memory, cause);
  module.edited_in_memory = false;
}

bool ProxysqlNode::run(const std::string& statement, const ConfigFile& file, int64_t now_ms, int64_t now_s,
                       Cause cause) {
  now_ms_ = now_ms;
  now_s_ = now_s;
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    if (run_of_module(i, statement, file, cause)) return !(file.broken && statement.ends_with("FROM CONFIG"));
  }
  if (!run_of_membership(statement, cause)) unknown_ = statement;
  return true;
}

// True if it is a statement about this module.
bool ProxysqlNode::run_of_module(size_t index, const std::string& statement, const ConfigFile& file, Cause cause) {
  ModuleState& module = modules[index];
  const std::string command = kNames[index].command;
  if (statement == "LOAD " + command + " FROM CONFIG") {
    if (file.broken) return true;
    for (const auto& [key, value] : file.rows[index]) module.memory[key] = value;
  } else if (statement == std::string("DELETE FROM ") + kNames[index].table) {
    module.memory.clear();
  } else if (statement == "LOAD " + command + " TO RUNTIME") {
    load(index, cause);
  } else if (statement == "SAVE " + command + " TO MEMORY") {
    module.memory = module.runtime;
    module.edited_in_memory = false;
  } else if (statement == "SAVE " + command + " TO DISK") {
    module.disk = module.memory;
  } else {
    return false;
  }
  return true;
}

bool ProxysqlNode::run_of_membership(const std::string& statement, Cause cause) {
  ModuleState& module = modules[kMembership];
  if (statement.rfind("INSERT OR REPLACE INTO proxysql_servers", 0) == 0) {
    module.memory[quoted(statement)] = "";
  } else if (statement.rfind("DELETE FROM proxysql_servers WHERE", 0) == 0) {
    module.memory.erase(quoted(statement));
  } else if (statement == "LOAD PROXYSQL SERVERS FROM CONFIG") {
    module.memory[kBootstrapName] = "";
  } else if (statement == "LOAD PROXYSQL SERVERS TO RUNTIME") {
    load(kMembership, cause);
  } else {
    return false;
  }
  return true;
}

void ProxysqlNode::forget_unlisted_peers() {
  std::erase_if(peers, [&](const auto& peer) { return modules[kMembership].runtime.count(peer.first) == 0; });
}

void ProxysqlNode::check(const std::string& name, const ProxysqlNode& peer, int64_t now_ms, int64_t now_s) {
  KnownPeer& known = peers[name];
  known.updated_at = now_s;
  known.checked_ms = now_ms;
  for (size_t i = 0; i < kModules; ++i) {
    const ModuleState& theirs = peer.modules[i];
    KnownPeer::Module& to = known.modules[i];
    to.version = theirs.version;
    to.epoch = theirs.epoch;
    to.checksum = theirs.checksum;
    to.diffs = theirs.checksum == modules[i].checksum ? 0 : to.diffs + 1;
  }
}

const std::string* ProxysqlNode::source_of(size_t index, int diffs) const {
  const ModuleState& own = modules[index];
  const std::string* source = nullptr;
  int64_t epoch = 0;
  for (const auto& [name, known] : peers) {
    const KnownPeer::Module& theirs = known.modules[index];
    if (theirs.version <= 1 || theirs.diffs < diffs) continue;
    if (own.version != 1 && theirs.epoch <= own.epoch) continue;
    if (source != nullptr && theirs.epoch <= epoch) continue;
    source = &name;
    epoch = theirs.epoch;
  }
  return source;
}

void ProxysqlNode::begin_pull(size_t index, const std::string& name, const ProxysqlNode& peer, int64_t ends_ms) {
  // What was fetched is checked against the checksum that made the node want it: a name may lead to another core now.
  const KnownPeer::Module& known = peers.at(name).modules[index];
  if (peer.modules[index].checksum != known.checksum) return;
  pull = Pull{ends_ms, known.epoch, index, peer.modules[index].runtime, peer.modules[index].loaded_ms};
}

void ProxysqlNode::finish_pull() {
  Pull done = std::move(*pull);
  pull.reset();
  ModuleState& module = modules[done.module];
  ++module.version;
  module.epoch = done.epoch;
  module.loaded_ms = done.loaded_ms;
  // Pulled tables are saved, and no others.
  module.memory = module.disk = done.rows;
  module.edited_in_memory = false;
  set_runtime(done.module, std::move(done.rows), Cause::pull);
  for (auto& [name, known] : peers) known.modules[done.module].diffs = 0;
}

}  // namespace pulse::model
