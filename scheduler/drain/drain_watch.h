// What a drain has seen so far: of its clients, and of the admin interface. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "scheduler/drain/drain_plan.h"
#include "scheduler/drain/drain_target.h"
#include "scheduler/run/engine_clock.h"
#include "src/base/result.h"

namespace pulse {

// Since when nobody is there, and since when nobody new has come.
class ClientWatch {
 public:
  void saw(const Sighting& seen, MonotonicTime now);
  // By the kernel's tables, which don't tell whether a new one has come; nothing: they couldn't be read.
  void counted(std::optional<int64_t> clients, MonotonicTime now);
  // Whether a new one comes can't be seen any more.
  void lost_sight();

  DrainSight sight(MonotonicTime began, MonotonicTime now, bool admin) const;
  bool paused() const { return paused_; }          // all ports
  bool was_paused() const { return was_paused_; }  // one port at least, when ProxySQL was last looked at
  bool has_pgsql() const { return pgsql_threads_ != 0; }
  void set_paused(bool paused) { paused_ = paused; }

 private:
  void count(int64_t clients, bool asked_meanwhile, MonotonicTime now);

  int64_t mysql_threads_ = 0;
  int64_t pgsql_threads_ = 0;
  int64_t questions_ = -1;
  int64_t created_ = -1;
  bool paused_ = false;
  bool was_paused_ = false;
  std::optional<MonotonicTime> newcomer_;  // when the last one was seen, or the first look taken
  std::optional<MonotonicTime> empty_since_;
};

// What is wrong with the admin interface, and when it is tried next: each attempt at one that is unresponsive leaves a
// blocked thread in ProxySQL.
class AdminTrouble {
 public:
  void failed(const Error& error, int exit_code, MonotonicTime now);
  // The same of a statement that nothing else follows.
  void refused(const Error& error, int exit_code);
  void answered();

  bool may_try(MonotonicTime now) const { return now >= next_attempt_; }
  const std::string& text() const { return text_; }  // of the last error; "": there was none
  int exit_code() const { return exit_code_; }       // 0: there was none

 private:
  static constexpr milliseconds kFirstRetry{2000};
  static constexpr milliseconds kLastRetry{60'000};

  MonotonicTime next_attempt_{};
  milliseconds retry_ = kFirstRetry;
  bool said_lost_ = false;
  std::string text_;
  int exit_code_ = 0;
};

}  // namespace pulse
