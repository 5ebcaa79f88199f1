// Who the leader is, with several nodes and an API that fails: never two at once, and soon one again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "shm/record/job_runs.h"
#include "shm/record/leadership.h"
#include "shm/segment/segment.h"
#include "src/base/exit_code.h"
#include "tests/integration/kubernetes.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// A way to the API that can be cut, or stand still: what goes through it just stays there.
class Relay {
 public:
  explicit Relay(uint16_t to)
      : to_(to), port_(free_port()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = loopback_address(port_);
    const int yes = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 16) != 0) {
      ADD_FAILURE() << "no port for a relay";
    }
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    stopping_ = true;
    thread_.join();
  }

  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  void freeze(bool frozen) { frozen_ = frozen; }
  void cut(bool is_cut) { cut_ = is_cut; }

 private:
  struct Pair {
    UniqueFd a, b;
    bool ended = false;
  };

  void run() {
    while (!stopping_) {
      std::vector<pollfd> events{{listener_.get(), POLLIN, 0}};
      if (!frozen_) {
        for (const Pair& pair : pairs_) {
          events.push_back({pair.a.get(), POLLIN, 0});
          events.push_back({pair.b.get(), POLLIN, 0});
        }
      }
      ::poll(events.data(), events.size(), 10);
      if (cut_) pairs_.clear();
      if ((events[0].revents & POLLIN) != 0) accept();
      if (cut_ || frozen_) continue;
      for (Pair& pair : pairs_) pair.ended = !pass(pair.a, pair.b) || !pass(pair.b, pair.a);
      std::erase_if(pairs_, [](const Pair& pair) { return pair.ended; });
    }
  }

  void accept() {
    Pair pair;
    pair.a = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (cut_) return;  // closed at once
    pair.b = connect_loopback(to_);
    pairs_.push_back(std::move(pair));
  }

  static bool pass(const UniqueFd& from, const UniqueFd& to) {
    char buffer[16384];
    const ssize_t length = ::recv(from.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (length < 0) return errno == EAGAIN;
    return length > 0 && ::send(to.get(), buffer, static_cast<size_t>(length), MSG_NOSIGNAL) == length;
  }

  const uint16_t to_;
  const uint16_t port_;
  const UniqueFd listener_;
  std::vector<Pair> pairs_;
  std::atomic<bool> frozen_{false}, cut_{false}, stopping_{false};
  std::thread thread_;
};

// One node: a segment, made by a beat that finds no ProxySQL, and a daemon that reaches the API by a relay of its own.
class Node {
 public:
  Node(const KubernetesDouble& api, const std::string& identity, const std::string& leader = kFast,
       const std::string& jobs = "")
      : relay_(api.port()), server_([&] {
          Server::Options options;
          options.start = false;
          options.role = "core";
          options.pulse = "interval_ms=60000, discovery={ source=\"none\", kubernetes={ api=\"" + relay_.url() +
                          "\", service_account=\"" + api.account() + "\" } }, leader={ mode=\"lease\", identity=\"" +
                          identity + "\", " + leader + " }, jobs=( " + jobs + " ), ";
          return options;
        }()) {
    server_.beat();
    start();
  }

  // A Lease of 4 s.
  static constexpr const char* kFast = "duration_ms=4000, renew_ms=2000, retry_ms=200";

  void start() { daemon_ = std::make_unique<Daemon>(server_); }
  void stop() {
    daemon_->process().signal(SIGTERM);
    EXPECT_EQ(0, daemon_->process().wait());
  }
  Process& process() { return daemon_->process(); }
  Daemon& daemon() { return *daemon_; }
  const Server& server() const { return server_; }
  Relay& relay() { return relay_; }
  std::string log() { return daemon_->process().output(); }

  LeaderState state() const {
    SegmentOptions options;
    options.path = server_.state();
    options.create = false;
    options.writable = false;
    auto segment = Segment::open(options);
    LeaderState state{};
    EXPECT_TRUE(segment && segment->layout().leader.read(state));
    return state;
  }
  bool leads() const { return boottime_ns() < state().valid_until_ns; }
  json leader() const { return server_.status()["leader"]; }

