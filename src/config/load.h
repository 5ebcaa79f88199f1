// The configuration: the group `pulse` of proxysql.cnf, with what it takes over from ProxySQL's own groups.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/base/result.h"
#include "src/config/jobs.h"

namespace pulse {

inline constexpr const char* kDefaultConfigPath = "/etc/proxysql.cnf";
inline constexpr const char* kDefaultStatePath = "/dev/shm/proxysql-pulse";

// A row of proxysql_servers as the file's group of that name gives it: the bootstrap entries.
struct ServerEntry {
  std::string hostname;
  uint16_t port = 6032;
  int64_t weight = 0;
  std::string comment;
};

struct Config {
  std::string role;  // "core" or "satellite"
  std::string state;
  std::string group_name;
  std::chrono::milliseconds interval{5000};
  std::chrono::milliseconds timeout{0};  // of one beat, from its first instruction to its exit
  std::chrono::milliseconds backoff_max{30000};

  std::string admin_host;  // a name, an address, or the path of a unix socket
  int64_t admin_port = 6032;
  std::string admin_user;
  std::string admin_password;
  std::string admin_password_file;
  bool admin_tls = false;

  std::chrono::milliseconds peer_timeout{0};  // a core that ProxySQL hasn't reached for longer is dead

  std::string address;           // this node's own among the members; "": found out, see find_self() in daemon/
  std::string discovery_source;  // "none", "kubernetes", "dns" or "static"
  std::vector<std::string> discovery_names;            // dns: host names
  std::vector<std::string> discovery_members;          // static: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT
  int64_t discovery_port = 6032;                       // the members' admin interface, where nothing else says so
  std::chrono::milliseconds discovery_interval{2000};  // dns: between two looks
  std::chrono::milliseconds discovery_max_age{60000};  // beats act on no list that is older
  std::chrono::milliseconds discovery_watch{120000};   // kubernetes: the longest life of one watch
  std::string kubernetes_api;                          // https://HOST:PORT; "": from the environment
  std::string kubernetes_account;                      // the directory with ca.crt, token and namespace
  std::string kubernetes_namespace;                    // "": the service account's
  std::string kubernetes_core_selector;
  std::string kubernetes_satellite_selector;

  std::string core_authority;             // "newest", "always" or "never"
  std::vector<std::string> core_modules;  // of these, those that the file contains

  std::chrono::milliseconds drain_timeout{25000};  // of a whole drain, ProxySQL's end included
  std::chrono::milliseconds drain_settle{5000};    // endpoints get as long to take this pod out
  std::vector<std::string> drain_steps;            // "WAIT_TIMEOUT_MS:SPAN_MS", ..., "WAIT_TIMEOUT_MS"
  bool drain_on_sigterm = false;                   // of the daemon
  std::chrono::milliseconds drain_grace{0};        // what the pod has, to be checked against; 0: not said

  std::string beats;            // which the daemon starts: "never", "when_silent" or "always"
  std::string pulse_program;    // proxysql-pulse; "": beside proxysql-pulsed
  std::string token_file;       // its first line allows control calls from elsewhere than loopback
  std::string leader_mode;      // "none", "lease" or "lowest"
  std::string leader_identity;  // "": this host's name, which is the pod's
  std::string leader_lease_name;
  std::chrono::milliseconds leader_duration{15000};  // others wait for that long after they last saw it renewed
  std::chrono::milliseconds leader_renew{10000};     // the leader stops being it after that long without a renewal
  std::chrono::milliseconds leader_retry{2000};      // between two tries

  std::string listen_address;
  int64_t listen_port = 8080;  // 0: any free one, which is logged
  std::string mysql_host;
  int64_t mysql_port = 6033;
  std::string mysql_look;  // "passive" or "active"
  std::chrono::milliseconds mysql_dead_after{10000};
  std::chrono::milliseconds live_after{600000};  // 0: a wedged admin interface never fails the liveness probe
  std::chrono::milliseconds live_stagger{300000};

  // Not keys of their own:
  std::string file;
  std::optional<gid_t> group;
  std::vector<ServerEntry> bootstrap;
  std::vector<std::string> file_groups;  // the groups with rows that the file contains: "mysql_servers", ...

  bool is_core() const { return role == "core"; }
};

// Where a value comes from.
struct Origin {
  int line = 0;      // of the file; 0: not from there
  std::string text;  // another origin: a variable, a flag, another file; "": the default
};

// One effective value, for check-config. Secrets come redacted.
struct Setting {
  std::string key;  // "pulse.admin.port"
  std::string value;
  std::string source;  // "default", "/etc/proxysql.cnf:12", "PULSE_ADMIN_PORT", "--timeout-ms", ...
};

struct LoadedConfig {
  Config config;
  std::vector<Origin> origins;  // of the keys, for list_settings()
  std::vector<std::string> warnings;
  // An error here is one of the jobs' alone: beats and probes don't depend on it.
  Result<std::vector<Job>> jobs = std::vector<Job>{};
  uint64_t identity = 0;  // of the file read, see config_identity()
};

// Values that come before the file's, by key without the leading "pulse." ("admin.port"); `second` is where each
// comes from, as errors and check-config name it.
struct Override {
  std::string key;
  std::string value;
  std::string source;
};

// The overrides that an environment holds: PULSE_ADMIN_PORT is admin.port. Names that are no key are left alone, for
// Kubernetes puts variables for its services there. `environment` as in environ(7), may be null.
std::vector<Override> overrides_from_environment(const char* const* environment);

// How much of ProxySQL's own tables is read: nothing here depends on more than whether they have a row, and which rows
// `scheduler` and `proxysql_servers` have. `first` spares a beat the time for the others, and doesn't see a mistake in
// them.
enum class Rows { all, first };

// Reads `path`, lays the overrides over it in order, and checks everything. error().text names file, line, key and
// what is allowed; nothing is written anywhere.
Result<LoadedConfig> load_config(const std::string& path, const std::vector<Override>& overrides,
                                 Rows rows = Rows::all);

// The same from a text, for tests; `path` stands in the messages.
Result<LoadedConfig> parse_config(const std::string& text, const std::string& path,
                                  const std::vector<Override>& overrides, Rows rows = Rows::all);

// All keys with their values, for people: a beat never asks.
std::vector<Setting> list_settings(const LoadedConfig& loaded);

// A number for the file as it is now (device, inode, size, times, path), never 0; 0 if there is no such file. A beat
// that finds the segment at the default path made under the same number needn't read the file to know its path.
uint64_t config_identity(const std::string& path);

// A number for the file's name alone, never 0.
uint64_t config_path_hash(const std::string& path);

// The first TCP address of ProxySQL's "a:1;b:2;/path" lists, as host and port, wildcards turned into loopback;
// the path of a unix socket with port 0 if there is no other.
std::optional<std::pair<std::string, int64_t>> first_interface(const std::string& interfaces);

// "10.0.0.1", "10.0.0.1:6032", "fd00::1" or "[fd00::1]:6032" as address and port.
std::optional<std::pair<std::string, uint16_t>> parse_member(const std::string& text, int64_t default_port);

// A group's name or number. Names are looked up in /etc/group by hand: a static program can't use NSS.
std::optional<gid_t> find_group(const std::string& name);

}  // namespace pulse
