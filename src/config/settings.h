// The settings, by subject: each option's default and its meaning at its field. How a file names them: keys.h.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/config/words.h"

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

// One of ProxySQL's interfaces for clients.
struct MysqlInterface {
  std::string host;  // an address, or the path of a unix socket
  int64_t port = 0;  // 0: it is a socket

  bool is_socket() const { return port == 0; }
  bool operator==(const MysqlInterface&) const = default;
};

struct BeatSettings {
  std::chrono::milliseconds interval{5000};  // between two beats; that of ProxySQL's scheduler row, if not set
  std::chrono::milliseconds timeout{0};      // of one beat, from first instruction to exit; if not set, 4/5 interval
  std::chrono::milliseconds backoff_max{30000};  // the longest pause after beats that timed out
};

// ProxySQL's admin interface. What isn't set is taken from admin_variables.
struct AdminSettings {
  std::string host = "127.0.0.1";  // a name, an address, or the path of a unix socket
  int64_t port = 6032;
  std::string user = "admin";
  std::string password = "admin";
  std::string password_file;  // its first line is the password; "": `password` counts
  bool tls = false;
};

struct SatelliteSettings {
  // A core that ProxySQL hasn't reached for longer is dead. If not set: five of ProxySQL's checks of the cluster.
  std::chrono::milliseconds peer_timeout{0};
  // On cores. "reload" takes away what somebody has loaded on the satellite alone.
  MendMode mend = MendMode::report;
};

struct KubernetesSettings {
  std::string api;  // https://HOST:PORT; "": from the environment
  std::string service_account = "/var/run/secrets/kubernetes.io/serviceaccount";  // has ca.crt, token and namespace
  std::string name_space;                                                         // "": the service account's
  std::string core_selector = "app=proxysql,component=core";                      // of labels
  std::string satellite_selector = "app=proxysql,component=satellite";
};

struct DiscoverySettings {
  Source source = Source::none;      // if not set: static with members, dns with names
  std::vector<std::string> names;    // dns: host names; if not set, those of the bootstrap entries
  std::vector<std::string> members;  // static: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; if not set, a core's bootstrap
                                     // entries, where none is a host name
  int64_t port = 6032;  // the members' admin interface, where nothing else says so; if not set, the bootstrap entry's
  std::chrono::milliseconds interval{2000};  // dns: between two lookups
  std::chrono::milliseconds max_age{60000};  // beats act on no list that is older
  std::chrono::milliseconds watch{120000};   // kubernetes: the longest life of one watch
  KubernetesSettings kubernetes;

  // Not a key of its own: `members` are the bootstrap entries.
  bool members_of_file = false;
};

struct CoreSettings {
  Authority authority = Authority::never;  // if not set: revision with kubernetes
  Apply apply = Apply::on_change;
  // Of these, those that the file contains.
  std::vector<std::string> modules = {"mysql_servers", "mysql_users", "mysql_query_rules", "mysql_variables",
                                      "pgsql_servers", "pgsql_users", "pgsql_query_rules", "pgsql_variables"};
};

struct DrainSettings {
  std::chrono::milliseconds timeout{25000};  // of a whole drain, ProxySQL's end included
  std::chrono::milliseconds settle{5000};    // endpoints get as long to take this pod out
  // "WAIT_TIMEOUT_MS:SPAN_MS", ..., "WAIT_TIMEOUT_MS"; see parse_drain_steps().
  std::vector<std::string> steps = {"2000:4000", "1000:3000", "500:3000", "200:3000", "50:2000", "0"};
  bool on_sigterm = false;             // the daemon drains when it is told to end
  std::chrono::milliseconds grace{0};  // what the pod has, to be checked against; 0: not said
};

