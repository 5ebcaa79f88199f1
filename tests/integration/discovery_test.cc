// Discovery against the Kubernetes API double: what it publishes, and what it does while the API is broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "shm/segment/segment.h"
#include "tests/integration/kubernetes.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kCore = " labels=app:proxysql,component:core";
const std::string kSatellite = " labels=app:proxysql,component:satellite";

// A segment, made by a beat that finds no ProxySQL, and a daemon: discovery needs no more.
class Node {
 public:
  explicit Node(const std::string& discovery, const std::string& more = "")
      : server_([&] {
          Server::Options options;
          options.start = false;
          options.pulse = "interval_ms=1000, discovery={ " + discovery + " }, " + more;
          return options;
        }()) {
    server_.beat();
    daemon_ = std::make_unique<Daemon>(server_);
  }
  // The usual pods' node.
  explicit Node(const KubernetesDouble& api, const std::string& more = "")
      : Node("source=\"kubernetes\", port=6032, watch_ms=2000, kubernetes={ api=\"" + api.url() +
                 "\", service_account=\"" + api.account() + "\" }",
             more) {}

  Daemon& daemon() { return *daemon_; }
  const Server& server() const { return server_; }
  void restart() {
    daemon_.reset();
    daemon_ = std::make_unique<Daemon>(server_);
  }

  json status() const {
    const json body = daemon_->get("/status").body;
    return body.is_object() && body.contains("discovery")
               ? body
               : json{{"discovery", json::object()}, {"members", json::array()}};
  }
  json discovery() const { return status()["discovery"]; }
  std::string error() const { return discovery().value("error", ""); }
  bool failing() const { return discovery().value("failing_for_ms", json()).is_number(); }
  bool fresh() const {
    const json age = discovery().value("ok_age_ms", json());
    return age.is_number() && age < 1100;
  }
  std::vector<std::string> members() const {
    std::vector<std::string> out;
    const json all = status();
    for (const json& member : all["members"]) out.push_back(member["address"]);
    return out;
  }
  std::string log() { return daemon_->process().output(); }

 private:
  Server server_;
  std::unique_ptr<Daemon> daemon_;
};

void three_pods(const KubernetesDouble& api) {
  api.pod("core-0", "ip=10.0.0.1" + kCore);
  api.pod("core-1", "ip=10.0.0.2" + kCore);
  api.pod("satellite-0", "ip=10.0.1.1" + kSatellite);
}
const std::vector<std::string> kThree = {"10.0.0.1", "10.0.0.2", "10.0.1.1"};

TEST(DiscoveryTest, PodsComeChangeAndGoWithinASecond) {
  const KubernetesDouble api;
  three_pods(api);
  Node node(api);
  ASSERT_TRUE(eventually([&] { return node.members() == kThree; })) << node.log();
  const json first = node.status();
  EXPECT_EQ("kubernetes", first["discovery"]["source"]);
  EXPECT_TRUE(first["discovery"]["failing_for_ms"].is_null());
  EXPECT_EQ("", first["discovery"]["error"]);
  EXPECT_EQ(0, first["discovery"]["members_left_out"]);
  const json& core = first["members"][0];
  EXPECT_EQ("core-0", core["name"]);
  EXPECT_EQ("core", core["role"]);
  EXPECT_EQ(6032, core["port"]);
  EXPECT_EQ(true, core["ready"]);
  EXPECT_EQ(false, core["self"]);
  EXPECT_EQ(false, core["in_proxysql_servers"]);
  EXPECT_LT(core["age_s"].get<int>(), 60);
  EXPECT_EQ("satellite", first["members"][2]["role"]);

  const auto within_a_second = [&](const std::vector<std::string>& expected) {
    return eventually([&] { return node.members() == expected; }, seconds(1));
  };
  api.pod("core-2", "ip=10.0.0.0" + kCore);
  EXPECT_TRUE(within_a_second({"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.1.1"}));
  api.pod("core-1", "deleting=1");
  EXPECT_TRUE(within_a_second({"10.0.0.0", "10.0.0.1", "10.0.1.1"}));
  api.remove("core-0");
  EXPECT_TRUE(within_a_second({"10.0.0.0", "10.0.1.1"}));
  api.pod("satellite-0", "ready=0");
  EXPECT_TRUE(eventually([&] { return node.status()["members"][1]["ready"] == false; }, seconds(1)));
  api.pod("satellite-0", "labels=app:other");
  EXPECT_TRUE(within_a_second({"10.0.0.0"}));
  api.pod("satellite-1", "phase=Pending" + kSatellite);
  api.pod("satellite-1", "ip=fd00::1 phase=Running");
  EXPECT_TRUE(within_a_second({"10.0.0.0", "fd00::1"}));

  // Several watches end and go on; nothing is listed again, and the list never is in doubt.
  const int lists = api.stats()["list"];
  const int watches = api.stats()["watch"];
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(node.fresh());
    return api.stats()["watch"] >= watches + 4;
  }));
  EXPECT_EQ(lists, api.stats()["list"]);
  EXPECT_EQ(0, node.discovery()["failures"]);
  EXPECT_EQ(2, api.stats()["connections_total"]) << "kept open";
  EXPECT_THAT(node.log(), HasSubstr("core-2 10.0.0.0"));
}

