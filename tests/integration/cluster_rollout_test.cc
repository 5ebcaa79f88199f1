// A new deployment's configuration wins over the one that runs, and the old one never comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <regex>

#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// Stands between a node and a core's admin interface. The first connection, over which the node checks the core, gets
// its greeting late, and each pull, which has a connection of its own, gets it once the node has loaded its file, or
// after kLongestPull: ProxySQL gives up after a second. So the pull brings the old contents after the load, whatever
// the machine's speed. (What is said can't be seen: ProxySQL insists on TLS here.)
class SlowWay {
 public:
  SlowWay(const std::string& address, uint16_t port, std::string to)
      : to_(std::move(to)), port_(port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in own = loopback_address(port, address.c_str());
    EXPECT_EQ(0, ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own));
    EXPECT_EQ(0, ::listen(listener_.get(), 16));
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~SlowWay() {
    stop_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
  }
  // Another node comes.
  void begin() {
    loaded_ = false;
    connections_ = 0;
  }
  // It has loaded of its file what is pulled first.
  void loaded() { loaded_ = true; }
  int pulls() const { return std::max(0, connections_ - 1); }

  static constexpr milliseconds kFirst{300};
  static constexpr milliseconds kLongestPull{850};

 private:
  void accept_all() {
    for (;;) {
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      const bool is_pull = connections_++ > 0;
      threads_.emplace_back([this, is_pull, fd = std::move(client)] { carry(fd, is_pull); });
    }
  }
  void carry(const UniqueFd& client, bool is_pull) const {
    const Deadline longest = Deadline::after(kLongestPull);
    if (!is_pull) std::this_thread::sleep_for(kFirst);
    while (is_pull && !loaded_ && !longest.passed() && !stop_) std::this_thread::sleep_for(milliseconds(5));
    const UniqueFd server = connect_loopback(port_, 5, to_.c_str());
    std::string bytes(65536, '\0');
    while (server && !stop_) {
      pollfd waits[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
      if (::poll(waits, 2, 50) <= 0) continue;
      for (const int from : {0, 1}) {
        if (waits[from].revents == 0) continue;
        const ssize_t got = ::recv(waits[from].fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) return;
        if (::send(waits[1 - from].fd, bytes.data(), static_cast<size_t>(got), MSG_NOSIGNAL) != got) return;
      }
    }
  }

  const std::string to_;
  const uint16_t port_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> loaded_{false};
  std::atomic<int> connections_{0};
  UniqueFd listener_;
  std::thread acceptor_;
  std::list<std::thread> threads_;  // the acceptor's, until it has ended
};

TEST(ClusterRollout, TheNewConfigurationWinsAndStays) {
  Cluster cluster;
  const Deployments deployments(cluster.contents());
  for (int i = 0; i < 3; ++i) cluster.add_core("old-" + std::to_string(i), deployments.before, 600 - i);
  for (int i = 0; i < 2; ++i) cluster.add_satellite("satellite-" + std::to_string(i));
  cluster.settle(deployments.before);
  Traffic traffic(cluster.satellites());
  const auto core = [&](const std::string& name) -> Node& {
    for (Node& node : cluster.nodes()) {
      if (node.name() == name) return node;
    }
    throw std::runtime_error("no core " + name);
  };

  // Side by side with the old ones.
  Watcher watcher(cluster, deployments.after);
  cluster.add_core("new-0", deployments.after);
  const auto lags = cluster.wait_until_all_have(deployments.after, "the first new core");
  print_figure("new configuration everywhere: " + show(lags));
  watcher.look_for(4);

  // An old core's ProxySQL crashes and starts from its file, as a container without a volume does; then from its disk.
  for (const bool wiped : {true, false}) {
    Node& old = core("old-2");
    old.kill();
    watcher.spare(old);
    if (wiped) old.server().wipe();
    old.start();
    print_figure(std::string("an old core started from its ") + (wiped ? "file: " : "disk: ") +
                 show(cluster.wait_until_all_have(deployments.after, "an old core started again")));
    watcher.look_for(4);
  }
  EXPECT_EQ("aside", core("old-2").status()["authority"]["standing"]);

  cluster.remove(core("old-1"));
  watcher.look_for(2);
  cluster.add_core("new-1", deployments.after);
  cluster.add_core("new-2", deployments.after);
  watcher.look_for(2);
  cluster.remove(core("old-0"));
  cluster.remove(core("old-2"));
  watcher.look_for(4);

  cluster.settle(deployments.after);
  watcher.look_for(4);
  EXPECT_EQ("", watcher.relapses()) << cluster.describe();
  EXPECT_GT(watcher.looks(), 10U);  // hundreds, where the machine has nothing else to do
  traffic.stop();
  EXPECT_EQ(0, traffic.failures()) << traffic.error();
}

// Whether a pull has ended after the module's load, by the log of ProxySQL or of its double.
bool was_overwritten(const std::string& log) {
  for (const auto& [command, names] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"MYSQL SERVERS", {"mysql_servers_v2", "MySQL Servers v2"}},
           {"MYSQL USERS", {"mysql_users", "MySQL Users"}},
           {"MYSQL QUERY RULES", {"mysql_query_rules", "MySQL Query Rules"}}}) {
    const size_t load = log.find("Received LOAD " + command + " TO RUNTIME command");
    for (const std::string& name : names) {
      const std::string fetching = "Cluster: Fetching " + name + " from peer ";
      for (size_t at = log.find(fetching, load); load != log.npos && at != log.npos; at = log.find(fetching, at + 1)) {
        if (log.substr(at, log.find('\n', at) - at).find("completed") != log.npos) return true;
      }
    }
  }
  return false;
}