 private:
  Relay relay_;
  Server server_;
  std::unique_ptr<Daemon> daemon_;
};

// Looks at all nodes all the time: at no instant do two lead.
class Watchdog {
 public:
  explicit Watchdog(std::vector<const Node*> nodes) : nodes_(std::move(nodes)) {
    thread_ = std::thread([this] {
      while (!stopping_) {
        look();
        std::this_thread::sleep_for(milliseconds(2));
      }
    });
  }
  ~Watchdog() {
    stopping_ = true;
    thread_.join();
    EXPECT_EQ(0, twice_) << "instants with two leaders, of " << looks_;
    EXPECT_GT(looks_, 0);
  }

 private:
  // A state that was read before and after the instant is the state at that instant.
  void look() {
    std::vector<int64_t> before, after;
    for (const Node* node : nodes_) before.push_back(node->state().valid_until_ns);
    const int64_t now = boottime_ns();
    for (const Node* node : nodes_) after.push_back(node->state().valid_until_ns);
    int leaders = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) leaders += before[i] == after[i] && now < before[i] ? 1 : 0;
    ++looks_;
    twice_ += leaders > 1 ? 1 : 0;
  }

  const std::vector<const Node*> nodes_;
  std::atomic<bool> stopping_{false};
  int looks_ = 0, twice_ = 0;
  std::thread thread_;
};

class LeaderTest : public ::testing::Test {
 protected:
  json lease() { return api_.control("lease proxysql-pulse-core")["lease"]; }
  std::string holder() {
    const json object = lease();
    return object.is_null() ? "none" : object["spec"]["holderIdentity"].get<std::string>();
  }

  const KubernetesDouble api_;
};

TEST_F(LeaderTest, OneOfThreeLeadsAndAllSayWho) {
  Node a(api_, "pod-a"), b(api_, "pod-b"), c(api_, "pod-c");
  const std::vector<Node*> nodes{&a, &b, &c};
  const Watchdog watchdog({&a, &b, &c});
  ASSERT_TRUE(eventually([&] { return a.leads() || b.leads() || c.leads(); })) << a.log();
  const std::string leader = holder();
  for (Node* node : nodes) {
    EXPECT_TRUE(eventually([&] { return node->leader()["holder"] == leader; })) << node->log();
    EXPECT_EQ("lease", node->leader()["mode"]);
    EXPECT_EQ(node->leads(), node->leader()["is_self"]);
    EXPECT_EQ("", node->leader()["error"]);
  }
  const json spec = lease()["spec"];
  EXPECT_EQ(4, spec["leaseDurationSeconds"]);
  EXPECT_EQ(0, spec["leaseTransitions"]);
  // It stays the one.
  const std::string renewed = spec["renewTime"];
  EXPECT_TRUE(eventually([&] { return lease()["spec"]["renewTime"] > renewed; }));
  EXPECT_EQ(leader, holder());
  EXPECT_EQ(spec["acquireTime"], lease()["spec"]["acquireTime"]);
  for (Node* node : nodes) {
    const std::string said = node->leads() ? "this node is the leader of the cores" : "the leader is " + leader;
    EXPECT_TRUE(eventually([&] { return node->log().find(said) != std::string::npos; })) << node->log();
    EXPECT_THAT(node->daemon().get("/status").body["leader"]["holder"].dump(), HasSubstr(leader));
    EXPECT_THAT(node->server().run({"status"}).output,
                HasSubstr(node->leads() ? "leader        this node, for " : "leader        " + leader));
  }
}

