// What the probes say. Pure: state, port and policy in, answers out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shm/status/snapshot.h"
#include "src/config/settings.h"

namespace pulse {

enum class State { starting, beating, failing, admin_unresponsive, scheduler_silent, draining, maintenance };
const char* name(State state);

// The port of a protocol, all its interfaces together, as last looked at.
struct PortView {
  bool known = false;  // looked at, at least once
  bool answers = false;
  bool ever_answered = false;
  int64_t since_ns = 0;  // of the present answer
  int64_t looked_at_ns = 0;
  std::string how;       // "socket table" or "connection"
  std::string reason;    // why it doesn't answer
  int64_t clients = -1;  // on the port, just now; -1: not known. MySQL's: on all ports, of both protocols
};

// Protocols that a node serves.
struct Served {
  bool mysql = true;
  bool pgsql = false;
};

// What the file says of protocols: see protocols_of().
struct FileProtocols {
  bool mysql = true;
  bool pgsql_port = false;  // where PostgreSQL's port is
  bool pgsql_rows = false;  // and that it is used: it has servers or users for it, or the port is set for Pulse
};

struct Policy {
  bool is_core = false;
  bool is_standalone = false;
  FileProtocols file;
  int64_t interval_ns = 5'000'000'000;
  int64_t backoff_max_ns = 30'000'000'000;
  int64_t mysql_dead_after_ns = 10'000'000'000;
  int64_t live_unready_after_ns = 0;                // the same for one that was never ready; 0: never
  int64_t live_after_ns = 0;                        // 0: an unresponsive admin interface never fails liveness
  int64_t live_stagger_ns = 0;                      // this host's own part of the stagger, added to live_after
  std::chrono::milliseconds drain_timeout{25'000};  // of one without a record of its own
  BackoffPolicy backoff() const { return {interval_ns, backoff_max_ns}; }
};

// The policy of a configuration on the host of this name: the stagger is the same at each start and differs from
// host to host, so that pods whose admin interfaces are all unresponsive don't restart at once.
Policy make_policy(const Config& config, const std::string& host_name);

struct Probe {
  bool passes = false;
  std::string message;
};

struct Verdict {
  State state = State::starting;
  std::string message;  // one line for a person: what it is, and since when
  Served served;        // whose ports must answer
  Probe started;
  Probe ready;
  Probe live;
};

// What outlives a segment that is lost or made anew; kept by the daemon, so that such a loss never takes a working
// data plane out of service.
struct Memory {
  // Of the present start of ProxySQL, which is the one of this ProxysqlStart::since_ns:
  int64_t start_ns = 0;
  bool started = false;
  bool configured = false;
  bool served = false;  // was started and ready at one time
  // Of this daemon and this boot of the machine:
  bool ever_started = false;  // a beat has gone through, maybe to an earlier ProxySQL
  bool loaded = false;        // a core: what its configuration file's authority asks for
};

// The rules, in words: docs/proxysql-pulsed.md, "Health". Updates `memory`. `running_since_ns` is when the caller
// began to look, which bounds how long "starting" may last. `pgsql` isn't known where nobody looks at PostgreSQL's
// port.
Verdict decide(const StateView& view, const PortView& mysql, const Policy& policy, Memory& memory,
               int64_t running_since_ns, int64_t now_ns, const PortView& pgsql = {});

}  // namespace pulse
