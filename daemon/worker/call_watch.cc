#include "daemon/worker/call_watch.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

namespace pulse {

namespace {

// condition_variable::wait_for() as a predicate's wait on CLOCK_MONOTONIC.
template <class Predicate>
bool wait_for(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, nanoseconds span,
              Predicate predicate) {
  return condition.wait_until(lock, std::chrono::steady_clock::now() + span, predicate);
}

}  // namespace

void CallWatch::expect(std::string error, nanoseconds span) {
  const std::lock_guard<std::mutex> hold(mutex_);
  due_error_ = std::move(error);
  due_ns_ = boottime_ns() + span.count();
  cut_ = false;
}

void CallWatch::expect_on(int socket) {
  const std::lock_guard<std::mutex> hold(mutex_);
  socket_ = UniqueFd(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  if (cuts_all_) cut();
}

void CallWatch::nothing_due() {
  const std::lock_guard<std::mutex> hold(mutex_);
  due_ns_ = 0;
}

bool CallWatch::was_cut() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return cut_;
}

bool CallWatch::pause(nanoseconds span) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !wait_for(condition_, lock, span, [this] { return stopping_; });
}

bool CallWatch::stopping() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return stopping_;
}

void CallWatch::ended() {
  const std::lock_guard<std::mutex> hold(mutex_);
  ended_ = true;
  condition_.notify_all();
}

// The copy of the descriptor is this object's own: its number can't have become another file's meanwhile.
void CallWatch::cut() {
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
  cut_ = true;
}

std::optional<CallWatch::Overdue> CallWatch::look(int64_t now_ns) {
  constexpr int64_t kOwnReport = 1'000'000'000;
  const std::lock_guard<std::mutex> hold(mutex_);
  const bool overdue = due_ns_ != 0 && now_ns >= due_ns_;
  if (overdue && !cut_) cut();
  if (!overdue || now_ns < due_ns_ + kOwnReport) return std::nullopt;
  return Overdue{due_error_, due_ns_};
}

void CallWatch::ask_to_end() {
  const std::lock_guard<std::mutex> hold(mutex_);
  stopping_ = true;
  condition_.notify_all();
}

void CallWatch::stop() {
  const std::lock_guard<std::mutex> hold(mutex_);
  stopping_ = cuts_all_ = true;
  cut();
  condition_.notify_all();
}

bool CallWatch::wait_ended(nanoseconds span) {
  std::unique_lock<std::mutex> lock(mutex_);
  return wait_for(condition_, lock, span, [this] { return ended_; });
}

}  // namespace pulse