TEST_F(LeaderTest, AKilledLeaderIsFollowedWithinItsDuration) {
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  Node b(api_, "pod-b");
  ASSERT_TRUE(eventually([&] { return b.leader()["holder"] == "pod-a"; }));
  const Watchdog watchdog({&a, &b});
  const int64_t began = boottime_ns();
  a.process().signal(SIGKILL);
  ASSERT_TRUE(a.process().wait());
  EXPECT_TRUE(eventually([&] { return b.leads(); }));
  EXPECT_GT(nanoseconds(boottime_ns() - began), milliseconds(3500)) << "the Lease was good for so long";
  EXPECT_LT(nanoseconds(boottime_ns() - began), seconds(15));
  EXPECT_EQ(1, lease()["spec"]["leaseTransitions"]);
  EXPECT_EQ(1, b.leader()["transitions"]);
  EXPECT_FALSE(a.leads()) << "what it left in its segment has expired";
}

TEST_F(LeaderTest, AStoppedLeaderDoesNotLeadWhenItWakesUp) {
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.log().find("this node is the leader") != std::string::npos; }));
  Node b(api_, "pod-b");
  const Watchdog watchdog({&a, &b});
  ASSERT_TRUE(eventually([&] { return b.leader()["holder"] == "pod-a"; }));
  a.process().signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return b.leads(); }));
  a.process().signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return a.leader()["holder"] == "pod-b"; }));
  EXPECT_FALSE(a.leads());
  EXPECT_TRUE(b.leads());
  EXPECT_TRUE(eventually([&] { return a.log().find("this node is no longer the leader") != std::string::npos; }));
}

TEST_F(LeaderTest, ALeaderThatDoesNotReachTheApiStepsDownInTime) {
  for (const bool frozen : {true, false}) {
    Node a(api_, "pod-a"), b(api_, "pod-b");
    ASSERT_TRUE(eventually([&] { return a.leads() || b.leads(); }));
    Node& leader = a.leads() ? a : b;
    Node& other = a.leads() ? b : a;
    const Watchdog watchdog({&a, &b});
    ASSERT_TRUE(eventually([&] { return other.leader()["holder"] == holder(); }));
    if (frozen) leader.relay().freeze(true);
    if (!frozen) leader.relay().cut(true);
    EXPECT_TRUE(eventually([&] { return !leader.leads(); }));
    EXPECT_FALSE(other.leads()) << "not yet";
    EXPECT_TRUE(eventually([&] { return other.leads(); }));
    EXPECT_TRUE(eventually([&] { return leader.leader()["error"] != ""; }));
    EXPECT_TRUE(eventually([&] { return leader.log().find("leader: ") != std::string::npos; })) << leader.log();
    leader.relay().freeze(false);
    leader.relay().cut(false);
    EXPECT_TRUE(eventually([&] { return leader.leader()["error"] == ""; })) << leader.leader().dump();
    EXPECT_EQ(holder(), leader.leader()["holder"]);
    EXPECT_FALSE(leader.leads());
    a.stop();
    b.stop();
  }
}

TEST_F(LeaderTest, ALeaderThatEndsGivesTheLeaseBack) {
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  Node b(api_, "pod-b", "duration_ms=60000, renew_ms=40000, retry_ms=200");
  const Watchdog watchdog({&a, &b});
  ASSERT_TRUE(eventually([&] { return b.leader()["holder"] == "pod-a"; }));
  a.stop();
  EXPECT_TRUE(eventually([&] { return b.leads(); }, seconds(15))) << "long before 60 s";
  EXPECT_EQ("pod-b", holder());
}

TEST_F(LeaderTest, ARestartedDaemonGoesOn) {
  Node a(api_, "pod-a", "duration_ms=60000, renew_ms=40000, retry_ms=200");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  const Watchdog watchdog({&a});
  a.process().signal(SIGKILL);
  ASSERT_TRUE(a.process().wait());
  const std::string acquired = lease()["spec"]["acquireTime"], renewed = lease()["spec"]["renewTime"];
  EXPECT_TRUE(a.leads()) << "whoever is this node's daemon";
  a.start();
  EXPECT_TRUE(eventually([&] { return lease()["spec"]["renewTime"] > renewed; })) << a.log();
  EXPECT_TRUE(a.leads());
  EXPECT_EQ(acquired, lease()["spec"]["acquireTime"]);
  EXPECT_EQ(0, lease()["spec"]["leaseTransitions"]);
}

