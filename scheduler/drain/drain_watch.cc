#include "scheduler/drain/drain_watch.h"

#include <algorithm>

#include "src/base/log.h"

namespace pulse {

void ClientWatch::saw(const Sighting& seen, MonotonicTime now) {
  mysql_threads_ = seen.mysql.threads;
  pgsql_threads_ = seen.pgsql.threads;
  paused_ = seen.refuses_all();
  was_paused_ = seen.is_paused();
  if (seen.created != created_) newcomer_ = now;
  created_ = seen.created;
  const bool asked = questions_ >= 0 && seen.questions != questions_;
  questions_ = seen.questions;
  count(seen.clients, asked, now);
}

void ClientWatch::counted(std::optional<int64_t> clients, MonotonicTime now) {
  if (clients) {
    count(*clients, false, now);
  } else {
    empty_since_.reset();
  }
}

void ClientWatch::count(int64_t clients, bool asked_meanwhile, MonotonicTime now) {
  if (clients > 0 || asked_meanwhile) {
    empty_since_.reset();
  } else if (!empty_since_) {
    empty_since_ = now;
  }
}

void ClientWatch::lost_sight() {
  newcomer_.reset();
  created_ = -1;
}

DrainSight ClientWatch::sight(MonotonicTime began, MonotonicTime now, bool admin) const {
  DrainSight sight;
  sight.elapsed = std::chrono::duration_cast<milliseconds>(now - began);
  if (empty_since_) sight.empty_for = std::chrono::ceil<milliseconds>(now - *empty_since_ + nanoseconds(1));  // never 0
  if (newcomer_) sight.no_newcomer_for = std::chrono::duration_cast<milliseconds>(now - *newcomer_);
  sight.mysql_threads = mysql_threads_;
  sight.pgsql_threads = pgsql_threads_;
  sight.admin = admin;
  return sight;
}

void AdminTrouble::failed(const Error& error, int exit_code, MonotonicTime now) {
  next_attempt_ = now + retry_;
  retry_ = std::min(retry_ * 2, kLastRetry);
  refused(error, exit_code);
  if (!said_lost_) log_warning("drain: " + error.text + "; going on without the admin interface");
  said_lost_ = true;
}

void AdminTrouble::refused(const Error& error, int exit_code) {
  text_ = error.text;
  exit_code_ = exit_code;
}

void AdminTrouble::answered() {
  if (said_lost_) log_info("drain: the admin interface answers again");
  said_lost_ = false;
  retry_ = kFirstRetry;
}

}  // namespace pulse