TEST(DiscoveryTest, TheNodeKnowsItself) {
  const KubernetesDouble api;
  three_pods(api);
  Node node(
      "source=\"kubernetes\", kubernetes={ api=\"" + api.url() + "\", service_account=\"" + api.account() + "\" }",
      "address=\"10.0.0.2\", admin={ port=6032 }, ");
  ASSERT_TRUE(eventually([&] { return node.members() == kThree; }));
  EXPECT_EQ(false, node.status()["members"][0]["self"]);
  EXPECT_EQ(true, node.status()["members"][1]["self"]);
  EXPECT_THAT(node.server().run({"status"}).output, HasSubstr("core-1, this node"));
}

TEST(DiscoveryTest, AThousandPodsArePagedAndTheDaemonStaysSmall) {
  const KubernetesDouble api;
  for (const char* core : {"0", "1", "2"})
    api.pod(std::string("core-") + core, std::string("ip=10.9.0.") + core + kCore);
  api.control("pods satellite 1030" + kSatellite);
  Node node(api);
  ASSERT_TRUE(eventually([&] { return node.members().size() == 1024; })) << node.log();
  EXPECT_EQ(9, node.discovery()["members_left_out"]);
  EXPECT_EQ(12, api.stats()["pages"]);
  api.control("compact");
  ASSERT_TRUE(eventually([&] { return api.stats()["pages"] >= 24; })) << "again";
  long anonymous_kb = 0;
  std::ifstream status("/proc/" + std::to_string(node.daemon().process().pid()) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) anonymous_kb = std::stol(line.substr(8));
  }
  std::printf("anonymous memory with 1033 pods: %ld KB\n", anonymous_kb);
  if (!is_sanitized()) {
    EXPECT_LT(anonymous_kb, 8192);
  }
  std::printf("/status with 1024 members: %.1f ms\n", node.daemon().get("/status").ms);
  EXPECT_THAT(node.server().run({"status"}).output, HasSubstr("and 1004 more"));
}

// One way in which the API is broken, and what /status says of it.
struct Fault {
  const char* name;
  const char* fault;
  const char* says;
  bool needs_list = false;  // a watch alone doesn't meet it
};

// Many poll at once here.
bool eventually_slowly(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::after(kPatience);
  while (!condition()) {
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(milliseconds(30));
  }
  return true;
}

