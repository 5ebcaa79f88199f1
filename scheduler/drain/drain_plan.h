// What a drain does at which moment. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"
#include "src/config/drain_steps.h"
#include "src/config/settings.h"

namespace pulse {

struct DrainPolicy {
  milliseconds settle;   // endpoints get as long to take this pod out; nothing is stopped before
  milliseconds timeout;  // of everything, from the announcement to ProxySQL's end
  std::vector<DrainStep> steps;
  bool satellite = true;  // what it lowers reaches no other node; of another one that is to be found out
  bool standalone = false;
  bool stops = true;  // ProxySQL is shut down in the end
};

DrainPolicy drain_policy(const Config& config);

// ProxySQL pulls what a core has loaded after a few of its checks. A drain's own loads wait for it, but not for longer:
// a core that is gone is never pulled from.
inline constexpr milliseconds kPullPatience{4000};

// While clients may still come back here, nothing below this: each close has a small chance to meet a request.
inline constexpr milliseconds kDrainLowestUnsettled{200};

// Without a new connection for that long, the pod is out of the balancer: whoever is closed now doesn't come back, and
// the last step is the one that closes each client once.
inline constexpr milliseconds kDrainNoNewcomer{2000};
// Before that, who rests for longer than kDrainLowestUnsettled goes: two rounds of ProxySQL's look, once a second. It
// closes one client after the other, and a request that comes meanwhile is lost: so the busy ones, which the last step
// is for, aren't to wait behind all the others.
inline constexpr milliseconds kDrainRestingFirst{2200};

// What one look at ProxySQL showed.
struct DrainSight {
  milliseconds elapsed{0};          // since the announcement
  milliseconds empty_for{0};        // since when no client has been seen; 0 if there is one, or if nobody knows
  milliseconds no_newcomer_for{0};  // since when no new connection has come; 0 if one has, or if nobody knows
  int64_t mysql_threads = 0;        // 0: not known
  int64_t pgsql_threads = 0;        // 0: not known, or no PostgreSQL port
  bool admin = false;               // the admin interface answers
};

enum class DrainAction {
  wait,
  stop,            // nobody is left, or nothing else can be done for those that are
  pause_and_stop,  // clients still come: from now on new ones are refused
};

// How long PROXYSQL PAUSE takes at most, by the numbers of threads: it closes the ports of one protocol after the
// other's.
milliseconds pause_span(int64_t mysql_threads, int64_t pgsql_threads = 0);

// When PAUSE has to begin to be over in time; nothing if there is no room for it after settle: it would begin when
// clients still come from the balancer, and reset them.
std::optional<milliseconds> pause_at(const DrainPolicy& policy, int64_t mysql_threads, int64_t pgsql_threads = 0);

DrainAction next_drain_action(const DrainPolicy& policy, const DrainSight& sight);

// The wait_timeout of this moment, of each protocol: once the pod is out of the balancer, first for those who rest,
// then the last step's; before that the steps go by the clock. Their spans shrink to what the timeout leaves them.
milliseconds wait_timeout_at(const DrainPolicy& policy, const DrainSight& sight);

}  // namespace pulse
