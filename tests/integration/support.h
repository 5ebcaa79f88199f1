// What the integration tests stand on: real programs on free loopback ports, started, watched and ended by pid.
//
// The server is tests/proxysql-double, or the real one that PROXYSQL_BIN names; a test that needs a fault which only
// the double can do skips on the real one. All waits are bounded by kPatience unless they say otherwise.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "tests/loopback.h"
#include "tests/temp_dir.h"

namespace pulse::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr seconds kPatience{60};

// Is the server the real one?
bool is_real();

// The major version of the server: of the real one, or of PULSE_DOUBLE_VERSION, which the double pretends to be.
int proxysql_major();

// Are proxysql-pulse and proxysql-pulsed those of the sanitized build in the folder that PULSE_SANITIZED_PROGRAMS
// names? They take more memory and time then.
bool is_sanitized();

// Polls `condition` every few milliseconds until it holds. False if it didn't within `patience`.
bool eventually(const std::function<bool()>& condition, milliseconds patience = kPatience);

// A child process, its output in files of `dir`. Killed and reaped when it goes.
class Process {
 public:
  struct Options {
    std::vector<std::string> environment = {};
    std::string name = "process";  // of the output file
    std::function<void()> in_child = {};
  };
  Process(const std::vector<std::string>& argv, const TempDir& dir, Options options);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Waits for its end; the exit code, or minus the signal that ended it; nothing if it still runs after `patience`.
  std::optional<int> wait(milliseconds patience = kPatience);
  bool running();
  std::string output() const;

 private:
  pid_t pid_ = -1;
  std::optional<int> ended_;
  std::string output_path_;
};

struct Ran {
  int exit_code = -1000;  // minus the signal if one ended it; -1000 if it had to be given up
  milliseconds took{0};
  std::string output;  // stdout and stderr
};

// A ProxySQL with its configuration file, data directory and (for the double) control socket in a directory of its own.
class Server {
 public:
  struct Options {
    std::string role = "satellite";
    int beat_interval_ms = 0;          // 0: no scheduler row
    std::string pulse = "";            // more lines of the group pulse
    std::string bootstrap = "";        // elements of proxysql_servers
    std::string admin_variables = "";  // more elements
    bool cluster_user = true;          // whether cluster_username and its password are set
    int cluster_check_ms = 200;
    std::string mysql_servers = "{ address=\"127.0.0.1\", port=3306, hostgroup=0 },";
    std::string mysql_users = "{ username=\"app\", password=\"app\", default_hostgroup=0 },";
    std::string query_rules = "";      // no elements: the file lacks the group
    std::string mysql_variables = "";  // more elements
    std::string more_groups = "";      // of ProxySQL's, whole ones
    bool start = true;
    bool idle_threads = false;                  // --idle-threads
    bool double_always = false;                 // also where PROXYSQL_BIN names a real one: a backend for it
    std::vector<std::string> arguments = {};    // more, for the double
    std::vector<std::string> environment = {};  // more, of the server and what it starts
    // Both ports' address; ports of 0 are free ones.
    std::string address = "127.0.0.1";
    uint16_t admin_port = 0;
    uint16_t mysql_port = 0;
    bool mysql = true;                 // false: --mysql-workers=false, of the double alone
    std::string more_interfaces = "";  // for clients: ";ADDRESS:PORT"
    // mysql_socket(): beside the port, or alone.
    enum class Socket { none, beside, alone } socket = Socket::none;
    std::string version = "";  // of the double; "": PULSE_DOUBLE_VERSION, or its own default
    // ProxySQL 3: elements of these groups, and what more is said in pgsql_variables.
    std::string pgsql_servers = "";
    std::string pgsql_users = "";
    std::string pgsql_variables = "";
  };
  explicit Server(Options options);
  ~Server();

  void start();
  // SIGKILL, as a crash does it.
  void kill();
  // Forgets proxysql.db: the next start() reads the file.
  void wipe();
  // Writes the file anew; a running server sees it with the next LOAD ... FROM CONFIG.
  void rewrite(const std::function<void(Options&)>& change);

  const std::string& address() const { return options_.address; }
  uint16_t admin_port() const { return admin_port_; }
  uint16_t mysql_port() const { return mysql_port_; }
  std::string mysql_socket() const { return dir_ / "mysql.sock"; }
  uint16_t pgsql_port() const { return pgsql_port_; }
  int major() const;
  const std::string& config() const { return config_path_; }
  const std::string& state() const { return state_path_; }
  const TempDir& dir() const { return dir_; }
  Process& process() { return *process_; }
  int threads() const;
  std::string log() const { return process_ ? process_->output() : ""; }

  // Runs a statement on the admin interface; fails the test if that fails.
  std::vector<std::vector<std::string>> query(const std::string& statement);
  std::string value(const std::string& statement);
  // Column 0 of the rows, as "a,b,c".
  std::string column(const std::string& statement);

  bool is_double() const { return options_.double_always || !is_real(); }

  // One line to the double's control socket, its JSON answer.
  nlohmann::json control(const std::string& command);

  // Hangs every admin statement (kind 1) until unwedge(), or for `span` on a real server.
  void wedge(seconds span);
  void unwedge();

  // proxysql-pulse with this server's file.
  std::vector<std::string> pulse(std::vector<std::string> arguments) const;
  Ran run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) const;
  Ran beat() const { return run({"beat"}); }
  nlohmann::json status() const;
  // Live processes of proxysql-pulse that run this command for this server (by its file).
  std::vector<pid_t> processes(const std::string& command) const;
  std::vector<pid_t> beats() const { return processes("beat"); }

 private:
  void write_config();

  Options options_;
  TempDir dir_;
  uint16_t admin_port_;
  uint16_t mysql_port_;
  uint16_t pgsql_port_;
  uint16_t pgsql_admin_port_;
  std::string config_path_;
  std::string state_path_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Process> wedger_;
};

// proxysql-pulsed for a server.
class Daemon {
 public:
  struct Answer {
    int status = 0;  // 0: no answer
    std::string head;
    std::string text;
    nlohmann::json body;  // the text as JSON
    double ms = 0;
  };
  // Listens where `arguments` say, by default on a free port.
  explicit Daemon(const Server& server, const std::vector<std::string>& arguments = {},
                  std::vector<std::string> environment = {});
  uint16_t port() const { return port_; }
  Process& process() { return process_; }
  struct Request {
    std::string path;
    std::string method = "GET";
    std::string headers = "";  // lines, each with its end
    std::string body = "";
    std::string address = "";  // "": 127.0.0.1, or the address of 127.0.0.0/8 that it listens on
    seconds patience{5};       // between two reads
  };
  Answer ask(const Request& request) const;
  Answer get(const std::string& path, const std::string& method = "GET") const { return ask({path, method}); }
  std::string state() const;

 private:
  Process process_;
  uint16_t port_ = 0;
  std::string address_ = "127.0.0.1";
};

// The command's run to its end.
Ran run_to_end(const std::vector<std::string>& argv, const TempDir& dir,
               const std::vector<std::string>& environment = {}, const std::function<void()>& in_child = {});

std::string binary(const std::string& name);

// One line to a double's control socket, its JSON answer; fails the test if there is none or it is an error.
nlohmann::json ask_control(const std::string& socket_path, const std::string& command);

}  // namespace pulse::test
