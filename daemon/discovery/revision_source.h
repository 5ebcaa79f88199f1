// Reads the revisions of the cores' workload from the Kubernetes API, in a thread of its own.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "daemon/discovery/revisions.h"
#include "daemon/worker/call_watch.h"
#include "daemon/worker/wakeup.h"
#include "src/config/settings.h"

namespace pulse {

// One request for each object that the cores name: when told of a change of the list, and every half minute. Requests
// that fail are made again, ever more rarely. The publisher of discovery calls it; no caller waits.
class RevisionSource {
 public:
  // `news` is woken when something was read.
  RevisionSource(std::shared_ptr<const Config> config, std::shared_ptr<Wakeup> news);
  ~RevisionSource();  // stop(0)
  RevisionSource(const RevisionSource&) = delete;
  RevisionSource& operator=(const RevisionSource&) = delete;

  // These are the members now: their objects are asked again, `at_once` or within a second or so. What is known of
  // objects that no core names any more is forgotten.
  void ask(const std::vector<Found>& members, bool at_once);
  // Whether all requests that the last ask() wanted have been answered, or have failed.
  bool answered() const;
  // Grows with each thing that was read.
  uint64_t changes() const;
  // Gives each core its revision; see set_revisions().
  std::string apply(std::vector<Found>& members) const;
  // Cuts a request that is overdue. To be called twice a second or so.
  void watch(int64_t now_ns);

  // Ends the thread. Waits until `deadline` at most; false if it is still there: a resolver holds it up, and it owns
  // all that it touches.
  bool stop(Deadline deadline);

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace pulse
