// A core and two satellites with beats every 500 ms and a daemon each, asked for probes all the time, while something
// goes wrong every second or so. Afterwards nothing may be left of it: no memory, descriptor, thread, file or process,
// every counter adds up, and the cluster is as it should be. SOAK_MINUTES and SOAK_SEED: see ./run.
#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "scheduler/run/process.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using nlohmann::json;

constexpr int kIntervalMs = 500;
constexpr milliseconds kTimeout{400};

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

size_t entries_of(const std::string& directory) {
  size_t count = 0;
  std::error_code ignored;
  for (auto at = std::filesystem::directory_iterator(directory, ignored); at != std::filesystem::directory_iterator();
       ++at) {
    ++count;
  }
  return count;
}

long anonymous_kb(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stol(line.substr(8));
  }
  return 0;
}

// What a daemon holds.
struct Holdings {
  long anonymous = 0;
  size_t descriptors = 0;
  size_t threads = 0;
};

Holdings holdings_of(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  return {anonymous_kb(pid), entries_of(proc + "/fd"), entries_of(proc + "/task")};
}

struct Probed {
  uint64_t asked = 0;
  uint64_t unanswered = 0;
  double slowest_ms = 0;
};

// One ProxySQL with its daemon, and a thread that asks the daemon.
class Node {
 public:
  Node(const std::string& role, uint16_t core_port)
      : server_([&] {
          Server::Options options;
          options.role = role;
          options.beat_interval_ms = kIntervalMs;
          options.pulse = "timeout_ms=" + std::to_string(kTimeout.count()) +
                          ", backoff_max_ms=2000, satellite={ peer_timeout_ms=2000 }, drain={ settle_ms=0, "
                          "timeout_ms=4000 }, daemon={ mysql_dead_after_ms=2000 }, ";
          if (core_port != 0) {
            options.bootstrap = "{ hostname=\"127.0.0.1\", port=" + std::to_string(core_port) + ", comment=\"core\" },";
          }
          return options;
        }()) {
    restart_daemon();
    prober_ = std::thread([this] { probe(); });
  }
  ~Node() {
    stop_ = true;
    prober_.join();
  }

