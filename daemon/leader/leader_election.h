// Who leads the nodes of this role: takes part in the election, or reads it off the list of members, and publishes it
// to the state segment.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "daemon/kubernetes/api_client.h"
#include "daemon/leader/lease.h"
#include "daemon/worker/call_watch.h"
#include "shm/segment/segment.h"
#include "src/config/settings.h"

namespace pulse {

// Has a thread of its own for leader.mode = "lease", which no caller waits for.
class LeaderKeeper {
 public:
  // The segment that the daemon has open at the moment; null if none. Any thread.
  using SegmentSource = std::function<std::shared_ptr<Segment>()>;

  // `host_name` is the identity where none is configured. install_bus_guard() must have been called, and signals that
  // others are to take be blocked.
  LeaderKeeper(const Config& config, const std::string& host_name, SegmentSource segment);
  ~LeaderKeeper();  // stop()
  LeaderKeeper(const LeaderKeeper&) = delete;
  LeaderKeeper& operator=(const LeaderKeeper&) = delete;

  // Publishes how things are, and ends requests that are overdue. To be called about twice a second by one thread.
  void tick();

  // Gives up leadership: says so in the segment, waits a moment for this node's jobs of the leader to end, and gives
  // the Lease back once they have. Takes 5 s at most, and none where there is nothing to give back. False if the thread
  // still waits for a resolver or a server: as with Discoverer::stop(), the process has to _exit() then.
  bool stop();

 private:
  struct Target {  // where the Lease is
    std::string name_space;
    std::string leases;  // paths
    std::string lease;
    std::string shown;
  };
  void elect();
  Result<Target> target();
  ApiAnswer send(const Target& target, LeaseRequest request, const LeaseRecord& record, std::string& received);
  LeaseStep request(const LeaseStep& step);
  void release();
  bool is_fit() const;
  bool leader_jobs_run() const;
  void judge_by_list();
  void note(const std::string& error);  // "": all is well
  bool is_noted(const std::string& error);
  void publish();
  void tell();

  const Config config_;
  const std::string identity_;
  const SegmentSource segment_source_;
  const uint64_t boot_id_;
  const LeaderMode mode_;
  const std::shared_ptr<CallWatch> calls_;

  // The thread's:
  std::unique_ptr<ApiClient> client_;
  LeaseCandidate candidate_;
  std::mt19937_64 random_;
  bool may_release_ = false;  // nothing is done here any more that only the leader may do; set before it is to end

  std::mutex mutex_;  // of what follows; held for copies and stores, never over a wait
  bool resigned_ = false;
  LeaderState state_{};

  // tick()'s:
  LeaderState told_{};
  bool told_self_ = false;
  uint64_t told_failures_ = 0;  // how many in a row were logged about, and since which count
  uint64_t failures_before_ = 0;

  std::thread thread_;
  bool all_ended_ = true;
};

}  // namespace pulse
