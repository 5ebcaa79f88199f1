#include "daemon/discovery/source_report.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace pulse {

namespace {

// condition_variable::wait_for() as a predicate's wait on CLOCK_MONOTONIC.
template <class Predicate>
bool wait_for(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, nanoseconds span,
              Predicate predicate) {
  return condition.wait_until(lock, std::chrono::steady_clock::now() + span, predicate);
}

}  // namespace

void Wakeup::wake() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    woken_ = true;
  }
  condition_.notify_one();
}

bool Wakeup::wait(nanoseconds span) {
  std::unique_lock<std::mutex> lock(mutex_);
  wait_for(condition_, lock, span, [&] { return woken_; });
  return std::exchange(woken_, false);
}

void SourceReport::found(std::vector<Found> list, bool right) {
  auto shared = std::make_shared<const std::vector<Found>>(std::move(list));
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    look_.found = std::move(shared);
    look_.looked_ns = boottime_ns();
    if (right) look_.ok_ns = look_.looked_ns;
  }
  wakeup_->wake();
}

void SourceReport::good() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    look_.ok_ns = look_.looked_ns = boottime_ns();
    if (look_.failing_since_ns == 0) return;
    look_.failing_since_ns = 0;
    look_.error.clear();
  }
  wakeup_->wake();
}

void SourceReport::hold() {
  const std::lock_guard<std::mutex> hold(mutex_);
  look_.current = true;
}

void SourceReport::lapse() {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (look_.current) look_.ok_ns = boottime_ns();
  look_.current = false;
}

void SourceReport::failed(std::string error) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    look_.looked_ns = boottime_ns();
    if (look_.failing_since_ns == 0) look_.failing_since_ns = look_.looked_ns;
    ++look_.failures;
    look_.current = false;
    look_.error = std::move(error);
    due_ns_ = proof_ns_ = 0;
  }
  wakeup_->wake();
}

void SourceReport::prove_after(nanoseconds span) {
  const std::lock_guard<std::mutex> hold(mutex_);
  proof_ns_ = boottime_ns() + span.count();
  proven_ = false;
}

bool SourceReport::take_proof() {
  const std::lock_guard<std::mutex> hold(mutex_);
  proof_ns_ = 0;
  return std::exchange(proven_, false);
}

void SourceReport::looked() {
  const std::lock_guard<std::mutex> hold(mutex_);
  look_.looked_ns = boottime_ns();
}

void SourceReport::expect(std::string error, nanoseconds span) {
  const std::lock_guard<std::mutex> hold(mutex_);
  due_error_ = std::move(error);
  due_ns_ = boottime_ns() + span.count();
  cut_ = false;
}

void SourceReport::expect_on(int socket) {
  const std::lock_guard<std::mutex> hold(mutex_);
  socket_ = UniqueFd(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  if (stopping_) cut();
}

void SourceReport::nothing_due() {
  const std::lock_guard<std::mutex> hold(mutex_);
  due_ns_ = 0;
}

bool SourceReport::was_cut() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return cut_;
}

bool SourceReport::pause(nanoseconds span) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !wait_for(condition_, lock, span, [&] { return stopping_; });
}

bool SourceReport::stopping() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return stopping_;
}

void SourceReport::ended() {
  const std::lock_guard<std::mutex> hold(mutex_);
  ended_ = true;
  condition_.notify_all();
}

// The copy of the descriptor is this object's own: its number can't have become another file's meanwhile.
void SourceReport::cut() {
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
  cut_ = true;
}

SourceLook SourceReport::look(int64_t now_ns) {
  const std::lock_guard<std::mutex> hold(mutex_);
  const bool overdue = due_ns_ != 0 && now_ns >= due_ns_;
  if (overdue && !cut_) cut();
  if (proof_ns_ != 0 && now_ns >= proof_ns_) {
    proof_ns_ = 0;
    proven_ = look_.current = true;
    look_.failing_since_ns = 0;
    look_.error.clear();
  }
  if (look_.current) look_.ok_ns = now_ns;
  SourceLook now = look_;
  // Who was cut reports it himself at once. Who is stuck beyond that can't, and it shows nevertheless.
  constexpr int64_t kOwnReport = 1'000'000'000;
  if (overdue && now_ns >= due_ns_ + kOwnReport) {
    now.current = false;
    now.looked_ns = due_ns_;
    if (now.failing_since_ns == 0) now.failing_since_ns = due_ns_;
    ++now.failures;
    now.error = due_error_;
  }
  return now;
}

void SourceReport::stop() {
  const std::lock_guard<std::mutex> hold(mutex_);
  stopping_ = true;
  cut();
  condition_.notify_all();
}

bool SourceReport::wait_ended(nanoseconds span) {
  std::unique_lock<std::mutex> lock(mutex_);
  return wait_for(condition_, lock, span, [&] { return ended_; });
}

}  // namespace pulse