  Server& server() { return server_; }
  std::shared_ptr<Daemon> daemon() {
    const std::lock_guard<std::mutex> hold(mutex_);
    return daemon_;
  }
  void restart_daemon() {
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      daemon_.reset();
    }
    auto fresh = std::make_shared<Daemon>(server_);
    const std::lock_guard<std::mutex> hold(mutex_);
    daemon_ = std::move(fresh);
  }
  Probed probed() {
    const std::lock_guard<std::mutex> hold(mutex_);
    return probed_;
  }

 private:
  void probe() {
    const std::array<const char*, 4> paths = {"/healthz/ready", "/healthz/live", "/healthz/started", "/status"};
    for (size_t i = 0; !stop_; ++i) {
      // Held for the time of one request: a restart waits for it.
      const std::shared_ptr<Daemon> daemon = this->daemon();
      if (daemon) {
        const Daemon::Answer answer = daemon->get(paths[i % paths.size()]);
        const std::lock_guard<std::mutex> hold(mutex_);
        ++probed_.asked;
        probed_.unanswered += answer.status == 0 ? 1 : 0;
        probed_.slowest_ms = std::max(probed_.slowest_ms, answer.ms);
      }
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  Server server_;
  std::mutex mutex_;
  std::shared_ptr<Daemon> daemon_;
  Probed probed_;
  std::atomic<bool> stop_{false};
  std::thread prober_;
};

// Samples the one promise that must hold at every instant.
class BeatWatch {
 public:
  explicit BeatWatch(std::vector<Node*> nodes)
      : thread_([this, nodes = std::move(nodes)] {
          while (!stop_) {
            for (Node* node : nodes) {
              size_t now = 0;
              for (const pid_t pid : node->server().beats()) {
                const auto stat = read_process_stat(pid);
                now += stat && stat->state != 'T' && stat->state != 'Z' ? 1U : 0U;
              }
              if (now > most_) most_ = now;
            }
            std::this_thread::sleep_for(milliseconds(5));
          }
        }) {}
  ~BeatWatch() {
    stop_ = true;
    thread_.join();
  }
  size_t most() const { return most_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<size_t> most_{0};
  std::thread thread_;
};

class Soak {
 public:
  explicit Soak(uint64_t seed)
      : random_(seed),
        core_("core", 0),
        first_("satellite", core_.server().admin_port()),
        second_("satellite", core_.server().admin_port()) {}

  std::vector<Node*> nodes() { return {&core_, &first_, &second_}; }

  // Something goes wrong, somewhere.
  void disturb() {
    Node& node = *nodes()[below(3)];
    Server& server = node.server();
    switch (below(13)) {
      case 0:
      case 1: {
        static constexpr std::array<const char*, 5> kPhases = {"accept", "greeting", "login", "query", "result"};
        static constexpr std::array<const char*, 5> kKinds = {"silence", "slow", "reset", "garbage", "truncated"};
        note("fault");
        server.control(std::string("fault ") + kPhases[below(5)] + " " + kKinds[below(5)]);
        faulty_.insert(&node);
        break;
      }
      case 2:
        note("wedge of kind 1");
        server.control("wedge 1 " + std::to_string(1 + below(4)));
        break;
      case 3:
        note("wedge of kind 2");
        server.control("wedge 2");
        faulty_.insert(&node);
        break;
      case 4:
        mend(node);
        break;
      case 5:
        note("beat killed");
        signal_beat(server, SIGKILL);
        break;
      case 6:
        note("beat stopped");
        stopped_.push_back({&server, signal_beat(server, SIGSTOP)});
        break;
      case 7:
        note("daemon killed");
        if (auto daemon = node.daemon()) daemon->process().signal(SIGKILL);
        node.restart_daemon();
        break;
      case 8:
        note("ProxySQL killed");
        server.kill();
        faulty_.erase(&node);
        server.start();
        break;
      case 9:
        note("ProxySQL stopped for a second");
        server.process().signal(SIGSTOP);
        std::this_thread::sleep_for(milliseconds(1000));  // the fault's own length
        server.process().signal(SIGCONT);
        break;
      case 10:
        if (&node == &core_ || faulty_.count(&node) != 0) break;
        note("table emptied");
        server.control("unwedge");
        server.query("DELETE FROM proxysql_servers");
        server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
        break;
      case 11:
        note("drained and put back");
        mend(node);
        server.run({"drain", "--no-shutdown"});
        server.run({"undrain"});
        break;
      case 12:
        note("resync, maintenance");
        if (&node != &core_) server.run({"resync"});
        server.run({"maintenance", "on"});
        server.run({"maintenance", "off"});
        break;
    }
  }

  void mend(Node& node) {
    note("mended");
    node.server().control("clear");
    node.server().control("unwedge");
    faulty_.erase(&node);
  }

  uint64_t below(uint64_t bound) { return random_() % bound; }

  std::string told() const {
    std::string text;
    for (const auto& [what, times] : done_) {
      text += (text.empty() ? "" : ", ") + std::to_string(times) + " " + what;
    }
    return text;
  }

  // One that was stopped while it held the lock was killed by the next. One that was about to be skipped holds nothing
  // and bothers nobody: it goes on from where it was.
  void wake_the_stopped() {
    for (const auto& [server, stopped] : stopped_) {
      for (const pid_t pid : server->beats()) {
        if (pid == stopped) ::kill(pid, SIGCONT);
      }
    }
  }

  const std::string core_port() { return std::to_string(core_.server().admin_port()); }

 private:
  void note(const std::string& what) { ++done_[what]; }

  // The beat that runs at this moment, if one is met.
  static pid_t signal_beat(Server& server, int number) {
    const Deadline deadline = Deadline::after(milliseconds(2 * kIntervalMs));
    while (!deadline.passed()) {
      for (const pid_t pid : server.beats()) {
        ::kill(pid, number);
        return pid;
      }
    }
    return 0;
  }

  std::mt19937_64 random_;
  std::map<std::string, int> done_;
  std::set<Node*> faulty_;
  std::vector<std::pair<Server*, pid_t>> stopped_;
  Node core_;
  Node first_;
  Node second_;
};

TEST(Soak, NothingIsLeftOfAllThatGoesWrong) {
  if (is_real()) GTEST_SKIP() << "faults on request are the double's";
  const uint64_t seed = number_from("SOAK_SEED", 4711);
  const std::chrono::minutes span(number_from("SOAK_MINUTES", 2));
  std::printf("SOAK_SEED=%llu, %lld minutes\n", static_cast<unsigned long long>(seed),
              static_cast<long long>(span.count()));
  Soak soak(seed);
  const auto well = [&] {
    for (Node* node : soak.nodes()) {
      if (node->daemon()->state() != "beating") return false;
      const bool is_core = node == soak.nodes().front();
      const std::string table = node->server().column("SELECT port FROM runtime_proxysql_servers");
      if (!is_core && table != soak.core_port()) return false;
    }
    return true;
  };
  ASSERT_TRUE(eventually(well)) << soak.nodes()[1]->server().log();

  size_t most_beats = 0;
  {
    const BeatWatch watch(soak.nodes());
    const Deadline end = Deadline::after(span);
    while (!end.passed()) {
      soak.disturb();
      std::this_thread::sleep_for(milliseconds(200 + soak.below(1500)));
      if (::testing::Test::HasFailure()) break;
    }
    most_beats = watch.most();
  }
  soak.wake_the_stopped();
  for (Node* node : soak.nodes()) soak.mend(*node);
  std::printf("done: %s\n", soak.told().c_str());

  // One, and another that is skipped or finds the first one stopped.
  EXPECT_LE(most_beats, 2U);
  EXPECT_TRUE(eventually(well, seconds(60))) << "healed by itself";
  for (Node* node : soak.nodes()) {
    SCOPED_TRACE(node->server().config());
    // A fresh daemon's holdings, after some probes, are what one that has been through it may hold.
    auto daemon = node->daemon();
    const Holdings after = holdings_of(daemon->process().pid());
    daemon.reset();
    node->restart_daemon();
    ASSERT_TRUE(eventually([&] { return node->daemon()->state() == "beating"; }));
    const uint64_t asked = node->probed().asked;
    ASSERT_TRUE(eventually([&] { return node->probed().asked > asked + 20; }));
    const Holdings fresh = holdings_of(node->daemon()->process().pid());
    std::printf("daemon: %ld KB anonymous, %zu descriptors, %zu threads; a fresh one %ld KB, %zu, %zu\n",
                after.anonymous, after.descriptors, after.threads, fresh.anonymous, fresh.descriptors, fresh.threads);
    if (!is_sanitized()) {
      EXPECT_LE(after.anonymous, fresh.anonymous + 512);
    }
    EXPECT_LE(after.descriptors, fresh.descriptors + 2) << "a connection that is just being served may differ";
    EXPECT_EQ(fresh.threads, after.threads);

    const Probed probed = node->probed();
    std::printf("probes: %llu, %llu not answered while a daemon was replaced, slowest %.1f ms\n",
                static_cast<unsigned long long>(probed.asked), static_cast<unsigned long long>(probed.unanswered),
                probed.slowest_ms);

    const json status = node->server().status();
    const json& counters = status["counters"];
    std::printf("counters: %s\n", counters.dump().c_str());
    const auto ended =
        counters["ok"].get<int64_t>() + counters["failed"].get<int64_t>() + counters["timed_out"].get<int64_t>();
    const auto started = counters["started"].get<int64_t>();
    EXPECT_TRUE(started == ended || started == ended + 1) << "one may be running";
    EXPECT_GT(counters["ok"], 0);
    EXPECT_EQ(false, status["draining"]);
    EXPECT_TRUE(status["maintenance_since"].is_null());
    EXPECT_EQ("", status["segment"]["problem"]);
    // The segment and its two locks; nothing that a beat or a drain left over.
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(node->server().dir().path())) {
      files += entry.path().filename().string().rfind("state", 0) == 0 ? 1U : 0U;
    }
    EXPECT_LE(files, 3U);
    EXPECT_TRUE(eventually([&] { return node->server().beats().empty(); })) << "each one ends";
  }
}

}  // namespace
}  // namespace pulse::test