TEST_F(LeaderTest, ErrorsSayWhatToDoAndEnd) {
  struct Case {
    const char* fault;
    const char* error;
  };
  const Case cases[] = {
      {"403",
       "get lease proxysql/proxysql-pulse-core: give its service account get, create and update on leases: 403 "},
      {"401", "token a token of this cluster?: 401 Unauthorized"},
      {"500", "500 Internal Server Error: Internal error occurred"},
      {"429 1", "429 Too Many Requests"},
      {"html", "malformed JSON"},
      {"malformed", "malformed JSON"},
      {"truncated", "the answer ended before it was complete"},
      {"reset", "the connection was closed before an answer came"},
      {"hang", "no answer within 1 s"},
      {"wrong-certificate", "the server's certificate is not accepted"},
  };
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  for (const Case& test : cases) {
    api_.fault(test.fault);
    a.relay().cut(true);  // so that faults of the connection strike too
    ASSERT_TRUE(eventually([&] { return a.leader()["error"] != ""; }));
    a.relay().cut(false);
    EXPECT_TRUE(eventually([&] {
      return a.leader()["error"].get<std::string>().find(test.error) != std::string::npos;
    })) << test.fault
        << ": " << a.leader().dump();
    api_.clear();
    EXPECT_TRUE(eventually([&] { return a.leads() && a.leader()["error"] == ""; })) << test.fault << a.leader().dump();
    EXPECT_TRUE(a.leader()["failing_for_ms"].is_null());
  }
  EXPECT_EQ(0, lease()["spec"]["leaseTransitions"]) << "nobody else took it";
  EXPECT_TRUE(eventually([&] { return a.log().find("the leader is known again, after ") != std::string::npos; }))
      << a.log();
}

// Writes that are done but not answered, in a row: the Lease is recognised as this node's own.
TEST_F(LeaderTest, ALostAnswerCostsNothing) {
  // Long enough for six attempts on a busy machine.
  Node a(api_, "pod-a", "duration_ms=20000, renew_ms=15000, retry_ms=200");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  const std::string renewed = lease()["spec"]["renewTime"];
  const int requests = api_.stats()["lease"];
  api_.fault("lost times=6");
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(a.leads());
    return api_.stats()["lease"] > requests + 10 && lease()["spec"]["renewTime"] > renewed;
  }));
  EXPECT_TRUE(a.leads());
  EXPECT_THAT(a.log(), Not(HasSubstr("another process takes part")));
}

TEST_F(LeaderTest, TwoOfOneNameAreToldApart) {
  Node a(api_, "twin"), b(api_, "twin");
  const Watchdog watchdog({&a, &b});
  ASSERT_TRUE(eventually([&] { return a.leads() || b.leads(); }));
  Node& other = a.leads() ? b : a;
  EXPECT_TRUE(eventually([&] {
    return other.leader()["error"].get<std::string>().find("another process takes part as twin") == 0;
  })) << other.leader().dump();
  EXPECT_FALSE(other.leads());
}

// A leader whose scheduler starts nothing would do nothing that is the leader's.
TEST_F(LeaderTest, ANodeWithoutBeatsDoesNotLead) {
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  std::filesystem::remove(a.server().state());
  ASSERT_TRUE(eventually([&] { return a.daemon().get("/status").body["segment"]["problem"] != ""; }));
  Node b(api_, "pod-b");
  EXPECT_TRUE(eventually([&] { return b.leads(); })) << "it has a segment, and beats";
  a.server().beat();
  EXPECT_TRUE(eventually([&] { return a.leader()["holder"] == "pod-b"; }));
  EXPECT_TRUE(b.leads());
}

TEST_F(LeaderTest, AHangingApiDoesNotDelayTheEnd) {
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  a.relay().freeze(true);
  for (int i = 0; i < 20; ++i) {
    const Daemon::Answer answer = a.daemon().get("/healthz/live");
    EXPECT_EQ(200, answer.status);
    EXPECT_LT(answer.ms, 500);
  }
  const int64_t began = monotonic_ns();
  a.stop();
  EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(6));
}

