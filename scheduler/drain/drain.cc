#include "scheduler/drain/drain.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/cli/command.h"
#include "scheduler/drain/drain_plan.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/run/process.h"
#include "scheduler/run/state_access.h"
#include "shm/record/drains.h"
#include "shm/segment/boot.h"
#include "shm/segment/lock.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/base/unique_fd.h"
#include "src/config/drain_steps.h"
#include "src/linux/socket_table.h"

namespace pulse {

namespace {

// Between two looks. Each costs ProxySQL some milliseconds of its admin mutex.
constexpr milliseconds kLookEvery{200};
constexpr milliseconds kLookWithin{100};  // an answer takes some milliseconds
constexpr milliseconds kPoll{10};
// The least that ProxySQL takes; a connection that is alone on its thread is never found idle otherwise.
constexpr int64_t kPollTimeoutMs = 10;
// After the drain's own deadline: all that is left then is to say so.
constexpr milliseconds kHardTimerSlack{250};
// Attempts at an admin interface that hangs: each leaves a blocked thread in ProxySQL.
constexpr milliseconds kFirstRetry{2000};
// Of kDrainStopReserve, for an answer to SHUTDOWN; ProxySQL needs 5 to 9 ms.
constexpr milliseconds kShutdownAnswer{500};
constexpr milliseconds kSocketTableWithin{200};
constexpr milliseconds kFindWithin{400};

void pause_for(nanoseconds span) {
  const timespec pause{span.count() / 1'000'000'000, span.count() % 1'000'000'000};
  ::nanosleep(&pause, nullptr);
}

Deadline earlier(Deadline a, Deadline b) { return a.monotonic_instant_ns() < b.monotonic_instant_ns() ? a : b; }

std::string ms_text(int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ns) / 1e9);
  return text;
}

std::string clients_text(int64_t clients) {
  return clients < 0 ? "an unknown number of clients"
                     : std::to_string(clients) + (clients == 1 ? " client" : " clients");
}

