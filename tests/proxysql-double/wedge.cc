#include "tests/proxysql-double/wedge.h"

#include <thread>

namespace proxysql_double {

void Wedge::hold_statements(std::mutex& statement_mutex, std::chrono::milliseconds span) {
  std::unique_lock lock(mutex_);
  const uint64_t releases = releases_;
  std::thread([this, &statement_mutex, span, releases] {
    const std::lock_guard held(statement_mutex);
    std::unique_lock state(mutex_);
    if (releases_ != releases) return;
    kind_ = Kind::statements;
    changed_.notify_all();
    const auto released = [&] { return releases_ != releases; };
    if (span.count() > 0) {
      changed_.wait_for(state, span, released);
    } else {
      changed_.wait(state, released);
    }
    if (kind_ == Kind::statements) kind_ = Kind::none;
  }).detach();
  changed_.wait_for(lock, std::chrono::seconds(1), [this] { return kind_ == Kind::statements; });
}

void Wedge::stop_accept_loop() {
  const std::lock_guard lock(mutex_);
  kind_ = Kind::accept_loop;
}

void Wedge::release() {
  const std::lock_guard lock(mutex_);
  kind_ = Kind::none;
  ++releases_;
  changed_.notify_all();
}

Wedge::Kind Wedge::kind() const {
  const std::lock_guard lock(mutex_);
  return kind_;
}

void Wedge::pass() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return kind_ != Kind::accept_loop; });
}

void Wedge::hang() {
  std::unique_lock lock(mutex_);
  const uint64_t releases = releases_;
  changed_.wait(lock, [&] { return releases_ != releases; });
}

}  // namespace proxysql_double
