// What hangs ProxySQL's admin interfaces when its tables are read at the wrong moment: query rules that change all the
// time, on nodes whose beats and daemons go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/admin/admin_client.h"
#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

constexpr int kRules = 4000;
constexpr int kChanges = 200;
constexpr seconds kHang{10};

// Asks a node's admin interface all the time.
class Asker {
 public:
  explicit Asker(const Server& server)
      : target_{server.address(), server.admin_port(), "radmin", "radmin", false}, thread_([this] { run(); }) {}
  ~Asker() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After stop().
  int answers() const { return answers_; }
  milliseconds longest() const { return longest_; }
  const std::string& error() const { return error_; }

 private:
  void run() {
    while (!stop_ && error_.empty()) {
      const int64_t began_ns = monotonic_ns();
      const Deadline deadline = Deadline::after(kHang);
      auto client = AdminClient::connect(target_, deadline);
      if (!client) {
        error_ = client.error().text;
      } else if (auto answer = client->query("SELECT 1", deadline); !answer) {
        error_ = answer.error().text;
      } else {
        ++answers_;
      }
      longest_ = std::max(longest_, std::chrono::duration_cast<milliseconds>(nanoseconds(monotonic_ns() - began_ns)));
      std::this_thread::sleep_for(milliseconds(50));
    }
  }

  const AdminTarget target_;
  std::atomic<bool> stop_{false};
  int answers_ = 0;
  milliseconds longest_{0};
  std::string error_;
  std::thread thread_;
};

TEST(ClusterLoad, ChangingQueryRulesHangNoAdminInterface) {
  Cluster cluster;
  Contents contents = cluster.contents();
  contents.rules = {{1, 0}};
  Node& core = cluster.add_core("core-0", contents, 500);
  cluster.add_core("core-1", contents, 600);
  for (int i = 0; i < 4; ++i) cluster.add_satellite("satellite-" + std::to_string(i));
  cluster.settle(contents);
  cluster.wait_until_settled(core);

  std::list<Asker> askers;
  for (Node& node : cluster.nodes()) askers.emplace_back(node.server());
  constexpr int kAtOnce = 500;
  for (int first = 2; first <= kRules; first += kAtOnce) {
    std::string insert =
        "INSERT INTO mysql_query_rules (rule_id, active, match_pattern, destination_hostgroup, apply) VALUES ";
    for (int rule = first; rule < first + kAtOnce && rule <= kRules; ++rule) {
      contents.rules[rule] = 0;
      insert +=
          (rule == first ? "(" : ", (") + std::to_string(rule) + ", 1, '^SELECT " + std::to_string(rule) + "$', 0, 1)";
    }
    core.server().query(insert);
  }
  const int64_t began_ns = monotonic_ns();
  for (int i = 0; i < kChanges; ++i) {
    const int rule = 1 + i * 19 % kRules;
    contents.rules[rule] = i + 1;
    core.server().query("UPDATE mysql_query_rules SET destination_hostgroup = " + std::to_string(i + 1) +
                        " WHERE rule_id = " + std::to_string(rule));
    core.server().query("LOAD MYSQL QUERY RULES TO RUNTIME");
    std::this_thread::sleep_for(milliseconds(60));
  }
  const int64_t took_ms = (monotonic_ns() - began_ns) / 1'000'000;
  print_figure("the last change everywhere: " + show(cluster.wait_until_all_have(contents, "all changes")));
  milliseconds longest{0};
  int answers = 0;
  for (Asker& asker : askers) {
    asker.stop();
    EXPECT_EQ("", asker.error());
    longest = std::max(longest, asker.longest());
    answers += asker.answers();
  }
  int64_t timed_out = 0, beats = 0;
  for (Node& node : cluster.nodes()) {
    EXPECT_TRUE(eventually([&] { return node.daemon().state() == "beating"; })) << node.status().dump(1);
    const nlohmann::json status = node.status();
    timed_out += status["counters"]["timed_out"].get<int64_t>();
    beats += status["counters"]["started"].get<int64_t>();
  }
  print_figure(std::to_string(kChanges) + " changes of " + std::to_string(kRules) + " rules in " +
               std::to_string(took_ms) + " ms: " + std::to_string(answers) +
               " answers of 6 admin interfaces, the longest " + std::to_string(longest.count()) + " ms; " +
               std::to_string(timed_out) + " of " + std::to_string(beats) + " beats timed out");
}

}  // namespace
}  // namespace pulse::test
