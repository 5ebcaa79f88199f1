#include "daemon/discovery/source_status.h"

#include <utility>

namespace pulse {

void SourceStatus::found(std::vector<Found> list, bool right) {
  auto shared = std::make_shared<const std::vector<Found>>(std::move(list));
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    look_.found = std::move(shared);
    look_.looked_ns = boottime_ns();
    if (right) look_.ok_ns = look_.looked_ns;
  }
  wakeup_->wake();
}

void SourceStatus::good() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    look_.ok_ns = look_.looked_ns = boottime_ns();
    if (look_.failing_since_ns == 0) return;
    look_.failing_since_ns = 0;
    look_.error.clear();
  }
  wakeup_->wake();
}

void SourceStatus::hold() {
  const std::lock_guard<std::mutex> hold(mutex_);
  look_.current = true;
}

void SourceStatus::lapse() {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (look_.current) look_.ok_ns = boottime_ns();
  look_.current = false;
}

void SourceStatus::failed(std::string error) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    look_.looked_ns = boottime_ns();
    if (look_.failing_since_ns == 0) look_.failing_since_ns = look_.looked_ns;
    ++look_.failures;
    look_.current = false;
    look_.error = std::move(error);
    proof_ns_ = 0;
  }
  wakeup_->wake();
}

void SourceStatus::prove_after(nanoseconds span) {
  const std::lock_guard<std::mutex> hold(mutex_);
  proof_ns_ = boottime_ns() + span.count();
  proven_ = false;
}

bool SourceStatus::take_proof() {
  const std::lock_guard<std::mutex> hold(mutex_);
  proof_ns_ = 0;
  return std::exchange(proven_, false);
}

void SourceStatus::looked() {
  const std::lock_guard<std::mutex> hold(mutex_);
  look_.looked_ns = boottime_ns();
}

SourceLook SourceStatus::look(int64_t now_ns, const std::optional<CallWatch::Overdue>& stuck) {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (proof_ns_ != 0 && now_ns >= proof_ns_) {
    proof_ns_ = 0;
    proven_ = look_.current = true;
    look_.failing_since_ns = 0;
    look_.error.clear();
  }
  if (look_.current) look_.ok_ns = now_ns;
  SourceLook now = look_;
  if (stuck) {
    now.current = false;
    now.looked_ns = stuck->since_ns;
    if (now.failing_since_ns == 0) now.failing_since_ns = stuck->since_ns;
    ++now.failures;
    now.error = stuck->error;
  }
  return now;
}

}  // namespace pulse
