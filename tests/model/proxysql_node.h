// One ProxySQL in miniature: modules with memory, runtime and disk, and the rules by which it syncs with its peers:
// versions, epochs at one-second resolution, checksums, differences that are counted before a pull, pulls that take
// time and win over a load.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace pulse::model {

using Rows = std::map<std::string, std::string>;  // by key

inline constexpr size_t kServers = 0, kUsers = 1, kMembership = 2, kModules = 3;
inline constexpr size_t kFileModulesHere = 2;  // the first two; a configuration file has rows of these
inline constexpr uint16_t kPort = 6032;
inline constexpr const char* kBootstrapName = "proxysql-core";

const char* name_of(size_t module);
std::string shown(const Rows& rows);

// As ProxySQL shows it: 0x and 16 digits, all of them 0 for a table without rows.
std::string checksum(const Rows& rows);
uint64_t hash_of(const Rows& rows);

struct ConfigFile {
  uint64_t identity = 1;
  std::array<Rows, kFileModulesHere> rows;
  bool broken = false;  // ProxySQL can't parse it
};

// Who changes what a module serves. A boot isn't judged: whatever the database holds is ProxySQL's own doing.
enum class Cause { boot, pull, agent, person };

struct ModuleState {
  int64_t version = 1;
  int64_t epoch = 0;
  Rows memory, runtime, disk;
  std::string checksum;           // of runtime
  int64_t agent_loaded_s = 0;     // the second, by this node's clock, of the agent's last load in this boot
  Rows agent_loaded;              // what it loaded then
  Cause loaded_by = Cause::boot;  // who set what is at runtime
  bool edited_in_memory = false;  // by a person who hasn't loaded it yet
  int64_t loaded_ms = 0;          // when somebody loaded what is at runtime, here or where it was pulled from
};

// What a node knows of one row of its runtime_proxysql_servers.
struct KnownPeer {
  struct Module {
    int64_t version = 0, epoch = 0;
    std::string checksum;
    int diffs = 0;
  };
  int64_t updated_at = 0;  // by this node's clock
  int64_t checked_ms = 0;  // the same, by the time that never steps
  std::array<Module, kModules> modules;
};

struct Pull {  // under way: content as it was when the pull began
  int64_t ends_ms;
  int64_t epoch;
  size_t module;
  Rows rows;
  int64_t loaded_ms;
};

class ProxysqlNode {
 public:
  std::string address;
  bool up = false;
  bool has_database = false;
  int64_t started_ms = 0;
  std::array<ModuleState, kModules> modules;
  std::map<std::string, KnownPeer> peers;  // by host name
  std::optional<Pull> pull;

  // Called after each change of what a module serves.
  std::function<void(const ProxysqlNode&, size_t module, const Rows& before, Cause)> changed;

  // From the database, or where there is none from the file, whose rows make the database then.
  void boot(const ConfigFile& file, int64_t now_ms, int64_t now_s);
  void stop();

  // Runs a statement of a plan, or of a person. False if it is refused; unknown() says what the model doesn't know.
  bool run(const std::string& statement, const ConfigFile& file, int64_t now_ms, int64_t now_s, Cause cause);
  const std::string& unknown() const { return unknown_; }

  // What was read from a peer; false if a pull is wanted from it.
  void check(const std::string& name, const ProxysqlNode& peer, int64_t now_ms, int64_t now_s);
  void forget_unlisted_peers();
  // The peer that the module is to be pulled from; null if none. `diffs`: so often the difference was seen.
  const std::string* source_of(size_t module, int diffs) const;
  void begin_pull(size_t module, const std::string& name, const ProxysqlNode& peer, int64_t ends_ms);
  void finish_pull();

 private:
  void set_runtime(size_t module, Rows rows, Cause cause);
  bool run_of_module(size_t module, const std::string& statement, const ConfigFile& file, Cause cause);
  bool run_of_membership(const std::string& statement, Cause cause);
  void load(size_t module, Cause cause);

  int64_t now_ms_ = 0, now_s_ = 0;  // of the statement that is run
  std::string unknown_;
};

}  // namespace pulse::model
