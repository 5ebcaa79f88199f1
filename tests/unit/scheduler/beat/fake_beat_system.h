// A beat's surroundings without a process, a file or a wait: a clock that stands still until it is moved, and a list of
// what was asked for, in order.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/beat/beat_system.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/layout.h"

namespace pulse {

struct FakeBeatSystem : BeatSystem {
  BootTime clock{1'000'000'000'000};
  std::vector<std::string> events;
  const Layout* layout = nullptr;  // to see the phase in which something was asked for

  std::deque<Result<bool>> locks{true};  // the last one stays
  KillResult kill_result = KillResult::killed;
  bool drain_lock_free = true;
  std::optional<uid_t> holder_user;
  std::string odd_lock;
  bool second_user = false;
  std::optional<pid_t> holder_process = 77;
  uint64_t own_namespace = 5;
  ProxySQLProcess proxysql{100, 7, 5, 11};  // what find_proxysql() finds, and what there is of it
  ProcessNow found = ProcessNow::same;
  std::optional<ProcessMemory> memory;
  LoadedConfig config;
  std::optional<Error> bad_config;
  std::optional<Error> unreachable;
  std::optional<Error> undo_error;
  // ProxySQL: rows of the next look, the last ones stay; errors by the statement that they answer.
  std::deque<std::vector<std::vector<std::string>>> looks;
  std::vector<std::pair<std::string, Error>> refusals;
  // Whole tables, by the statement that reads them; names first.
  std::map<std::string, std::vector<std::vector<std::string>>> tables;
  nanoseconds takes{0};  // each statement
  int pauses = 0;
  std::function<void(int)> on_pause = [](int) {};  // with their number, from 1

  void note(std::string event) { events.push_back(std::move(event)); }

  BootTime now() override { return clock; }
  pid_t pid() override { return 4711; }
  void pause(nanoseconds span) override {
    clock = clock + span;
    on_pause(++pauses);
  }
  void arm_hard_timer(MonotonicTime instant) override { note("arm " + std::to_string(instant.ns / 1'000'000)); }
  void mark_hard_timer(Layout&, uint64_t attempt) override { note("mark " + std::to_string(attempt)); }
  Result<bool> try_lock() override {
    note("lock");
    auto result = locks.front();
    if (locks.size() > 1) locks.pop_front();
    return result;
  }
  KillResult kill(pid_t pid, BootTime ran_at) override {
    note("kill " + std::to_string(pid) + " of " + std::to_string(ran_at.ns));
    return kill_result;
  }
  bool try_drain_lock() override {
    note("drain lock");
    return drain_lock_free;
  }
  uint64_t boot_id() override { return 9; }
  std::optional<pid_t> process_of_holder() override { return holder_process; }
  std::optional<uid_t> other_holder() override { return holder_user; }
  std::string lock_problem() override { return odd_lock; }
  bool is_second_user() override { return second_user; }
  uint64_t pid_namespace() override { return own_namespace; }
  std::pair<ProcessNow, uint32_t> look_at(const ProxySQLProcess& watched) override {
    note("look at " + std::to_string(watched.pid));
    return {found, proxysql.threads};
  }
  ProxySQLProcess find_proxysql(const Config&, Deadline) override {
    note("find ProxySQL");
    return proxysql;
  }
  std::optional<ProcessMemory> read_memory(const Config&, Deadline) override {
    note("read memory");
    return memory;
  }
  Result<const LoadedConfig*> load() override {
    note("load");
    if (bad_config) return *bad_config;
    return &config;
  }
  Result<std::unique_ptr<AdminSession>> connect(const Config&, Deadline deadline) override;
  Result<void> undo_drain(const Config&, const DrainRecord&, Deadline) override {
    note("undo drain");
    if (undo_error) return *undo_error;
    return {};
  }
};

class FakeSession final : public AdminSession {
 public:
  explicit FakeSession(FakeBeatSystem& system) : system_(system) {}

  Result<AdminResult> query(const std::string& statement, Deadline) override {
    const bool look = statement.rfind("SELECT 'memory'", 0) == 0;
    const bool everything = statement.find("stats_mysql_global") != std::string::npos;
    const bool pgsql = statement.find("stats_pgsql_global") != std::string::npos;
    const std::string shown = !look        ? statement
                              : pgsql      ? "look at everything and PostgreSQL"
                              : everything ? "look at everything"
                                           : "look at the cluster";
    system_.note(shown);
    system_.clock = system_.clock + system_.takes;
    for (const auto& [refused, error] : system_.refusals) {
      if (shown == refused) return error;
    }
    if (!look) return AdminResult{{{"1"}}, 1};
    AdminResult answer{system_.looks.front(), 0};
    if (system_.looks.size() > 1) system_.looks.pop_front();
    answer.rows.push_back({"now", "1000000", "", "", ""});
    if (everything) answer.rows.push_back({"global", "ProxySQL_Uptime", "100", "", ""});
    return answer;
  }
  Result<uint64_t> read(const std::string& statement, RowSink& sink, Deadline) override {
    system_.note(statement);
    const auto table = system_.tables.find(statement);
    if (table == system_.tables.end() || table->second.empty()) return uint64_t{0};
    const std::vector<std::string>& names = table->second.front();
    if (auto taken = sink.columns({names.begin(), names.end()}); !taken) return taken.error();
    for (size_t i = 1; i < table->second.size(); ++i) {
      if (auto taken = sink.row({table->second[i].begin(), table->second[i].end()}); !taken) return taken.error();
    }
    return uint64_t{0};
  }
  uint64_t connection_id() const override { return 5; }
  void say_goodbye(Deadline) override { system_.note("goodbye"); }

 private:
  FakeBeatSystem& system_;
};

inline Result<std::unique_ptr<AdminSession>> FakeBeatSystem::connect(const Config&, Deadline deadline) {
  note("connect until " + std::to_string(deadline.instant().ns / 1'000'000));
  clock = clock + takes;
  if (unreachable) return *unreachable;
  return std::unique_ptr<AdminSession>(std::make_unique<FakeSession>(*this));
}

// A segment on the heap, all zero bytes as a new one.
class BeatParts : public ::testing::Test {
 protected:
  BeatParts() { system_.layout = memory_.get(); }

  template <class T>
  static T read(const Section<T>& section) {
    T value{};
    EXPECT_TRUE(section.read(value));
    return value;
  }
  // What has been logged since the last call, without times.
  static std::string logged(const std::string& text) {
    std::string lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      const size_t level = line.find('[');
      lines += (lines.empty() ? "" : "\n") + (level == std::string::npos ? line : line.substr(level));
      at = end + 1;
    }
    return lines;
  }

  std::unique_ptr<Layout> memory_ = std::make_unique<Layout>();
  FakeBeatSystem system_;
  GuardedLayout layout_{memory_.get(), "/state", "this beat goes on without it"};
};

}  // namespace pulse