void break_and_mend(const Fault& broken) {
  SCOPED_TRACE(broken.name);
  const KubernetesDouble api;
  three_pods(api);
  Node node(api);
  ASSERT_TRUE(eventually_slowly([&] { return node.members() == kThree && node.fresh(); })) << node.log();

  api.fault(broken.fault);
  // Faults of new connections meet none that is open.
  if (std::string(broken.name) != "Reset") api.fault("reset times=2");
  if (broken.needs_list) api.control("compact");
  EXPECT_TRUE(eventually_slowly([&] {
    EXPECT_EQ(kThree, node.members());
    return node.failing() && node.error().find(broken.says) != std::string::npos;
  })) << node.error()
      << node.log();
  const int64_t failing = node.discovery()["failing_for_ms"];
  EXPECT_TRUE(eventually_slowly([&] {
    EXPECT_EQ(kThree, node.members());
    const json now = node.discovery()["failing_for_ms"];
    EXPECT_TRUE(now.is_number()) << "not over while it lasts";
    return !now.is_number() || now.get<int64_t>() > failing + 1000;
  }));
  EXPECT_GT(node.discovery()["ok_age_ms"], 900);
  EXPECT_THAT(node.log(), HasSubstr("[warning] discovery: "));
  // What happens meanwhile is made up for.
  api.pod("core-2", "ip=10.0.0.3" + kCore);
  api.clear();
  EXPECT_TRUE(eventually_slowly([&] { return !node.failing() && node.fresh() && node.members().size() == 4; }))
      << node.error() << node.log();
  EXPECT_EQ("", node.error());
  EXPECT_THAT(node.log(), HasSubstr("discovery works again"));
}

constexpr Fault kFaults[] = {
    Fault{"Unauthorized", "401", "401 Unauthorized"},
    Fault{"Forbidden", "403", "give its service account list and watch on pods: 403 Forbidden"},
    Fault{"Gone", "410", "410"},
    Fault{"TooManyRequests", "429 for=any 1", "429"},
    Fault{"InternalError", "500", "500"},
    Fault{"Unavailable", "503", "503"},
    Fault{"Empty", "empty for=list", "an empty list, where ", true},
    Fault{"Html", "html", "malformed JSON"},
    Fault{"Malformed", "malformed", "malformed JSON", true},
    Fault{"Truncated", "truncated", "the answer ended before it was complete"},
    Fault{"Reset", "reset", "the connection was closed"},
    Fault{"Hang", "hang", "no answer within 8 s"},
    Fault{"Slow", "slow", "no answer within 8 s"},
    Fault{"WrongCertificate", "wrong-certificate", "certificate is not accepted: unable to get local"},
    Fault{"ExpiredCertificate", "expired-certificate", "certificate has expired"},
    Fault{"WrongName", "wrong-name", "it is not for 127.0.0.1"},
    Fault{"NoAccept", "noaccept", "TLS: no answer within 5 s"},
    Fault{"Refuse", "refuse", "connect: Connection refused"}};

// All at once, each with an API and a daemon of its own: they mostly wait.
TEST(BrokenApiTest, NobodyIsRemovedAndItIsSaidAndItMends) {
  std::vector<std::thread> threads;
  for (const Fault& fault : kFaults) threads.emplace_back([&fault] { break_and_mend(fault); });
  for (std::thread& thread : threads) thread.join();
}

TEST(DiscoveryTest, ATokenThatRotatesIsNoFailure) {
  const KubernetesDouble api;
  three_pods(api);
  Node node(api);
  ASSERT_TRUE(eventually([&] { return node.members() == kThree && node.fresh(); }));
  const int before = api.stats()["watch"];
  api.control("rotate-token");
  EXPECT_TRUE(eventually([&] { return api.stats()["watch"] >= before + 4; }));
  EXPECT_EQ(0, node.discovery()["failures"]);
  api.pod("core-1", "deleting=1");
  EXPECT_TRUE(eventually([&] { return node.members().size() == 2; }, seconds(1)));
}

TEST(DiscoveryTest, TooOldToGoOnIsListedAgainWithoutAWord) {
  for (const char* argument : {"", "--expired-as-http"}) {
    const KubernetesDouble api(*argument == '\0' ? std::vector<std::string>{} : std::vector<std::string>{argument});
    three_pods(api);
    Node node(api);
    ASSERT_TRUE(eventually([&] { return node.members() == kThree && node.fresh(); }));
    const int lists = api.stats()["list"];
    // In this order each watch is too old once: the event finds it so, or its next beginning does.
    api.control("compact");
    api.pod("core-2", "ip=10.0.0.3" + kCore);
    EXPECT_TRUE(eventually([&] { return api.stats()["list"] > lists && node.members().size() == 4 && node.fresh(); }))
        << node.log();
    EXPECT_FALSE(node.failing()) << node.error();
  }
}