TEST_F(LeaderTest, TheLowestMemberLeads) {
  api_.pod("core-0", "ip=10.0.0.1 labels=app:proxysql,component:core");
  api_.pod("core-1", "ip=10.0.0.2 labels=app:proxysql,component:core");
  const auto node = [&](const std::string& address) {
    Server::Options options;
    options.start = false;
    options.role = "core";
    options.pulse = "address=\"" + address +
                    "\", admin={ port=6032 }, interval_ms=60000, leader={ mode=\"lowest\" }, " +
                    "discovery={ source=\"kubernetes\", port=6032, max_age_ms=3000, kubernetes={ api=\"" + api_.url() +
                    "\", service_account=\"" + api_.account() + "\" } }, ";
    auto server = std::make_unique<Server>(options);
    server->beat();
    return server;
  };
  const auto first = node("10.0.0.1"), second = node("10.0.0.2");
  const Daemon first_daemon(*first), second_daemon(*second);
  const auto leads = [](const Server& server) { return server.status()["leader"]["is_self"] == true; };
  EXPECT_TRUE(eventually([&] { return leads(*first); })) << first->status()["leader"].dump();
  EXPECT_TRUE(eventually([&] { return second->status()["leader"]["holder"] == "core-0 10.0.0.1:6032"; }));
  EXPECT_FALSE(leads(*second));
  api_.pod("core-0", "ready=0");
  EXPECT_TRUE(eventually([&] { return leads(*second) && !leads(*first); }));
  api_.fault("500");
  api_.fault("reset times=4");
  EXPECT_TRUE(eventually([&] { return !leads(*second); })) << "the list is too old to act on";
  EXPECT_THAT(second->status()["leader"]["error"].get<std::string>(), HasSubstr("the list of members is "));
  api_.clear();
  EXPECT_TRUE(eventually([&] { return leads(*second); }));
}

// Jobs.

class LeaderJobTest : public LeaderTest {
 protected:
  // The arguments of a guard of a job for the leader.
  static std::vector<std::string> guard(const Node& node, const std::string& script, int timeout_ms = 60'000) {
    return {binary("proxysql-pulse"),
            "guard",
            "job",
            "--config=" + node.server().config(),
            "--timeout-ms=" + std::to_string(timeout_ms),
            "--leader-only",
            "--",
            "/bin/sh",
            "-c",
            script};
  }
  static Ran run(const Node& node, const std::string& script) {
    return run_to_end(guard(node, script), node.server().dir());
  }
  static json job(const Node& node) {
    const json all = node.server().status();
    return all["jobs"].empty() ? json::object() : all["jobs"][0];
  }
};

TEST_F(LeaderJobTest, RunsOnTheLeaderAlone) {
  Node a(api_, "pod-a");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  Node b(api_, "pod-b");
  ASSERT_TRUE(eventually([&] { return b.leader()["holder"] == "pod-a"; }));
  EXPECT_EQ(0, run(a, "true").exit_code);
  const Ran skipped = run(b, "echo never");
  EXPECT_EQ(kExitSkipped, skipped.exit_code);
  EXPECT_EQ("", skipped.output) << "that another node leads is as it should be";
  EXPECT_EQ(1, job(b)["counters"]["skipped_not_leader"]);
  EXPECT_EQ(0, job(b)["counters"]["started"]);
  EXPECT_EQ(true, job(a)["leader_only"]);
}

