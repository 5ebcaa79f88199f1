// A cluster of three cores and so many satellites, as the Kubernetes API double says, with as many backends: what their
// number costs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tests/bench/server.h"

namespace pulse::bench {

// What one daemon asks of the API server, as the API double counts it inside TLS.
struct ApiTraffic {
  double list_requests = 0, list_bytes = 0;  // when it starts
  double hour_requests = 0, hour_bytes = 0;  // afterwards, while no pod changes
  double change_bytes = 0;                   // each time that a pod changes
};

class MemberCluster {
 public:
  // Three cores at the same port of three loopback addresses: `core`, with a daemon, and `peers`. All other pods are
  // satellites, which nobody runs. mysql_servers has `members` rows. Ready when the daemon has published all members.
  static Result<std::unique_ptr<MemberCluster>> start(const Programs& programs, const std::string& dir, int members);

  const Server& core() const { return *core_; }
  int members() const { return members_; }
  pid_t daemon_pid() const { return daemon_->pid(); }

  // Measures for `span`, during which watches end after some 2 s instead of 2 minutes, and reckons from that.
  Result<ApiTraffic> traffic(std::chrono::milliseconds span);

 private:
  MemberCluster(const Programs& programs, const std::string& dir, int members);
  Result<void> set_up();
  // A number of the API double's `stats`.
  double stat(const std::string& key) const;

  const Programs& programs_;
  const std::string dir_, name_;
  const int members_;
  ApiTraffic traffic_;
  Child api_;
  std::vector<std::unique_ptr<Server>> peers_;
  std::unique_ptr<Server> core_;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace pulse::bench