int64_t to_number(const std::string& text) {
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string set_variable(const char* name, int64_t value) {
  return "UPDATE global_variables SET variable_value = '" + std::to_string(value) + "' WHERE variable_name = '" + name +
         "'";
}

Result<void> set_timeouts(AdminClient& client, int64_t poll_ms, int64_t wait_ms, Deadline deadline) {
  for (const std::string& statement :
       {set_variable("mysql-poll_timeout", poll_ms), set_variable("mysql-wait_timeout", wait_ms),
        std::string("LOAD MYSQL VARIABLES TO RUNTIME")}) {
    if (auto done = client.query(statement, deadline); !done) return done.error();
  }
  return {};
}

// What one look at ProxySQL says.
struct Sighting {
  int64_t uptime_s = -1;
  int64_t clients = -1;
  int64_t created = -1;  // connections of clients, ever
  int64_t questions = -1;
  int64_t wait_timeout_ms = -1;
  int64_t poll_timeout_ms = -1;
  int64_t threads = 0;
  bool paused = false;
};

int64_t started_ns(const Sighting& seen) { return boottime_ns() - seen.uptime_s * 1'000'000'000; }

// Tables as reviewed for the beat (src/observe.h), and runtime_global_variables: its lower-case name makes ProxySQL
// fill it anew, 0.6 to 1 ms under the admin mutex.
Result<Sighting> look_at(AdminClient& client, Deadline deadline) {
  auto answer = client.query(
      "SELECT Variable_Name, Variable_Value FROM stats_mysql_global WHERE Variable_Name IN ('ProxySQL_Uptime', "
      "'Client_Connections_connected', 'Client_Connections_created', 'Questions', 'mysql_listener_paused') UNION ALL "
      "SELECT variable_name, "
      "variable_value FROM runtime_global_variables WHERE variable_name IN ('mysql-poll_timeout', "
      "'mysql-wait_timeout', "
      "'mysql-threads')",
      deadline);
  if (!answer) return answer.error();
  Sighting seen;
  for (const auto& row : answer->rows) {
    if (row.size() != 2) continue;
    const int64_t number = to_number(row[1]);
    if (row[0] == "ProxySQL_Uptime") seen.uptime_s = number;
    if (row[0] == "Client_Connections_connected") seen.clients = number;
    if (row[0] == "Client_Connections_created") seen.created = number;
    if (row[0] == "Questions") seen.questions = number;
    if (row[0] == "mysql_listener_paused") seen.paused = row[1] == "true" || row[1] == "1";
    if (row[0] == "mysql-poll_timeout") seen.poll_timeout_ms = number;
    if (row[0] == "mysql-wait_timeout") seen.wait_timeout_ms = number;
    if (row[0] == "mysql-threads") seen.threads = std::max<int64_t>(0, number);
  }
  if (seen.uptime_s < 0 || seen.clients < 0 || seen.wait_timeout_ms < 0 || seen.poll_timeout_ms < 0) {
    return Error{"ProxySQL's answer is incomplete: no uptime, clients or timeouts"};
  }
  return seen;
}

// LOAD MYSQL VARIABLES takes everything along that somebody has set and not loaded: the names of all that, which are
// logged too. The drain's own two variables are overwritten and not loaded.
Result<std::string> tell_unloaded_edits(AdminClient& client, Deadline deadline) {
  auto edits = client.query(
      "SELECT m.variable_name FROM global_variables m JOIN runtime_global_variables r ON r.variable_name = "
      "m.variable_name WHERE m.variable_name LIKE 'mysql-%' AND m.variable_name NOT IN ('mysql-poll_timeout', "
      "'mysql-wait_timeout') AND m.variable_value <> r.variable_value",
      deadline);
  if (!edits) return edits.error();
  std::string names;
  for (const auto& row : edits->rows) names += (names.empty() ? "" : ", ") + row.at(0);
  if (!names.empty()) {
    log_warning("drain: " + names + " had been set and not loaded, and go live with LOAD MYSQL VARIABLES TO RUNTIME");
  }
  return names;
}

bool is_unix_socket(const std::string& host) { return host.front() == '/'; }

// Whether anybody listens on this unix socket. Never waits: a queue that is full is somebody's.
bool is_served(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

// One drain, from its announcement to its end.
class Drain {
 public:
  explicit Drain(const Options& options) : options_(options), state_(options) {}

  int run() {
    arm_hard_timer(Deadline::at_monotonic_ns(began_monotonic_ns_ + nanoseconds(kLoadWithin).count()));
    limit_memory();
    if (!state_.load()) {
      log_error(state_.config_error());
      return kExitConfig;
    }
    policy_ = drain_policy(config());
    policy_.stops = !options_.no_shutdown;
    deadline_ = Deadline::at_monotonic_ns(began_monotonic_ns_ + nanoseconds(policy_.timeout).count());
    arm_hard_timer(Deadline::at_monotonic_ns(deadline_.monotonic_instant_ns() + nanoseconds(kHardTimerSlack).count()));
    state_.open_existing();
    if (state_.layout() == nullptr) {
      log_warning("drain: " + state_.problem() + "; probes can't be told, and beats don't stand aside");
    }
    auto lock = try_drain_lock(state_, state_.layout() != nullptr);
    if (!lock) return refuse(kExitUnavailable, "drain: " + lock.error().text);
    if (!lock->taken()) {
      if (auto joined = join(*lock)) return *joined;
    }
    announce();
    take_beats_lock();
    find_process();
    return work();
  }

 private:
  static constexpr milliseconds kLoadWithin{2000};

  const Config& config() const { return state_.loaded().config; }

  int refuse(int code, const std::string& text) {
    log_error(text);
    return code;
  }

  template <class Access>
  void with_layout(Access access) {
    if (state_.layout() == nullptr || lost_) return;
    if (guarded([&] { access(*state_.layout()); })) return;
    lost_ = true;
    log_error("the state segment " + state_.path() + " was cut short; the drain goes on without it");
  }

  // Another drain runs: waits for its end and tells what came of it. Nothing if it died: this one takes over then.
  std::optional<int> join(InstanceLock& lock) {
    log_info("drain: another one is under way, waiting for it");
    for (;;) {
      auto again = try_drain_lock(state_, false);
      if (again && again->taken()) {
        lock = std::move(*again);
        break;
      }
      if (deadline_.passed()) return refuse(kExitTimeout, "drain: another one is under way and doesn't end");
      pause_for(kPoll);
    }
    DrainRecord other{};
    bool read = false;
    with_layout([&](Layout& layout) { read = layout.drain.read(other); });
    if (!read || other.ended_ns < began_ns_) return std::nullopt;
    const auto outcome = static_cast<DrainOutcome>(other.outcome);
    if (outcome != DrainOutcome::stopped && outcome != DrainOutcome::drained && outcome != DrainOutcome::failed) {
      return std::nullopt;
    }
    // It ran with other flags: ProxySQL is still to be shut down.
    if (outcome == DrainOutcome::drained && policy_.stops) return std::nullopt;
    const std::string message(text(other.message));
    if (outcome == DrainOutcome::failed) return refuse(kExitStatement, "drain: " + message);
    log_info("drain: " + message);
    return kExitOk;
  }

  // In the first instant of all: readiness is 503 from here on, and beats stand aside.
  void announce() {
    with_layout([&](Layout& layout) {
      layout.draining_since_ns.store(began_ns_, std::memory_order_release);
      if (!layout.drain.read(before_)) before_ = DrainRecord{};
      Observation last{};
      if (layout.observation.read(last) && last.at_ns != 0) last_started_ns_ = last.proxysql_started_ns;
    });
    record_.number = before_.number + 1;
    record_.began_ns = began_ns_;
    record_.deadline_ns = began_ns_ + nanoseconds(policy_.timeout).count();
    record_.settled_ns = began_ns_ + nanoseconds(policy_.settle).count();
    record_.clients_first = record_.clients = -1;
    record_.wait_timeout_ms = record_.poll_timeout_ms = record_.lowered_to_ms = -1;
    record_.stops = policy_.stops ? 1 : 0;
    enter(DrainPhase::lock);
  }

  void publish() {
    with_layout([&](Layout& layout) { layout.drain.publish(record_); });
  }

  void enter(DrainPhase phase) {
    record_.phase = static_cast<uint8_t>(phase);
    publish();
  }

  // A beat that is under way ends within its own deadline. One that doesn't is stopped or stuck: it does no harm.
  void take_beats_lock() {
    const Deadline patience = earlier(Deadline::after(config().beat.timeout + milliseconds(100)), deadline_);
    for (;;) {
      auto lock = InstanceLock::try_take(state_.path(), state_.group(), state_.layout() != nullptr);
      if (lock && lock->taken()) {
        beats_lock_ = std::move(*lock);
        with_layout([&](Layout& layout) {
          layout.holder.publish({::getpid(), began_ns_, record_.deadline_ns + nanoseconds(kHardTimerSlack).count()});
        });
        return;
      }
      if (!lock || patience.passed()) {
        log_warning("drain: a beat doesn't end, going on beside it");
        return;
      }
      pause_for(kPoll);
    }
  }

  // ProxySQL's own process, if this one may see it: what listens on both of its ports. An admin interface on a unix
  // socket alone leaves the other.
  void find_process() {
    const Deadline by = earlier(Deadline::after(kFindWithin), deadline_);
    const auto mysql = listening_inodes(static_cast<uint16_t>(config().daemon.mysql_port), by, SocketSource::automatic,
                                        config().daemon.mysql_host);
    const auto admin = is_unix_socket(config().admin.host)
                           ? mysql
                           : listening_inodes(static_cast<uint16_t>(config().admin.port), by, SocketSource::automatic,
                                              config().admin.host);
    if (mysql && admin) process_ = ProcessHandle::with_sockets(*mysql, *admin, by);
  }

  int work() {
    for (;;) {
      // One that begins just before the last steps couldn't be answered in time, which says nothing of the admin
      // interface.
      if (last_steps().left() > kLookWithin) look();
      if (gone_) return end(DrainOutcome::stopped, kExitOk, gone_reason_);
      const DrainAction action = next_drain_action(policy_, sight());
      if (action != DrainAction::wait) return finish(action);
      const bool settled = sight().elapsed >= policy_.settle;
      enter(settled ? DrainPhase::close : DrainPhase::settle);
      if (wait_for_end(earlier(Deadline::after(kLookEvery), last_steps()))) {
        return end(DrainOutcome::stopped, kExitOk, "ProxySQL ended by itself");
      }
    }
  }

  DrainSight sight() const {
    DrainSight sight;
    const int64_t now = monotonic_ns();
    sight.elapsed = std::chrono::duration_cast<milliseconds>(nanoseconds(now - began_monotonic_ns_));
    if (empty_since_ns_ != 0) {
      sight.empty_for = std::chrono::ceil<milliseconds>(nanoseconds(now - empty_since_ns_ + 1));  // never 0
    }
    if (newcomer_ns_ != 0) {
      sight.no_newcomer_for = std::chrono::duration_cast<milliseconds>(nanoseconds(now - newcomer_ns_));
    }
    sight.mysql_threads = threads_;
    sight.admin = client_.has_value();
    return sight;
  }

  // Counts the clients, and keeps ProxySQL closing those that are idle.
  void look() {
    if (!client_ && monotonic_ns() >= next_attempt_ns_) connect();
    if (client_) {
      if (auto done = look_by_admin(); !done) lose_admin(done.error());
    }
    if (!client_ && !gone_) look_by_kernel();
    record_.looked_ns = boottime_ns();
  }

  // The deadline of one answer: a beat's timeout is what this ProxySQL is expected to answer in. What comes last has a
  // time of its own, which no answer may eat up.
  Deadline answer_by() const {
    return earlier(Deadline::after(std::max(config().beat.timeout, kShutdownAnswer)), last_steps());
  }
  Deadline last_steps() const {
    return Deadline::at_monotonic_ns(deadline_.monotonic_instant_ns() - nanoseconds(kDrainStopReserve).count());
  }

  void connect() {
    auto client = AdminClient::connect(admin_target(config()), answer_by());
    if (client) {
      client_ = std::move(*client);
    } else {
      lose_admin(client.error());
    }
  }

  Result<void> look_by_admin() {
    auto seen = look_at(*client_, answer_by());
    if (!seen) return seen.error();
    if (!meet(started_ns(*seen))) return {};
    threads_ = seen->threads;
    paused_ = seen->paused;
    if (seen->created != last_created_) newcomer_ns_ = monotonic_ns();
    last_created_ = seen->created;
    const bool asked = last_questions_ >= 0 && seen->questions != last_questions_;
    last_questions_ = seen->questions;
    count(seen->clients, asked);
    if (admin_said_lost_) {
      log_info("drain: the admin interface answers again");
      admin_said_lost_ = false;
    }
    retry_ = kFirstRetry;
    return policy_.lowers ? lower(*seen) : Result<void>{};
  }

  // Whether this is still the ProxySQL that was to be drained. Another one has nothing to do with it.
  bool meet(int64_t started) {
    if (record_.proxysql_started_ns == 0) {
      record_.proxysql_started_ns = started;
      // A drain before this one, of the same boot, has lowered them already: what it found is what is to be restored.
      if (has_left_changes(before_, started)) {
        record_.wait_timeout_ms = before_.wait_timeout_ms;
        record_.poll_timeout_ms = before_.poll_timeout_ms;
        record_.paused = before_.paused;
      }
      return true;
    }
    if (is_same_boot(record_.proxysql_started_ns, started)) return true;
    gone("ProxySQL ended by itself, and another one has started");
    client_.reset();
    return false;
  }

  void count(int64_t clients, bool asked_meanwhile) {
    if (record_.clients_first < 0) {
      record_.clients_first = clients;
      log_info("drain: " + clients_text(clients) + "; " + (policy_.stops ? "stops" : "ends") +
               " when they have left, " + ms_text(nanoseconds(policy_.settle).count()) +
               " from now at the earliest and " + ms_text(nanoseconds(policy_.timeout).count()) + " at the latest");
    }
    record_.clients = clients;
    if (clients > 0 || asked_meanwhile) {
      empty_since_ns_ = 0;
    } else if (empty_since_ns_ == 0) {
      empty_since_ns_ = monotonic_ns();
    }
  }

  Result<void> lower(const Sighting& seen) {
    const int64_t wanted = wait_timeout_at(policy_, sight()).count();
    if (seen.wait_timeout_ms == wanted && seen.poll_timeout_ms == kPollTimeoutMs) return {};
    if (record_.wait_timeout_ms < 0) {
      record_.wait_timeout_ms = seen.wait_timeout_ms;
      record_.poll_timeout_ms = seen.poll_timeout_ms;
    }
    if (record_.lowered_to_ms < 0) {
      auto edits = tell_unloaded_edits(*client_, answer_by());
      if (!edits) return edits.error();
      edits_ = std::move(*edits);
    } else if (seen.wait_timeout_ms != record_.lowered_to_ms) {
      log_info("drain: mysql-wait_timeout was set to " + std::to_string(seen.wait_timeout_ms) +
               " by somebody else, a core's load as a rule; lowered again");
    }
    record_.lowered_to_ms = wanted;
    publish();  // before it is done: whoever undoes it finds what was there
    return set_timeouts(*client_, kPollTimeoutMs, wanted, answer_by());
  }

  void lose_admin(const Error& error) {
    client_.reset();
    if (error.code != ETIMEDOUT && has_ended()) {
      return gone(record_.clients_first < 0 ? "ProxySQL isn't running, there is nothing to drain"
                                            : "ProxySQL ended by itself");
    }
    record_.admin_unresponsive = 1;
    newcomer_ns_ = 0;
    last_created_ = -1;
    next_attempt_ns_ = monotonic_ns() + nanoseconds(retry_).count();
    retry_ = std::min(retry_ * 2, milliseconds(60'000));
    admin_error_ = error.text;
    admin_code_ = exit_code_of(error, Phase::connect);
    if (!admin_said_lost_) {
      log_warning("drain: " + error.text + "; going on without the admin interface");
      admin_said_lost_ = true;
    }
  }

  void look_by_kernel() {
    const auto clients = count_established(static_cast<uint16_t>(config().daemon.mysql_port),
                                           earlier(Deadline::after(kSocketTableWithin), deadline_));
    if (clients) {
      count(*clients, false);
      return;
    }
    record_.clients = -1;
    empty_since_ns_ = 0;
  }

  void gone(const std::string& reason) {
    gone_ = true;
    gone_reason_ = reason;
  }

  // Whether ProxySQL has ended, by its process, or else by its two ports.
  bool has_ended() const {
    if (process_) return process_->wait_gone(Deadline::after(nanoseconds(0)));
    const Deadline by = earlier(Deadline::after(kSocketTableWithin), deadline_);
    const auto mysql = read_listen_state(static_cast<uint16_t>(config().daemon.mysql_port), by, SocketSource::automatic,
                                         config().daemon.mysql_host);
    if (!mysql || mysql->listening) return false;
    if (is_unix_socket(config().admin.host)) return !is_served(config().admin.host);
    const auto admin =
        read_listen_state(static_cast<uint16_t>(config().admin.port), by, SocketSource::automatic, config().admin.host);
    return admin && !admin->listening;
  }

  int finish(DrainAction action) {
    if (action == DrainAction::pause_and_stop) pause();
    if (!policy_.stops) return end_drained();
    enter(DrainPhase::stop);
    const int64_t left = record_.clients;
    if (!process_) find_process();
    std::string how = ask_to_stop();
    bool ended = !how.empty() && wait_ended(earlier(Deadline::after(kShutdownAnswer), deadline_));
    if (!ended) {
      if (process_ && process_->signal(SIGTERM)) {
        how = "SIGTERM to process " + std::to_string(process_->pid());
        log_warning("drain: " + how + (admin_error_.empty() ? "" : ", for " + admin_error_));
      }
      ended = wait_ended(deadline_);
    }
    record_.clients = left;
    const std::string cut = left == 0 ? "no client was left" : clients_text(left) + " cut";
    if (!ended) {
      return end(DrainOutcome::failed, admin_code_ == 0 ? kExitTimeout : admin_code_,
                 "ProxySQL runs on: " + (admin_error_.empty() ? "it didn't end in time" : admin_error_) +
                     (process_ ? "" : ", and its process can't be seen from here to send it SIGTERM") + "; " +
                     (left == 0 ? "no client is left" : clients_text(left) + " left") +
                     ", readiness stays 503 until proxysql-pulse undrain");
    }
    return end(DrainOutcome::stopped, kExitOk, "ProxySQL was stopped by " + how + "; " + cut);
  }

  bool wait_ended(Deadline by) const {
    while (!has_ended()) {
      if (by.passed()) return false;
      wait_for_end(earlier(Deadline::after(kPoll), by));
    }
    return true;
  }

  // Waits until `by`, or until the process is seen to end; whether it was.
  bool wait_for_end(Deadline by) const {
    if (process_) return process_->wait_gone(by);
    pause_for(std::max(by.left(), nanoseconds(0)));
    return false;
  }

  // New connections are refused from its end on. It holds the admin mutex meanwhile, so nothing else is asked.
  void pause() {
    enter(DrainPhase::pause);
    log_warning("drain: " + clients_text(record_.clients) + " still here near the deadline: PROXYSQL PAUSE");
    const auto paused = client_->query("PROXYSQL PAUSE", last_steps());
    const bool already = !paused && paused.error().text.find("already paused") != std::string::npos;
    // One that wasn't answered in time may still come into effect. What somebody else has paused isn't ours to resume.
    if (paused || !is_refusal(paused.error())) record_.paused = 1;
    paused_ = paused || already;
    if (!paused_) {
      admin_error_ = paused.error().text;
      log_warning("drain: " + admin_error_);
    }
    client_.reset();  // some versions answer twice; what comes next asks on a connection of its own
    look_by_kernel();
  }

  // "" if it can't be asked: a connection that is lost on the way is ProxySQL's way to say yes.
  std::string ask_to_stop() {
    const Deadline by = earlier(Deadline::after(kShutdownAnswer), deadline_);
    if (record_.admin_unresponsive != 0 && !client_ && process_) return "";  // a signal is surer
    if (!client_) {
      auto client = AdminClient::connect(admin_target(config()), by);
      if (!client) {
        lose_admin(client.error());
        return gone_ ? "itself" : "";
      }
      client_ = std::move(*client);
    }
    const auto done = client_->query("PROXYSQL SHUTDOWN", by);
    client_.reset();
    if (done || (done.error().code >= 2000 && done.error().code < 3000)) return "PROXYSQL SHUTDOWN";
    admin_error_ = done.error().text;
    admin_code_ = exit_code_of(done.error(), Phase::act);
    if (done.error().code == ETIMEDOUT) record_.admin_unresponsive = 1;
    return "";
  }

  int end_drained() {
    if (record_.clients != 0 && !paused_) {
      return end(DrainOutcome::failed, admin_code_ == 0 ? kExitTimeout : admin_code_,
                 clients_text(record_.clients) + " still here at the deadline" +
                     (admin_error_.empty() ? "" : ": " + admin_error_) +
                     "; readiness stays 503 until proxysql-pulse undrain");
    }
    return end(DrainOutcome::drained, kExitOk,
               paused_ ? "drained and paused: new connections are refused; " + clients_text(record_.clients) + " left"
                       : "drained, no client is left; proxysql-pulse undrain ends it");
  }

  int end(DrainOutcome outcome, int code, const std::string& what) {
    std::string message = what;
    if (outcome == DrainOutcome::stopped || outcome == DrainOutcome::drained) {
      message += ", " + ms_text(monotonic_ns() - began_monotonic_ns_) + " after the drain began";
      if (record_.clients_first > 0) message += " with " + clients_text(record_.clients_first);
    }
    if (record_.admin_unresponsive != 0) {
      message += "; the admin interface was unresponsive" + (admin_error_.empty() ? "" : " (" + admin_error_ + ")");
    }
    if (!edits_.empty()) message += "; " + edits_ + " had been set and not loaded, and went live";
    set_text(record_.message, message);
    record_.outcome = static_cast<uint8_t>(outcome);
    if (record_.proxysql_started_ns == 0) record_.proxysql_started_ns = last_started_ns_;
    record_.ended_ns = boottime_ns();
    enter(DrainPhase::ended);
    if (code == kExitOk) {
      log_info("drain: " + message);
    } else {
      log_error("drain: " + message);
    }
    return code;
  }

  const Options& options_;
  const int64_t began_monotonic_ns_ = monotonic_ns();
  const int64_t began_ns_ = boottime_ns();
  StateAccess state_;
  DrainPolicy policy_;
  Deadline deadline_ = Deadline::at_monotonic_ns(0);
  std::optional<InstanceLock> beats_lock_;
  std::optional<ProcessHandle> process_;
  bool lost_ = false;
  DrainRecord record_{};
  DrainRecord before_{};
  int64_t last_started_ns_ = 0;  // by the last beat that saw ProxySQL; 0: none has

  std::optional<AdminClient> client_;
  int64_t next_attempt_ns_ = 0;
  milliseconds retry_ = kFirstRetry;
  bool admin_said_lost_ = false;
  std::string admin_error_;
  int admin_code_ = 0;

  int64_t threads_ = 0;
  int64_t last_questions_ = -1;
  int64_t last_created_ = -1;
  int64_t newcomer_ns_ = 0;  // when the last one was seen, or the first look taken
  int64_t empty_since_ns_ = 0;
  std::string edits_;
  bool paused_ = false;
  bool gone_ = false;
  std::string gone_reason_;
};

}  // namespace

Result<InstanceLock> try_drain_lock(const StateAccess& state, bool create) {
  return InstanceLock::try_take(state.path(), state.group(), create, ".drain.lock");
}

Result<void> undo_drain(const Config& config, const DrainRecord& record, Deadline deadline) {
  // On a connection of its own: some versions answer RESUME twice.
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return client.error();
  const auto seen = look_at(*client, deadline);
  if (!seen) return seen.error();
  if (!has_left_changes(record, started_ns(*seen))) return {};
  if (record.wait_timeout_ms >= 0) {
    if (auto edits = tell_unloaded_edits(*client, deadline); !edits) return edits.error();
    auto restored = set_timeouts(*client, record.poll_timeout_ms, record.wait_timeout_ms, deadline);
    if (!restored) return restored;
  }
  const bool paused = record.paused != 0 || record.phase == static_cast<uint8_t>(DrainPhase::pause);
  if (!paused || !seen->paused) return {};
  auto resumed = client->query("PROXYSQL RESUME", deadline);
  if (!resumed) return resumed.error();
  return {};
}

int run_drain(const Options& options) { return std::make_unique<Drain>(options).release()->run(); }

int run_undrain(const Options& options) {
  const int64_t began = monotonic_ns();
  arm_hard_timer(Deadline::after(options.timeout.value_or(milliseconds(5000))));
  limit_memory();
  StateAccess state(options);
  const auto fail = [](int code, const std::string& text) {
    log_error("undrain: " + text);
    return code;
  };
  if (!state.load()) return fail(kExitConfig, state.config_error());
  state.open_existing();
  if (state.layout() == nullptr) return fail(kExitUnavailable, state.problem());
  const Config& config = state.loaded().config;
  // Not the beat's timeout: somebody waits for this one.
  const Deadline deadline = io_deadline({began}, options.timeout.value_or(milliseconds(5000)));
  auto lock = try_drain_lock(state);
  while (lock && !lock->taken() && !deadline.passed()) {
    pause_for(kPoll);
    lock = try_drain_lock(state);
  }
  if (!lock) return fail(kExitUnavailable, lock.error().text);
  if (!lock->taken()) return fail(kExitSkipped, "a drain is under way; end it first (proxysql-pulse status shows it)");

  DrainRecord record{};
  int64_t since_ns = 0;
  bool read = false;
  const bool whole = guarded([&] {
    since_ns = state.layout()->draining_since_ns.load(std::memory_order_acquire);
    read = state.layout()->drain.read(record);
  });
  if (!whole || !read) return fail(kExitUnavailable, "the state segment " + state.path() + " can't be read");
  if (since_ns == 0) {
    log_info("undrain: nothing to do, no drain is in effect");
    return kExitOk;
  }
  auto client = AdminClient::connect(admin_target(config), deadline);
  if (!client) return fail(exit_code_of(client.error(), Phase::connect), client.error().text);
  const auto seen = look_at(*client, deadline);
  if (!seen) return fail(exit_code_of(seen.error(), Phase::observe), seen.error().text);
  const DrainLeft left = judge_drain(record, since_ns, started_ns(*seen));
  if (left != DrainLeft::other_boot) {
    if (seen->paused) record.paused = 1;  // whoever did it: this is to be in service again
    if (auto undone = undo_drain(config, record, deadline); !undone) {
      return fail(exit_code_of(undone.error(), Phase::act), undone.error().text);
    }
  }
  client->close(deadline);
  record.outcome = static_cast<uint8_t>(DrainOutcome::undone);
  static_cast<void>(guarded([&] {
    state.layout()->drain.publish(record);
    state.layout()->draining_since_ns.store(0, std::memory_order_release);
  }));
  log_info(left == DrainLeft::other_boot ? "undrain: the drain was of a ProxySQL that is gone; cleared away"
                                         : "undrain: back in service, with the timeouts as they were before");
  return kExitOk;
}

namespace {

constexpr std::array<Option, 2> kDrainOptions = {{
    {"no-shutdown", nullptr, "leave ProxySQL up; \"undrain\" puts it back into service\n",
     take_flag<&Options::no_shutdown>},
    timeout_option(3'000, 3'600'000, "of the whole drain, {}\n(pulse.drain.timeout_ms, 25000)\n"),
}};

constexpr std::array<Exit, 3> kDrainExits = {{
    {nullptr, kExitOk},
    {"ProxySQL couldn't be stopped: readiness stays 503 until \"undrain\"", kExitUnavailable, kExitStatement,
     kExitTimeout},
    {nullptr, kExitConfig},
}};

constexpr std::array<Option, 1> kUndrainOptions = {timeout_option(50, 60'000, "{} (5000)\n")};

constexpr std::array<Exit, 6> kUndrainExits = {{
    {nullptr, kExitOk},
    {"admin interface unreachable or login refused", kExitUnavailable},
    {nullptr, kExitStatement},
    {"a drain still runs", kExitSkipped},
    {nullptr, kExitConfig},
    {nullptr, kExitTimeout},
}};

}  // namespace

constinit const Command kDrainCommand = {
    .name = "drain",
    .summary = "lets clients leave, then shuts ProxySQL down",
    .usage = "[--no-shutdown] [OPTION...]",
    .about = R"(Lets clients leave, then shuts this ProxySQL down: readiness is 503 at once,
idle connections are closed while it still serves, and when nobody has been
there for a second, or at the deadline, it is stopped. For a preStop hook, and
for people. A second one waits for the first.
)",
    .options = kDrainOptions,
    .exits = kDrainExits,
    .timeout_key = "drain.timeout_ms",
    .run = run_drain,
};

constinit const Command kUndrainCommand = {
    .name = "undrain",
    .summary = "puts a ProxySQL that was drained back into service",
    .usage = "[OPTION...]",
    .about = R"(After a drain that left ProxySQL up, or failed: puts back what the drain has
changed, resumes a paused ProxySQL, lets readiness pass again.
)",
    .options = kUndrainOptions,
    .exits = kUndrainExits,
    .timeout_key = "timeout_ms",
    .run = run_undrain,
};

}  // namespace pulse
