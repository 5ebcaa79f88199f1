// Leader election over one Lease of coordination.k8s.io/v1, by the rules of client-go's leaderelection. Pure.
//
// Times that stand in a Lease are other clocks' and never compared with this one's: a record counts as expired when
// this process hasn't seen it change for its duration. A leader stops being it `renew` after the beginning of its last
// good write, and others wait for `duration` after they saw that write, which is later than it was made: as clocks run
// equally fast, there is a pause of duration - renew between two leaders, whatever hangs, stops or gets lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// A Lease's spec, and the object that it came in.
struct LeaseRecord {
  std::string holder;  // "": released
  int64_t duration_s = 0;
  int64_t transitions = 0;
  std::string acquire_time;  // as Kubernetes writes times of a Lease
  std::string renew_time;
  std::string object;  // the JSON, for what else it holds; "" if it is to be created

  // The spec alone: labels and the like may change at any time.
  bool same_spec(const LeaseRecord& other) const;
};

// Reads a Lease. An error says what is wrong with the text.
Result<LeaseRecord> parse_lease(std::string_view json);

// The JSON to create or update it: `record.object` with the record's spec in it, resource version and all.
std::string lease_body(const LeaseRecord& record, const std::string& name, const std::string& name_space);

struct LeasePolicy {
  std::string identity;
  milliseconds duration{15000};
  milliseconds renew{10000};
  milliseconds retry{2000};
};

enum class LeaseRequest { get, create, update };

enum class LeaseReply {
  ok,         // the Lease came back
  not_found,  // 404
  conflict,   // 409: somebody else was faster
  failed,     // anything else: what has become of a write isn't known
};

struct LeaseStep {
  LeaseRequest request = LeaseRequest::get;
  nanoseconds wait{0};  // before it
};

// One candidate. All stamps are of boottime_ns(), which doesn't stand still while the machine sleeps.
class LeaseCandidate {
 public:
  explicit LeaseCandidate(LeasePolicy policy) : policy_(std::move(policy)) {}

  // What the process before this one on the same node was: leader until then, under the same identity.
  void inherit(int64_t valid_until_ns, int64_t handover_ns);

  // Whether this node could do a leader's work. If not, it isn't the leader from now on, and takes and renews no lease.
  void set_fit(bool fit);

  // The first request.
  static LeaseStep first() { return {}; }

  // What a create or an update has to write, at that wall-clock time.
  LeaseRecord to_write(int64_t realtime_ns);

  // Takes in how the request that was sent at `sent_ns` ended, and says what comes next. `record`: of LeaseReply::ok.
  // `random` is from [0, 1).
  LeaseStep next(LeaseRequest request, LeaseReply reply, const LeaseRecord& record, int64_t sent_ns, int64_t now_ns,
                 double random);

  // Whether there is something to give back, and what is to be written for it: a record without a holder, so that
  // others needn't wait for it to expire. Only once nothing is done any more that only the leader may do.
  std::optional<LeaseRecord> to_release(int64_t realtime_ns) const;

  int64_t valid_until_ns() const { return valid_until_ns_; }  // 0: not the leader
  int64_t handover_ns() const { return handover_ns_; }        // no other is the leader before
  bool is_leader(int64_t now_ns) const { return now_ns < valid_until_ns_; }
  std::string holder() const { return seen_ ? seen_->holder : ""; }
  int64_t transitions() const { return seen_ ? seen_->transitions : 0; }
  // Another process writes under this identity.
  bool has_twin() const { return has_twin_; }

 private:
  void saw(const LeaseRecord& record, int64_t now_ns);
  bool may_take(int64_t now_ns) const;
  LeaseStep later(LeaseRequest request, double random) const;

  const LeasePolicy policy_;
  bool fit_ = true;
  std::optional<LeaseRecord> seen_;
  int64_t changed_ns_ = 0;  // when seen_ was seen to be other than before
  // Of the acquisition that this process tries or has. It is what tells a record of this process, also one whose write
  // got no answer, from one that another process wrote under the same identity.
  std::string acquire_time_;
  bool mine_ = false;       // seen_ is of that acquisition
  bool inherited_ = false;  // nothing was seen yet
  bool has_twin_ = false;
  int conflicts_ = 0;  // in a row
  int64_t valid_until_ns_ = 0;
  int64_t handover_ns_ = 0;
};

}  // namespace pulse
