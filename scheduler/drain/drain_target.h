// What a drain does to its ProxySQL and with the state segment, as interfaces: the engine (drain.h) knows no more of
// them, and a test puts others in their place.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/drain/close_plan.h"
#include "scheduler/drain/drain_way.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// The least poll_timeout of a protocol that ProxySQL takes; a connection that is alone on its thread is never found
// idle otherwise.
inline constexpr int64_t kDrainPollTimeoutMs = 10;

// One protocol in one look; -1: not known, the protocol is off or this version hasn't got it.
struct ListenerSight {
  int64_t clients = -1;
  int64_t wait_timeout_ms = -1;
  int64_t poll_timeout_ms = -1;
  int64_t threads = 0;  // 0: not known
  bool paused = false;
  int64_t not_idle = -1;  // clients that aren't in idle threads

  int64_t idle() const { return not_idle < 0 || clients < not_idle ? 0 : clients - not_idle; }
  bool is_served() const { return clients >= 0 && wait_timeout_ms >= 0 && poll_timeout_ms >= 0; }
  bool is_lowered_to(int64_t wait_ms) const {
    return wait_timeout_ms == wait_ms && poll_timeout_ms == kDrainPollTimeoutMs;
  }
};

// What one look through the admin interface says; -1: not known.
struct Sighting {
  int64_t uptime_s = -1;
  int64_t clients = -1;    // of both protocols
  int64_t created = -1;    // connections of clients, ever, of both
  int64_t questions = -1;  // moves when somebody has been there between two looks
  ListenerSight mysql;
  ListenerSight pgsql;
  bool pgsql_is_pulled = false;  // other nodes would take over what is lowered here of PostgreSQL's variables

  bool is_paused() const { return mysql.paused || pgsql.paused; }  // one of them at least
  bool refuses_all() const {
    return is_paused() && (!mysql.is_served() || mysql.paused) && (!pgsql.is_served() || pgsql.paused);
  }
};

// Which of the two protocols something is about.
struct Protocols {
  bool mysql = false;
  bool pgsql = false;
  bool any() const { return mysql || pgsql; }
};

// When this ProxySQL started, on CLOCK_BOOTTIME.
inline int64_t started_boot_ns(const Sighting& seen, int64_t now_boot_ns) {
  return now_boot_ns - seen.uptime_s * 1'000'000'000;
}

// ProxySQL by its admin interface. Every call ends by its deadline. Errors are AdminClient's; after an error the
// connection is there until disconnect().
class DrainedAdmin {
 public:
  virtual ~DrainedAdmin() = default;

  virtual Result<void> connect(Deadline by) = 0;
  virtual void disconnect() = 0;
  virtual bool is_connected() const = 0;

  // These need a connection.
  virtual Result<Sighting> look(Deadline by) = 0;
  // Names of the variables of `which` that somebody has set and not loaded; "" if there are none. They are logged.
  virtual Result<std::string> unloaded_edits(Protocols which, Deadline by) = 0;
  // Whether a core has newer MySQL variables, which ProxySQL is about to pull: a load now would keep them out.
  virtual Result<bool> pull_is_due(Deadline by) = 0;
  // Sets the poll_timeout of `which` to kDrainPollTimeoutMs, and wait_timeout: ProxySQL closes clients that rest
  // longer.
  virtual Result<void> lower(Protocols which, int64_t wait_timeout_ms, Deadline by) = 0;
  // Puts back what `record` says was there before, of each protocol that was lowered.
  virtual Result<void> restore(const DrainRecord& record, Deadline by) = 0;
  // Who would take over what is lowered here.
  virtual Result<VariablesReach> variables_reach(Deadline by) = 0;
  // As resting_sessions_statement() has them.
  virtual Result<std::vector<RestingSession>> resting_sessions(milliseconds rests, Deadline by) = 0;
  // KILL CONNECTION; false: it has gone by itself.
  virtual Result<bool> close_session(uint32_t id, Deadline by) = 0;
  // From its end on new connections are refused, of both protocols. ProxySQL answers nothing else meanwhile.
  virtual Result<void> pause(Deadline by) = 0;
  virtual Result<void> shut_down(Deadline by) = 0;
};

// The same ProxySQL by its process and by the kernel's tables, which don't need its admin interface.
class DrainedServer {
 public:
  virtual ~DrainedServer() = default;

  // Looks for the process, which another container's may not be seen.
  virtual void find_process(Deadline by) = 0;
  virtual std::optional<pid_t> process() const = 0;  // nothing until it was found
  virtual bool terminate() = 0;                      // SIGTERM to the process; false if it couldn't be sent

  virtual std::optional<int64_t> count_clients(Deadline by) = 0;  // nothing: not known
  // The other hosts that are connected to the admin interface; nothing: not known.
  virtual std::optional<std::vector<std::string>> admin_hosts(Deadline by) = 0;
  virtual std::string own_host() const = 0;  // this host's name; "": not known
  virtual bool has_ended(Deadline by) = 0;
  // Waits until `by`, or until the process is seen to end; whether it was.
  virtual bool wait_for_end(Deadline by) = 0;
};

// What the segment knew before this drain.
struct DrainBefore {
  DrainRecord record{};             // of the last drain
  int64_t proxysql_started_ns = 0;  // as the last beat that saw ProxySQL has it; 0: none has
};

// The drain in the state segment. Without a usable segment nothing is written.
class DrainNotice {
 public:
  virtual ~DrainNotice() = default;

  // From here on readiness is 503, and beats stand aside.
  virtual DrainBefore announce(int64_t began_boot_ns) = 0;
  // Waits until `by` for the beat that runs to end, and keeps others from beginning. `until_boot_ns`: when this process
  // is gone at the latest.
  virtual void hold_beats(Deadline by, int64_t until_boot_ns) = 0;
  virtual void publish(const DrainRecord& record) = 0;
};

}  // namespace pulse