TEST_F(LeaderJobTest, IsStoppedWhenLeadershipIsLostAndBeforeAnotherNodeLeads) {
  // Its grace is longer than the time that there is.
  Node a(
      api_, "pod-a", Node::kFast,
      "{ name=\"job\" command=[\"/bin/sh\",\"-c\",\"trap '' TERM; echo up; for i in $(seq 600); do sleep 0.1; done\"] "
      "timeout_ms=60000 grace_ms=30000 leader_only=true }, ");
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  Node b(api_, "pod-b");
  ASSERT_TRUE(eventually([&] { return b.leader()["holder"] == "pod-a"; }));
  const Watchdog watchdog({&a, &b});
  Process stubborn(a.server().pulse({"job", "job"}), a.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return stubborn.output().find("up") != std::string::npos; })) << stubborn.output();
  a.process().signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return b.leads(); }));
  EXPECT_FALSE(stubborn.running());
  EXPECT_EQ(kExitSkipped, stubborn.wait());
  EXPECT_EQ("leader_lost", job(a)["outcome"]);
  EXPECT_THAT(
      job(a)["message"].get<std::string>(),
      HasSubstr(
          "stopped: this node is no longer the leader: leadership wasn't renewed: is proxysql-pulsed running?; "));
  a.process().signal(SIGCONT);
  ASSERT_TRUE(eventually([&] { return a.leader()["holder"] == "pod-b"; }));
  EXPECT_EQ(kExitSkipped, run(a, "echo never").exit_code);
}

TEST_F(LeaderJobTest, IsOverBeforeALeaderThatEndsGivesTheLeaseBack) {
  const char* const slow = "duration_ms=60000, renew_ms=40000, retry_ms=200";
  Node a(api_, "pod-a", slow);
  ASSERT_TRUE(eventually([&] { return a.leads(); }));
  Node b(api_, "pod-b", slow);
  ASSERT_TRUE(eventually([&] { return b.leader()["holder"] == "pod-a"; }));
  const Watchdog watchdog({&a, &b});
  Process tidy(guard(a, "trap 'sleep 0.7; echo tidied; exit 0' TERM; echo up; for i in $(seq 600); do sleep 0.1; done"),
               a.server().dir(), {});
  ASSERT_TRUE(eventually([&] { return tidy.output().find("up") != std::string::npos; })) << tidy.output();
  a.process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return b.leads(); }));
  EXPECT_FALSE(tidy.running());
  EXPECT_THAT(tidy.output(), HasSubstr("job job: tidied"));
  EXPECT_EQ("leader_lost", job(a)["outcome"]);
  EXPECT_EQ(0, a.process().wait());
}

// Each node starts the job again and again, as a scheduler does, and leaders are stopped one after the other.
TEST_F(LeaderJobTest, NeverRunsTwiceWhateverHappensToLeaders) {
  const TempDir shared;
  const std::string script = "exec 9>" + (shared / "lock") + "; flock -n 9 || { echo $PPID >> " + (shared / "twice") +
                             "; exit 1; }; echo x >> " + (shared / "started") +
                             "; trap '' TERM; for i in $(seq 1200); do sleep 0.05; done";
  const auto starts = [&] {
    std::ifstream file(shared / "started");
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  };
  Node a(api_, "pod-a"), b(api_, "pod-b"), c(api_, "pod-c");
  const std::vector<Node*> nodes{&a, &b, &c};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> schedulers;
  for (Node* node : nodes) {
    schedulers.emplace_back([&, node] {
      while (!stopping) {
        Process process(guard(*node, script), node->server().dir(), {});
        while (!process.wait(milliseconds(100))) {
          if (stopping) process.signal(SIGTERM);
        }
      }
    });
  }
  {
    const Watchdog watchdog({&a, &b, &c});
    for (int round = 1; round <= 4; ++round) {
      ASSERT_TRUE(eventually([&] { return starts() >= round; })) << round;
      const auto leader = std::find_if(nodes.begin(), nodes.end(), [](const Node* node) { return node->leads(); });
      if (leader == nodes.end()) continue;
      if (round % 2 == 0) {
        (*leader)->relay().freeze(true);
      } else {
        (*leader)->process().signal(SIGSTOP);
      }
      EXPECT_TRUE(eventually([&] { return starts() >= round + 1; })) << "another one goes on";
      (*leader)->relay().freeze(false);
      (*leader)->process().signal(SIGCONT);
    }
  }
  stopping = true;
  for (std::thread& scheduler : schedulers) scheduler.join();
  EXPECT_FALSE(std::filesystem::exists(shared / "twice"));
}

}  // namespace
}  // namespace pulse::test