TEST(DiscoveryTest, ASilentWatchIsGivenUp) {
  const KubernetesDouble api;
  three_pods(api);
  Node node(api);
  ASSERT_TRUE(eventually([&] { return node.members() == kThree && node.fresh(); }));
  api.fault("hang-watch-silent");
  EXPECT_TRUE(eventually([&] { return node.failing(); })) << "after its own end and a few seconds";
  EXPECT_THAT(node.error(), HasSubstr("watch pods"));
  EXPECT_EQ(kThree, node.members());
  api.pod("core-2", "ip=10.0.0.3" + kCore);
  api.clear();
  EXPECT_TRUE(eventually([&] { return !node.failing() && node.fresh() && node.members().size() == 4; }))
      << node.error();
}

TEST(DiscoveryTest, TheLastCoreStays) {
  const KubernetesDouble api;
  api.pod("satellite-0", "ip=10.0.1.1" + kSatellite);
  Node node(api);
  EXPECT_TRUE(eventually([&] { return node.error().find("no core among the members found") == 0; })) << node.error();
  EXPECT_THAT(node.members(), IsEmpty());
  api.pod("core-0", "ip=10.0.0.1" + kCore);
  EXPECT_TRUE(eventually([&] { return node.members().size() == 2 && !node.failing(); }, seconds(1)));
  api.remove("core-0");
  EXPECT_TRUE(eventually([&] { return node.failing(); }, seconds(1)));
  EXPECT_THAT(node.members(), ElementsAre("10.0.0.1", "10.0.1.1"));
  EXPECT_TRUE(eventually([&] { return !node.fresh(); }));
  api.pod("core-1", "ip=10.0.0.2" + kCore);
  EXPECT_TRUE(eventually([&] { return !node.failing() && node.fresh(); }, seconds(1)));
  EXPECT_THAT(node.members(), ElementsAre("10.0.0.2", "10.0.1.1"));
}

TEST(DiscoveryTest, AnApiThatIsNotThereYet) {
  KubernetesDouble api;
  api.kill();
  Node node(api);
  EXPECT_TRUE(eventually([&] { return node.failing(); }));
  EXPECT_TRUE(node.discovery()["ok_age_ms"].is_null());
  EXPECT_THAT(node.members(), IsEmpty());
  api.start();
  three_pods(api);
  EXPECT_TRUE(eventually([&] { return node.members() == kThree && node.fresh() && !node.failing(); })) << node.error();
}

TEST(DiscoveryTest, WithoutAnAccountItSaysWhatIsMissing) {
  const KubernetesDouble api;
  three_pods(api);
  Node node("source=\"kubernetes\", kubernetes={ api=\"" + api.url() + "\", service_account=\"/nonexistent\" }");
  EXPECT_TRUE(eventually([&] {
    return node.error() ==
           "list pods: read /nonexistent/namespace: No such file or directory; set "
           "pulse.discovery.kubernetes.namespace";
  })) << node.error();
  Node outside("source=\"kubernetes\"");
  EXPECT_TRUE(
      eventually([&] { return outside.error().find("KUBERNETES_SERVICE_HOST is not set") != std::string::npos; }));
}

TEST(DiscoveryTest, TheListOutlivesTheDaemonAndTheSegment) {
  const KubernetesDouble api;
  three_pods(api);
  Node node(api);
  ASSERT_TRUE(eventually([&] { return node.members() == kThree && node.fresh(); }));
  api.fault("refuse");
  api.fault("reset times=2");
  node.restart();
  EXPECT_TRUE(eventually([&] { return node.failing(); }));
  EXPECT_EQ(kThree, node.members());
  EXPECT_GT(node.discovery()["ok_age_ms"], 0) << "of the daemon before this one";
  api.clear();
  ASSERT_TRUE(eventually([&] { return node.fresh() && !node.failing(); })) << node.error();

  std::filesystem::remove(node.server().state());
  node.server().beat();
  EXPECT_TRUE(eventually([&] { return node.members() == kThree && node.fresh(); })) << "a new segment gets it too";
}

