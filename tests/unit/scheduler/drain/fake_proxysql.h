// A ProxySQL, its host and a segment for a drain, under a clock that stands still. Keeps a journal of what is done to
// them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/drain/drain_target.h"
#include "shm/segment/names.h"
#include "tests/fake_clock.h"

namespace pulse::test {

struct JournalLine {
  milliseconds at;  // after the drain's beginning
  std::string what;
};

class FakeProxySql final : public DrainedAdmin, public DrainedServer, public DrainNotice {
  FakeClock& clock_;
  const MonotonicTime deadline_;

 public:
  FakeProxySql(FakeClock& clock, milliseconds drain_timeout) : clock_(clock), deadline_(clock.now() + drain_timeout) {}

  // How it behaves.
  int64_t clients = 3;
  bool newcomers = false;  // a new client with every look
  bool pull_due = false;
  bool queries = false;  // somebody asks between two looks
  bool admin_unresponsive = false;
  bool ended = false;
  bool obeys_shutdown = true;
  bool obeys_sigterm = true;
  bool process_visible = true;
  bool kernel_counts = true;
  std::string edits;
  std::string pause_refusal;
  milliseconds pause_takes{1500};
  int64_t started_ns = clock_.boot_ns() - 3'600'000'000'000;            // on CLOCK_BOOTTIME
  Sighting seen{0, 0, 100, 1000, {0, 28'800'000, 2000, 2, false}, {}};  // uptime and clients are filled in
  int64_t pgsql_clients = 0;                                            // of `clients`
  bool only_mysql_pauses = false;
  DrainBefore before;
  VariablesReach reach{3, "0xA", {{"10.0.0.1", "0xA"}, {"10.0.0.2", "0xA"}}};
  std::optional<std::vector<std::string>> hosts{{"10.0.0.1", "10.0.0.2"}};  // connected to the admin interface
  std::vector<RestingSession> resting;                                      // clients that wait, longest first
  std::function<void()> looked_at_sessions;

  // What was done.
  std::vector<JournalLine> journal;
  DrainRecord record{};  // as it was last published

  Result<void> connect(Deadline by) override {
    write("connect");
    if (auto answer = answer_in(milliseconds(2), by); !answer) return answer;
    connected_ = true;
    return {};
  }
  void disconnect() override { connected_ = false; }
  bool is_connected() const override { return connected_; }

  Result<Sighting> look(Deadline by) override {
    EXPECT_TRUE(connected_);
    if (auto answer = answer_in(milliseconds(4), by); !answer) return answer.error();
    if (newcomers) ++seen.created;
    if (queries) ++seen.questions;
    seen.uptime_s = (clock_.boot_ns() - started_ns) / 1'000'000'000;
    seen.clients = clients;
    seen.mysql.clients = clients - pgsql_clients;
    if (seen.pgsql.is_served()) seen.pgsql.clients = pgsql_clients;
    return seen;
  }
  Result<std::string> unloaded_edits(Protocols which, Deadline by) override {
    write("unloaded edits" + of(which));
    if (auto answer = answer_in(milliseconds(1), by); !answer) return answer.error();
    return edits;
  }
  Result<bool> pull_is_due(Deadline by) override {
    if (auto answer = answer_in(milliseconds(1), by); !answer) return answer.error();
    return pull_due;
  }
  Result<void> lower(Protocols which, int64_t wait_timeout_ms, Deadline by) override {
    write("lower" + of(which) + " " + std::to_string(wait_timeout_ms));
    EXPECT_EQ(wait_timeout_ms, record.lowered_to_ms) << "published before it is done";
    EXPECT_TRUE(!which.mysql || record.wait_timeout_ms >= 0);
    EXPECT_TRUE(!which.pgsql || record.pgsql_wait_timeout_ms >= 0);
    if (auto answer = answer_in(milliseconds(3), by); !answer) return answer;
    for (ListenerSight* listener : {which.mysql ? &seen.mysql : nullptr, which.pgsql ? &seen.pgsql : nullptr}) {
      if (listener == nullptr) continue;
      listener->wait_timeout_ms = wait_timeout_ms;
      listener->poll_timeout_ms = kDrainPollTimeoutMs;
    }
    return {};
  }
  Result<void> restore(const DrainRecord& from, Deadline by) override {
    const std::string pgsql =
        from.pgsql_wait_timeout_ms < 0 ? "" : ", pgsql " + std::to_string(from.pgsql_wait_timeout_ms);
    write("restore " + std::to_string(from.poll_timeout_ms) + " " + std::to_string(from.wait_timeout_ms) + pgsql);
    if (auto answer = answer_in(milliseconds(3), by); !answer) return answer;
    seen.mysql.poll_timeout_ms = from.poll_timeout_ms;
    seen.mysql.wait_timeout_ms = from.wait_timeout_ms;
    if (!pgsql.empty()) seen.pgsql.poll_timeout_ms = from.pgsql_poll_timeout_ms;
    if (!pgsql.empty()) seen.pgsql.wait_timeout_ms = from.pgsql_wait_timeout_ms;
    return {};
  }
  Result<VariablesReach> variables_reach(Deadline by) override {
    write("reach");
    if (auto answer = answer_in(milliseconds(2), by); !answer) return answer.error();
    return reach;
  }
  Result<std::vector<RestingSession>> resting_sessions(milliseconds rests, Deadline by) override {
    write("sessions " + std::to_string(rests.count()));
    std::vector<RestingSession> list;
    for (const RestingSession& session : resting) {
      if (session.rests >= rests && list.size() < kCloseBatch) list.push_back(session);
    }
    if (looked_at_sessions) looked_at_sessions();
    if (auto answer = answer_in(milliseconds(2), by); !answer) return answer.error();
    return list;
  }
  Result<bool> close_session(uint32_t id, Deadline by) override {
    write("close " + std::to_string(id));
    if (auto answer = answer_in(milliseconds(1), by); !answer) return answer.error();
    const auto one = std::find_if(resting.begin(), resting.end(), [&](const auto& each) { return each.id == id; });
    if (one == resting.end()) return false;
    resting.erase(one);
    --clients;
    return true;
  }
  Result<void> pause(Deadline by) override {
    write("pause");
    if (!pause_refusal.empty()) return Error{pause_refusal, 1045};
    auto answer = answer_in(pause_takes, by);
    if (answer) seen.mysql.paused = true;
    if (answer && seen.pgsql.is_served()) seen.pgsql.paused = !only_mysql_pauses;
    return answer;
  }
  Result<void> shut_down(Deadline by) override {
    write("shutdown");
    if (auto answer = answer_in(milliseconds(7), by); !answer) return answer;
    ended = ended || obeys_shutdown;
    return {};
  }

