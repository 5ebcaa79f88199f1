// What the daemon knows of its node: the state segment, the ports for clients, and what all together mean.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "daemon/health/client_ports.h"
#include "shm/segment/segment.h"
#include "shm/status/health.h"
#include "shm/status/snapshot.h"
#include "shm/status/status_json.h"
#include "src/config/settings.h"
#include "src/linux/client_count.h"
#include "src/linux/listen_look.h"

namespace pulse {

class NodeState {
 public:
  // `host_name` decides this host's part of the liveness stagger. install_bus_guard() must have been called.
  NodeState(const Config& config, const std::string& host_name);

  // Looks at the ports for clients and at the segment's file; logs what has changed. To be called by one thread, see
  // LookPace; may take as long as one active look of each port, a second. Whether all is well, and nothing is under
  // way.
  bool tick();

  // Opens the segment again if its file is another one than before: it has just appeared, maybe. Any thread.
  void look_for_the_segment();

  // All that is known at one instant, of which the verdict was made.
  struct Snapshot {
    StateView view;
    PortView port;   // MySQL's
    PortView pgsql;  // not known where nobody looks at it
    Verdict verdict;
    int64_t clients = -1;        // of both protocols; -1: not known
    int64_t pgsql_clients = -1;  // of those
    int64_t clients_at_ns = 0;   // when they were counted
    int64_t now_ns = 0;

    // For the texts of status_json.h. Refers to the snapshot and to `config`.
    StatusInput input(const Config& config) const {
      return {view, verdict, port, config, clients, now_ns, clients_at_ns, &pgsql, pgsql_clients};
    }
  };
  // From memory, without a system call that could wait. Any thread.
  Snapshot look();
  // Another number whenever look() would see something else, but for what time alone makes of it. To be asked before
  // the look. Any thread.
  uint64_t mark();
  // Reads into `snapshot` what it leaves out, for probes have no use for it: the members, the jobs, the hostgroups. Any
  // thread.
  void read_lists(Snapshot& snapshot);

  // A drain that this daemon starts counts from here on, also before its process has told the segment, and where there
  // is none. drain_ended(): the process has ended; `stopped` if ProxySQL has, too.
  void announce_drain();
  void drain_ended(bool stopped);

  // Whether the segment tells of a drain that runs and hasn't run out of time.
  bool drain_runs();

  // Runs `access` on the segment's layout; false if there is none, or it was cut short.
  template <class Access>
  bool with_layout(Access&& access) {
    const std::shared_ptr<Segment> current = segment();
    return current && guarded([&] { access(current->layout()); });
  }

  // The segment as it is open at the moment; null if none is. Any thread.
  std::shared_ptr<Segment> segment();

 private:
  void open_segment();
  void tell_lock_problem();
  void look_for_a_start();
  void count_clients(bool is_stale);

  const Config config_;
  const Policy policy_;
  const uint64_t boot_id_;
  const int64_t running_since_ns_;
  ClientPorts mysql_look_;
  ClientPorts pgsql_look_;
  // tick()'s:
  const MysqlInterface admin_interface_;
  ListenLook admin_look_{admin_interface_};
  ClientCount mysql_count_;
  ClientCount pgsql_count_;
  bool watches_pgsql_;  // its port: the file speaks of it, or ProxySQL has had backends there
  Served served_;       // as of the last tick

  std::mutex mutex_;  // of what follows; held for copies, never over a wait
  std::shared_ptr<Segment> segment_;
  std::string segment_problem_;
  std::string segment_absent_;
  std::string lock_problem_;
  Memory memory_;
  ProxysqlStart start_{};         // the present one of ProxySQL
  int64_t announced_ns_ = 0;      // of a drain that this daemon has started
  DrainRecord own_drain_{};       // what is known of it without the segment
  int64_t counted_clients_ = -1;  // by the socket table, while the beats' count is stale
  int64_t counted_pgsql_ = -1;    // of those
  int64_t counted_ns_ = 0;
  uint64_t changes_ = 0;  // of all of these, and of what tick() sees

  State logged_state_ = State::starting;  // tick()'s
  std::string logged_problem_;
};

}  // namespace pulse
