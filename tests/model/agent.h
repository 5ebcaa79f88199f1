// Pulse on one modelled node: its segment, what its daemon tells its beats, and the beat itself, around the real plans.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/cluster/core_plan.h"
#include "scheduler/cluster/satellite_plan.h"
#include "tests/model/proxysql_node.h"

namespace pulse::model {

// What the state segment keeps. On a disk it outlives the machine's boot.
struct StateSegment {
  CoreRecord record{};
  Applied applied{};
  Observation last{};
  MendRecord mends{};
};

// What the daemon publishes, all of one boot of the machine.
struct Daemon {
  std::vector<Core> list;
  int64_t ok_ns = 0;  // when the list was last known to be right; 0: never
  int64_t changed_ns = 0;
  Reports reports;
  Applied reported{};
  // A round of questions that is under way: about this list.
  bool asking = false;
  int64_t asked_list_ns = 0;
  std::vector<std::string> asked;
  SatelliteReports satellites{};  // of the core that asks them
};

// A machine or pod with its ProxySQL and its Pulse.
struct Host {
  ProxysqlNode proxysql;
  bool is_core = false;
  int64_t revision = 0;
  int64_t created_at = 0;
  ConfigFile file;
  Config config;
  StateSegment segment;
  Daemon daemon;

  bool machine_up = true;
  bool in_beat = false;        // never two at once: the lock
  bool in_file_load = false;   // of these, one that is loading a module from the file
  int life = 0;                // another one after each start of ProxySQL or the machine
  int64_t machine_ms = 0;      // when the machine booted
  int64_t clock_offset_s = 0;  // of its wall clock
  int64_t boots_ms = 0;        // where ProxySQL is down
  int64_t next_check_ms = 0, next_beat_ms = 0, next_list_ms = 0, next_round_ms = 0;

  // Faults.
  bool reports_blocked = false;  // its 8080 isn't reached, nor does it reach others'
  bool reports_late = false;
  bool older_pulse = false;  // its /status says nothing of what was applied
  bool list_fails = false;
  std::optional<std::set<std::string>> own_list;  // static: the cores that it is told of

  // What the model knows better than the plans.
  std::array<Rows, kFileModulesHere> disk_before;                 // an older state of its database
  std::array<std::optional<Rows>, kFileModulesHere> served;       // when a beat last saw it above version 1
  std::array<std::optional<Rows>, kFileModulesHere> loading;      // from the file, and not certain yet
  std::array<std::optional<Rows>, kFileModulesHere> last_loaded;  // of the file, by this segment
  std::array<int64_t, kFileModulesHere> knows_since_ms{};
  std::array<bool, kFileModulesHere> knows{};                  // its segment knows of an earlier load
  std::array<int64_t, kModules> planned_versions{};            // of ProxySQL's modules, when the present plan was made
  std::array<std::optional<Rows>, kFileModulesHere> own_rows;  // of a satellite: loaded there by a person
  int64_t newest_known = 0;                                    // the greatest revision that a plan was made with
  int64_t newest_planned = 0;                                  // the same, with the present plan's list
  bool counted = false;  // a table's rows right before it is loaded: there were some
  bool noted = false;    // what the last beat has loaded: it has come to its end
  int writes = 0;

  const std::string& address() const { return proxysql.address; }
  int64_t now_ns(int64_t now_ms) const { return (now_ms - machine_ms) * 1'000'000; }
};

// What happens around a beat.
class BeatWorld {
 public:
  virtual ~BeatWorld() = default;
  virtual int64_t now_ms() const = 0;
  virtual int64_t now_s(const Host& host) const = 0;
  // Between any two statements: time passes, pulls land, somebody works. False if the beat is over.
  virtual bool between(Host& host) = 0;
  virtual bool refuses(Host& host, const std::string& statement) = 0;
  virtual void about_to_run(Host& host, const Step& step) = 0;
  virtual void note(const std::string& what) = 0;
  virtual void broken(const std::string& what) = 0;
};

Content content_of(const Rows& rows);

// One beat, from the look to the publishing. False if it was ended on the way.
bool run_beat(Host& host, BeatWorld& world);

}  // namespace pulse::model
