// A ProxySQL for the benchmark: the double, or the real one that PROXYSQL_BIN names. And the probe daemon beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "tests/bench/process.h"

namespace pulse::bench {

// What every part of the benchmark needs to know.
struct Programs {
  std::string pulse;       // proxysql-pulse
  std::string pulsed;      // proxysql-pulsed
  std::string server;      // ProxySQL or its double
  std::string kubernetes;  // the double of the Kubernetes API
  bool real = false;       // is it ProxySQL?
  std::string raw_beat;    // of this benchmark
  std::string library_beat;
  std::string noop;        // of this benchmark
  std::string floor;       // probe-floor, of this benchmark
  std::string statement;   // what a beat asks
  std::string everything;  // what it asks now and then
  std::string state_dir;   // for state segments: in memory, where they are by default
};

// The daemon looks more often for a while after it was asked (daemon/health/look_pace.h).
inline constexpr std::chrono::seconds kUntilUnasked{91};

inline constexpr const char* kUser = "radmin";
inline constexpr const char* kPassword = "radmin";

// Polls until `condition` holds; false if it doesn't within `patience`.
template <class Condition>
bool eventually(Condition condition, milliseconds patience) {
  const Deadline deadline = Deadline::after(patience);
  while (!condition()) {
    if (deadline.passed()) return false;
    const timespec pause{0, 5'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

struct ServerOptions {
  std::string name;                   // its files in `dir`
  std::string role = "core";          // of the group pulse
  std::string scheduler = "";         // elements of the scheduler's list
  std::vector<uint16_t> cores = {};   // admin ports for proxysql_servers
  bool own_entry = false;             // itself in proxysql_servers, as a core has it
  int timeout_ms = 0;                 // of a beat; 0: what follows from the interval
  std::string address = "127.0.0.1";  // of both ports
  uint16_t admin_port = 0;            // 0: a free one
  std::string entries = "";           // more elements of proxysql_servers
  int backends = 1;                   // rows of mysql_servers
  std::string pulse = "";             // more lines of the group pulse
  int interval_ms = 500;              // of the group pulse
  std::string daemon = "";            // more lines of its group daemon
  uint16_t backend_port = 0;          // the only backend of hostgroup 0, the others are in hostgroup 1; 0: none
  std::string mysql_variables = "";   // more of them
  std::string query_rules = "";       // elements of mysql_query_rules
  Argv environment = {};              // NAME=VALUE, added to this program's
};

// One line to a double's control socket and its answer; "" if there is none.
std::string ask_control(const std::string& path, const std::string& line);

// One server on ports of its own. Its files are DIR/NAME.cnf, .log and, for the double, .control.
class Server {
 public:
  Server(const Programs& programs, const std::string& dir, const ServerOptions& options);

  // Waits until both ports answer.
  Result<void> wait_until_up();

  uint16_t admin_port() const { return admin_port_; }
  uint16_t mysql_port() const { return mysql_port_; }
  std::string config() const { return base_ + ".cnf"; }
  const std::string& state() const { return state_; }
  std::string log() const { return base_ + ".log"; }
  pid_t pid() const { return process_.pid(); }

  Argv beat() const { return {programs_.pulse, "beat", "--config=" + config(), "--state=" + state()}; }
  Argv raw_beat() const { return bare_beat({programs_.raw_beat}); }
  Argv library_beat() const { return bare_beat({programs_.library_beat, "beat"}); }
  // One call of the mysql command line client.
  Argv mysql(const std::string& statement, const std::vector<std::string>& options = {}) const;

  // Hangs every admin statement for `span`; returns once they do.
  Result<void> wedge(std::chrono::seconds span);
  // The double lets go at once; a real one keeps its time.
  void unwedge();

  // One line to the double's control socket and its answer.
  std::string control(const std::string& line) const;

 private:
  Argv bare_beat(Argv program) const {
    program.insert(program.end(), {std::to_string(admin_port_), kUser, kPassword, programs_.statement});
    return program;
  }
  const Programs& programs_;
  std::string base_;
  std::string state_;
  std::string address_;
  uint16_t admin_port_;
  uint16_t mysql_port_;
  Child process_;
  Child wedger_;
};

// proxysql-pulsed for a server. Ended when it goes, with the beats that it has started.
class Daemon {
 public:
  Daemon(const Programs& programs, const Server& server, const std::string& log);
  // Waits until /healthz/ready is 200 and the state is "beating".
  Result<void> wait_until_ready();
  // The state that it reports now; "" without an answer.
  std::string state() const;
  // How many members it reports.
  int members() const;
  uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }

 private:
  uint16_t port_;
  Child process_;
};

}  // namespace pulse::bench
