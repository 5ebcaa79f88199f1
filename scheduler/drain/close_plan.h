// Which resting sessions a drain closes one by one, and when. Pure.
//
// KILL CONNECTION closes a session whatever it does. What it could destroy: a transaction, and a request that comes
// between the look at the session and the KILL. So only sessions without a backend are listed, which have none open,
// and a look is good for a short time only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/admin/admin_session.h"
#include "scheduler/drain/drain_plan.h"

namespace pulse {

struct RestingSession {
  uint32_t id = 0;
  milliseconds rests{0};  // since it sent or got something
};

// How many are closed after one look.
inline constexpr size_t kCloseBatch = 100;
// A look is good for this part of a session's rest: who has rested for long is unlikely to wake up just now.
inline constexpr int kCloseShare = 20;
// And for that long whatever the rest, so that busy clients, which never rest for long, can go at all.
inline constexpr milliseconds kCloseAtOnce{5};

// The resting sessions that are surely in no transaction, those that have rested for longest first; kCloseBatch of them
// at most. ProxySQL tells a session's backend of the hostgroup that it asked last. An open transaction is there unless
// its user has transaction_persistent = 0, who may have one in another hostgroup: such users' sessions, and those of
// users that ProxySQL's table doesn't have, aren't listed. `users_anew`: ProxySQL fills its table of users first.
//
// Locks: stats_mysql_processlist takes the mutex of one MySQL thread after the other, and runtime_mysql_users that of
// the users; neither while it waits for one of the cluster.
std::string resting_sessions_statement(milliseconds rests, bool users_anew);
std::vector<RestingSession> resting_sessions_of(const AdminResult& answer);

// Who rests for that long is closed now; nothing: nobody is, for the endpoints haven't settled.
std::optional<milliseconds> close_from(const DrainPolicy& policy, const DrainSight& sight);

// Whether a session may be closed so long after the look at it began.
bool may_close(const RestingSession& session, nanoseconds since_look);

}  // namespace pulse