// ProxySQL begins to pull at its third check of the core, some 0.7 s after its start here, one module after the other.
// The first beat loads the file's at some moment of that. What a pull brings afterwards must not stay.
TEST(ClusterRollout, AStampDuringAPullIsEverywhereInTheEnd) {
  Cluster cluster;
  Contents contents = cluster.contents();
  contents.rules = {{1, 1}};
  Node& old = cluster.add_core("old", contents, 600);
  cluster.add_satellite("satellite-0");
  cluster.settle(contents);
  constexpr int kSlowHost = 240;
  SlowWay way(cluster.subnet().address(kSlowHost), cluster.admin_port(), old.address());

  Node* before = nullptr;
  int overwritten = 0;
  // A real one's tables can't be read during a pull, so that its beats come before or after.
  for (int i = 0; i < 10; ++i) {
    contents.users["user-" + std::to_string(i)] = i;
    contents.users.erase("user-" + std::to_string(i - 2));
    contents.servers = cluster.contents().servers;
    contents.servers["192.0.2.1:" + std::to_string(3300 + i)] = i + 1;
    contents.rules = {{1, i + 2}, {i + 2, 1}};
    const milliseconds delay(400 + 1500 * i / 9);
    SCOPED_TRACE("stamped " + std::to_string(delay.count()) + " ms after the start");

    // What was loaded in this second isn't loaded again: ProxySQL's start belongs to the second before the first
    // beat's.
    std::this_thread::sleep_for(nanoseconds(1'750'000'000 - clock_ns(CLOCK_REALTIME) % 1'000'000'000) % seconds(1));
    way.begin();
    Node& core = cluster.start_core("new-" + std::to_string(i), contents,
                                    "interval_ms=500, core={ authority=\"always\", apply=\"on_boot\" },", 0,
                                    cluster.subnet().name(kSlowHost));
    const Deadline first = Deadline::after(delay);
    const Deadline pulls_are_over = Deadline::after(milliseconds(2500));
    // A beat that has looked before the pulls begin is still at work when they do.
    if (!is_real()) core.server().control("hold match=\"FROM CONFIG\" ms=80");
    cluster.publish(core);
    std::this_thread::sleep_for(first.left());
    // No scheduler row: the beats are this test's, every half second from that moment on.
    const std::regex load("LOAD MYSQL [A-Z ]+ TO RUNTIME: ");
    int64_t loads = 0;
    int64_t good_since = 0;
    std::thread release([&] {
      eventually([&] {
        std::this_thread::sleep_for(milliseconds(2));
        return core.server().log().find("Received LOAD MYSQL QUERY RULES TO RUNTIME command") != std::string::npos;
      });
      way.loaded();
    });
    const std::unique_ptr<std::thread, void (*)(std::thread*)> released(&release, [](std::thread* it) { it->join(); });
    const Deadline deadline = Deadline::after(seconds(40));
    while (good_since == 0 || !pulls_are_over.passed() || monotonic_ns() - good_since < 1'000'000'000) {
      ASSERT_FALSE(deadline.passed()) << cluster.describe();
      const Deadline next = Deadline::after(milliseconds(500));
      const std::string said = core.server().beat().output;
      loads += std::distance(std::sregex_iterator(said.begin(), said.end(), load), std::sregex_iterator());
      do {
        const bool good = cluster.all_have(contents) && cluster.all_right();
        if (!good) good_since = 0;
        if (good && good_since == 0) good_since = monotonic_ns();
        std::this_thread::sleep_for(milliseconds(20));
      } while (!next.passed());
    }
    if (was_overwritten(core.server().log())) ++overwritten;
    print_figure(std::to_string(delay.count()) + " ms after the start: " + std::to_string(way.pulls()) +
                 " pulls under way, " + std::to_string(loads) + " loads of 4 modules");
    if (before != nullptr) cluster.remove(*before);
    before = &core;
  }
  print_figure("a pull overwrote a load in " + std::to_string(overwritten) + " of them");
  if (!is_real() && overwritten == 0) GTEST_SKIP() << "this machine is too busy: no load and no pull have met";
}

TEST(ClusterRollout, SatellitesFollowWhenAllCoresWereReplacedAtOnce) {
  Cluster cluster;
  const Deployments deployments(cluster.contents());
  for (int i = 0; i < 2; ++i) cluster.add_core("core-" + std::to_string(i), deployments.before, 600 - i);
  for (int i = 0; i < 2; ++i) cluster.add_satellite("satellite-" + std::to_string(i));
  cluster.settle(deployments.before);
  Traffic traffic(cluster.satellites());

  for (Node* core : cluster.cores()) cluster.remove(*core);
  std::vector<Node*> cores;
  for (int i = 0; i < 2; ++i) cores.push_back(&cluster.start_core("core-" + std::to_string(i), deployments.after));
  for (Node* core : cores) cluster.publish(*core);
  print_figure("the new cores' file: " + show(cluster.wait_until_all_have(deployments.after, "all were replaced")));

  // And what is then changed on one of them.
  for (const Node* core : cores) cluster.wait_until_settled(*core);
  Contents changed = deployments.after;
  changed.users["later"] = 3;
  cores[1]->server().query("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('later', 'x', 3)");
  cores[1]->server().query("LOAD MYSQL USERS TO RUNTIME");
  const auto lags = cluster.wait_until_all_have(changed, "a change on a new core");
  print_figure("a change on a new core: " + show(lags));
  EXPECT_LE(most_beats(lags), 3) << show(lags);
  cluster.settle(changed);
  traffic.stop();
  EXPECT_EQ(0, traffic.failures()) << traffic.error();
}

}  // namespace
}  // namespace pulse::test
