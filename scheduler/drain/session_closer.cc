#include "scheduler/drain/session_closer.h"

#include "scheduler/drain/close_plan.h"

namespace pulse {

Result<void> SessionCloser::close_some(milliseconds rests, Deadline by) {
  has_more_ = false;
  const MonotonicTime looked = clock_.now();
  const auto sessions = admin_.resting_sessions(rests, by);
  if (!sessions) return sessions.error();
  size_t left = sessions->size();
  for (const RestingSession& session : *sessions) {
    if (!may_close(session, clock_.now() - looked)) break;
    --left;
    const auto closed = admin_.close_session(session.id, by);
    if (!closed) return closed.error();
    if (*closed) ++closed_;
  }
  // All that are left were listed too late: a look of their own comes after the drain's next.
  has_more_ = sessions->size() == kCloseBatch && left < kCloseBatch;
  return {};
}

}  // namespace pulse