  void find_process(Deadline by) override {
    write("find process");
    within(by);
    found_ = process_visible;
  }
  std::optional<pid_t> process() const override { return found_ ? std::optional<pid_t>(4711) : std::nullopt; }
  bool terminate() override {
    if (!found_) return false;
    write("SIGTERM");
    ended = ended || obeys_sigterm;
    return true;
  }
  std::optional<int64_t> count_clients(Deadline by) override {
    within(by);
    return kernel_counts ? std::optional<int64_t>(clients) : std::nullopt;
  }
  std::optional<std::vector<std::string>> admin_hosts(Deadline by) override {
    within(by);
    return hosts;
  }
  std::string own_host() const override { return "pod-0"; }
  bool has_ended(Deadline by) override {
    within(by);
    return ended;
  }
  bool wait_for_end(Deadline by) override {
    within(by);
    while (!(ended && found_) && clock_.now() < by.instant()) clock_.move_to(clock_.next_event(by.instant()));
    return ended && found_;
  }

  DrainBefore announce(int64_t began_boot_ns) override {
    write("announce");
    EXPECT_EQ(clock_.boot_ns(), began_boot_ns);
    return before;
  }
  void hold_beats(Deadline by, int64_t until_boot_ns) override {
    write("hold beats");
    within(by);
    EXPECT_GT(until_boot_ns, clock_.boot_ns());
  }
  void publish(const DrainRecord& published) override {
    if (published.phase != record.phase) write(std::string("phase ") + name(static_cast<DrainPhase>(published.phase)));
    record = published;
  }

  // The journal without its times, and when a line of it was written first.
  std::vector<std::string> lines() const {
    std::vector<std::string> list;
    for (const JournalLine& line : journal) list.push_back(line.what);
    return list;
  }
  std::vector<milliseconds> times_of(const std::string& what) const {
    std::vector<milliseconds> list;
    for (const JournalLine& line : journal) {
      if (line.what == what) list.push_back(line.at);
    }
    return list;
  }
  // The lines that begin so.
  std::vector<std::string> beginning(const std::string& with) const {
    std::vector<std::string> list;
    for (const JournalLine& line : journal) {
      if (line.what.starts_with(with)) list.push_back(line.what);
    }
    return list;
  }

 private:
  static std::string of(Protocols which) { return which.pgsql ? which.mysql ? " both" : " pgsql" : ""; }
  void write(std::string what) { journal.push_back({clock_.elapsed(), std::move(what)}); }
  void within(Deadline by) const { EXPECT_LE(by.instant(), deadline_) << "a wait beyond the drain's deadline"; }

  Result<void> answer_in(milliseconds span, Deadline by) {
    within(by);
    if (ended) return Error{"connect 127.0.0.1:6032: Connection refused", 2002};
    if (admin_unresponsive || clock_.now() + span > by.instant()) {
      clock_.move_to(by.instant());
      return Error{"127.0.0.1:6032: timed out", ETIMEDOUT};
    }
    clock_.pass(span);
    return {};
  }

  bool connected_ = false;
  bool found_ = false;
};

}  // namespace pulse::test