TEST(DiscoveryTest, AHangingApiDelaysNeitherProbesNorTheEnd) {
  const KubernetesDouble api;
  three_pods(api);
  for (const char* fault : {"hang", "noaccept", "slow"}) {
    api.fault(fault);
    Node node(api);
    ASSERT_TRUE(eventually([&] {
      const json stats = api.stats();
      return std::string(fault) == "noaccept" || stats["connections_now"] >= 2;
    }));
    for (int i = 0; i < 50; ++i) {
      const Daemon::Answer answer = node.daemon().get("/healthz/live");
      EXPECT_EQ(200, answer.status);
      EXPECT_LT(answer.ms, 500);
    }
    const int64_t began = monotonic_ns();
    node.daemon().process().signal(SIGTERM);
    EXPECT_EQ(0, node.daemon().process().wait()) << node.log();
    EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(2)) << fault;
    EXPECT_THAT(node.log(), HasSubstr("stopped"));
    api.clear();
  }
}

TEST(DiscoveryTest, AFixedListIsThere) {
  Node node("source=\"static\", members=[\"10.0.0.2\", \"[fd00::1]:6042\", \"10.0.0.1\"]");
  ASSERT_TRUE(eventually([&] { return node.members().size() == 3; }));
  EXPECT_THAT(node.members(), ElementsAre("10.0.0.1", "10.0.0.2", "fd00::1"));
  EXPECT_EQ("static", node.discovery()["source"]);
  EXPECT_TRUE(node.fresh());
  const json member = node.status()["members"][2];
  EXPECT_EQ("", member["name"]);
  EXPECT_EQ(6042, member["port"]);
  EXPECT_TRUE(member["created_at"].is_null());
  EXPECT_TRUE(member["age_s"].is_null());
  EXPECT_THAT(node.server().run({"status"}).output, HasSubstr("core [fd00::1]:6042"));
}

TEST(DiscoveryTest, NamesAreLookedUp) {
  Node node("source=\"dns\", names=[\"localhost\"], interval_ms=200");
  ASSERT_TRUE(eventually([&] { return node.members().size() >= 1 && node.fresh(); })) << node.log();
  EXPECT_EQ("dns", node.discovery()["source"]);
  EXPECT_EQ("localhost", node.status()["members"][0]["name"]);
  Node nowhere("source=\"dns\", names=[\"no-such-host.invalid\"], interval_ms=200");
  EXPECT_TRUE(eventually([&] { return nowhere.error().find("look up no-such-host.invalid: ") == 0; })) << nowhere.log();
  EXPECT_THAT(nowhere.members(), IsEmpty());
}

// As with a StatefulSet that is scaled in: its file has a name for each pod.
TEST(DiscoveryTest, ANameThatDoesntExistWhileOthersAnswerIsAMemberThatIsntThere) {
  Node node("source=\"dns\", names=[\"localhost\", \"no-such-host.invalid\"], interval_ms=200");
  ASSERT_TRUE(eventually([&] { return node.members().size() >= 1 && node.fresh() && node.error().empty(); }))
      << node.log();
  EXPECT_EQ("localhost", node.status()["members"][0]["name"]);
}

TEST(DiscoveryTest, WithoutASource) {
  Node node("source=\"none\"");
  ASSERT_TRUE(eventually([&] { return node.discovery().value("source", "") == "none"; }));
  EXPECT_TRUE(node.discovery()["ok_age_ms"].is_null());
  EXPECT_EQ("", node.error());
  EXPECT_THAT(node.members(), IsEmpty());
}

}  // namespace
}  // namespace pulse::test