struct DaemonSettings {
  BeatsMode beats = BeatsMode::never;  // which the daemon starts
  std::string program;                 // proxysql-pulse; "": beside proxysql-pulsed
  std::string token_file;              // its first line allows control calls from elsewhere than loopback
  std::string listen_address;          // "": all
  int64_t port = 8080;                 // 0: any free one, which is logged
  // ProxySQL's port for clients; if neither is set, the interfaces of mysql_variables.
  std::string mysql_host = "127.0.0.1";  // an address
  int64_t mysql_port = 6033;
  // All of them, the one above first. Not a key of its own.
  std::vector<MysqlInterface> mysql_interfaces = {{mysql_host, mysql_port}};
  // ProxySQL's port for PostgreSQL clients; if neither is set, the interfaces of pgsql_variables, 6133 where the file
  // has another of PostgreSQL's groups, else none.
  std::string pgsql_host = "127.0.0.1";  // an address
  int64_t pgsql_port = 0;                // 0: none
  // As those of MySQL, but empty where the file says nothing of PostgreSQL. Not a key of its own.
  std::vector<MysqlInterface> pgsql_interfaces;
  // Whether a key of these has been set. Not keys of their own.
  bool mysql_port_set = false;
  bool pgsql_port_set = false;
  PortLook mysql_look = PortLook::passive;            // of both protocols
  std::chrono::milliseconds mysql_dead_after{10000};  // without an answer, the data plane is dead; of both protocols
  // The liveness probe fails when the admin interface has been unresponsive for that long; 0: never. A part of the
  // stagger, by the host's name, comes on top, so that not all nodes restart at once.
  std::chrono::milliseconds live_after{600000};
  // The same for a ProxySQL that was never ready since its start and has no clients, without a stagger.
  std::chrono::milliseconds live_unready_after{60000};
  std::chrono::milliseconds live_stagger{300000};
};

struct LeaderSettings {
  LeaderMode mode = LeaderMode::none;
  std::string identity;                       // "": this host's name, which is the pod's
  std::string lease_name;                     // if not set: proxysql-pulse-ROLE
  std::chrono::milliseconds duration{15000};  // others wait for that long after they last saw it renewed
  std::chrono::milliseconds renew{10000};     // the leader stops being it after that long without a renewal
  std::chrono::milliseconds retry{2000};      // between two tries
};

// Where sync-users reads the accounts of one protocol, and which it takes.
struct SyncSource {
  int64_t hostgroup = -1;        // whose writer is asked; -1: `server` is
  std::string server;            // HOST or HOST:PORT; "" and no hostgroup: nothing of this protocol is synced
  std::string credentials_file;  // its first line is the user, its second the password
  BackendTls tls = BackendTls::verified;
  std::string ca_file;               // of certificates that may sign the server's; "": the system's
  std::vector<std::string> include;  // patterns of names; without any, all
  std::vector<std::string> exclude;
  std::vector<std::string> hostgroups;  // "PATTERN=HOSTGROUP", the first that fits counts; without any, 0
  std::string database = "postgres";    // PostgreSQL's alone, as the next one
  std::string accounts = "proxysql_pulse.accounts()";  // the view or function that gives the roles

  bool is_set() const { return hostgroup >= 0 || !server.empty(); }
};

struct SyncUsersSettings {
  std::chrono::milliseconds deadline{20000};  // of a whole run
  int64_t most_removals_percent = 20;         // of its own users at once, without --force
  std::string mark = "proxysql-pulse";        // begins the comment of each row that it has made
  SyncSource mysql;
  SyncSource pgsql;
};

struct Config {
  std::optional<Role> role;  // always there in what load_config() returns
  std::string state = kDefaultStatePath;
  std::string group_name;  // who may use the segment besides its owner; see `group`
  std::string address;     // this node's own among the members; "": found out, see find_self() in daemon/
  BeatSettings beat;
  AdminSettings admin;
  SatelliteSettings satellite;
  DiscoverySettings discovery;
  CoreSettings core;
  DrainSettings drain;
  DaemonSettings daemon;
  LeaderSettings leader;
  SyncUsersSettings sync_users;

  // Not keys of their own:
  std::string file;                      // that was read
  uint64_t file_identity = 0;            // of it and of all that it includes, as they were then; see identity.h
  std::optional<gid_t> group;            // group_name's number
  std::vector<ServerEntry> bootstrap;    // of proxysql_servers
  std::vector<std::string> file_groups;  // the groups with rows that the file contains: "mysql_servers", ...

  bool is_core() const { return role == Role::core; }
  bool is_satellite() const { return role == Role::satellite; }
  const char* role_name() const { return role ? name(*role) : "role unknown"; }
};

}  // namespace pulse
