#include <signal.h>

#include <filesystem>

#include "tests/kubernetes-double/fixture.h"

namespace kubernetes_double {
namespace {

namespace fs = std::filesystem;

TEST(KubernetesDouble, LaysTheAccountOutAsTheKubeletDoes) {
  const Api api;
  EXPECT_EQ("proxysql", read_file(api.account() + "/namespace"));
  EXPECT_TRUE(read_file(api.account() + "/ca.crt").starts_with("-----BEGIN CERTIFICATE-----"));
  EXPECT_GT(api.token().size(), 800U);
  EXPECT_EQ("..data/token", fs::read_symlink(api.account() + "/token"));
  EXPECT_TRUE(fs::is_symlink(api.account() + "/..data"));
}

TEST(KubernetesDouble, LetsNobodyInWithoutTheToken) {
  const Api api;
  for (const std::string& token : {std::string(), std::string("wrong"), api.token() + "x"}) {
    const auto answer = api.client().get(kPods, token);
    EXPECT_EQ(401, answer.status);
    EXPECT_EQ("Status", answer.json()["kind"]);
    EXPECT_EQ("Unauthorized", answer.json()["reason"]);
  }
  EXPECT_EQ(3, api.stats()["unauthorized"]);
}

TEST(KubernetesDouble, AcceptsOnlyTheNewTokenAfterRotation) {
  const Api api;
  const std::string first = api.token();
  api.control("rotate-token");
  const std::string second = api.token();
  EXPECT_NE(first, second);
  HttpsClient client = api.client();
  EXPECT_EQ(401, client.get(kPods, first).status);
  EXPECT_EQ(200, client.get(kPods, second).status);

  api.control("rotate-token 600000");
  EXPECT_EQ(200, client.get(kPods, second).status);
  EXPECT_EQ(401, client.get(kPods, first).status);
  EXPECT_EQ(200, client.get(kPods, api.token()).status);
  // No more than what ..data points to is left of them.
  const fs::directory_iterator entries(api.account());
  EXPECT_EQ(5, std::distance(fs::begin(entries), fs::end(entries)));
}

TEST(KubernetesDouble, RefusesWhatItDoesNotServe) {
  const Api api;
  EXPECT_EQ(403, api.get("/api/v1/namespaces/other/pods").status);
  EXPECT_EQ(404, api.get("/api/v1/nodes").status);
  for (const char* query :
       {"?labelSelector=a%20in%20b", "?labelSelector=%3D", "?labelSelector=a%3Db,,c%3Dd", "?limit=x",
        "?resourceVersion=x", "?watch=1&resourceVersion=x", "?continue=x", "?fieldSelector=metadata.name%3Da"}) {
    EXPECT_EQ(400, api.list(query).status) << query;
  }
  HttpsClient client = api.client();
  ASSERT_TRUE(client.send(kPods, api.token(), "DELETE"));
  EXPECT_EQ(405, client.receive().status);
  EXPECT_EQ(504, api.list("?resourceVersion=99999999999").status);
}

TEST(KubernetesDouble, ListsPodsAsTheApiServerDoes) {
  const Api api;
  api.pod("core-0", "ip=10.0.0.1,fd00::1 labels=app:proxysql,role:core created=1704164645");
  api.pod("core-1", "phase=Pending ready=0 deleting=1 created=2024-01-02T05:04:06.5+02:00");
  const auto answer = api.list();
  EXPECT_EQ(200, answer.status);
  EXPECT_EQ("application/json", answer.headers.at("content-type"));
  EXPECT_EQ("chunked", answer.headers.at("transfer-encoding"));
  const json list = answer.json();
  EXPECT_EQ("PodList", list["kind"]);
  ASSERT_EQ("core-0,core-1", names(list));
  EXPECT_TRUE(list["metadata"]["resourceVersion"].is_string());

  const json& first = list["items"][0];
  EXPECT_FALSE(first.contains("kind"));
  EXPECT_EQ("proxysql", first["metadata"]["namespace"]);
  EXPECT_EQ("2024-01-02T03:04:05Z", first["metadata"]["creationTimestamp"]);
  EXPECT_EQ(json({{"app", "proxysql"}, {"role", "core"}}), first["metadata"]["labels"]);
  EXPECT_EQ("10.0.0.1", first["status"]["podIP"]);
  EXPECT_EQ("fd00::1", first["status"]["podIPs"][1]["ip"]);
  EXPECT_EQ("True", first["status"]["conditions"][1]["status"]);
  EXPECT_FALSE(first["metadata"].contains("deletionTimestamp"));
  EXPECT_NEAR(4096, static_cast<double>(first.dump().size()), 50);

  const json& second = list["items"][1];
  EXPECT_EQ("2024-01-02T03:04:06Z", second["metadata"]["creationTimestamp"]);
  EXPECT_TRUE(second["metadata"].contains("deletionTimestamp"));
  EXPECT_FALSE(second["status"].contains("podIP"));
  EXPECT_EQ("Pending", second["status"]["phase"]);
  EXPECT_EQ("Ready", second["status"]["conditions"][1]["type"]);
  EXPECT_EQ("False", second["status"]["conditions"][1]["status"]);
  EXPECT_NE(first["metadata"]["uid"], second["metadata"]["uid"]);
}

TEST(KubernetesDouble, ChangesOnlyWhatACommandNames) {
  const Api api;
  api.pod("a", "ip=10.0.0.1 labels=x:y");
  const json before = api.list().json()["items"][0];
  api.pod("a", "ready=0");
  const json after = api.list().json()["items"][0];
  EXPECT_EQ(before["metadata"]["uid"], after["metadata"]["uid"]);
  EXPECT_EQ(before["metadata"]["labels"], after["metadata"]["labels"]);
  EXPECT_EQ("10.0.0.1", after["status"]["podIP"]);
  EXPECT_NE(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);
  api.remove("a");
  api.pod("a");
  EXPECT_NE(before["metadata"]["uid"], api.list().json()["items"][0]["metadata"]["uid"]);
  api.control("clear-pods");
  EXPECT_EQ("", names(api.list().json()));
}

TEST(KubernetesDouble, Selects) {
  const Api api;
  api.pod("bare");
  api.pod("core", "labels=app:proxysql,tier.example.org/role:core");
  api.pod("empty", "labels=app:");
  api.pod("sat", "labels=app:proxysql,tier.example.org/role:satellite");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "bare,core,empty,sat"},
      {"app", "core,empty,sat"},
      {"!app", "bare"},
      {"app%3Dproxysql", "core,sat"},
      {"app%3D%3Dproxysql", "core,sat"},
      {"app%3D", "empty"},
      {"app!%3Dproxysql", "bare,empty"},
      {"app%3Dproxysql,tier.example.org/role%21%3Dcore", "sat"},
      {"tier.example.org%2Frole+in+(core,other)", "core"},
      {"tier.example.org%2Frole%20notin%20%28core%29,app", "empty,sat"},
      {"app+in+(+proxysql+)+,+!missing", "core,sat"},
  };
  for (const auto& [selector, expected] : cases) {
    const auto answer = api.list("?labelSelector=" + selector);
    ASSERT_EQ(200, answer.status) << selector;
    EXPECT_EQ(expected, names(answer.json())) << selector;
  }
}

TEST(KubernetesDouble, PagesOfAListShowOneMoment) {
  const Api api;
  api.control("pods p 5 labels=app:x");
  const json first = api.list("?limit=2").json();
  EXPECT_EQ("p-0,p-1", names(first));
  EXPECT_EQ(3, first["metadata"]["remainingItemCount"]);
  api.remove("p-3");
  api.pod("p-2", "ready=0");
  api.pod("p-22");
  const std::string token = first["metadata"]["continue"];
  const json second = api.list("?limit=2&continue=" + token).json();
  EXPECT_EQ("p-2,p-3", names(second));
  EXPECT_EQ("True", second["items"][0]["status"]["conditions"][1]["status"]);
  EXPECT_EQ(first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
  const json third = api.list("?limit=2&continue=" + second["metadata"]["continue"].get<std::string>()).json();
  EXPECT_EQ("p-4", names(third));
  EXPECT_FALSE(third["metadata"].contains("continue"));

  // The real server doesn't count what a selector hasn't looked at, and its cache pages nothing.
  const json selected = api.list("?limit=2&labelSelector=app").json();
  EXPECT_TRUE(selected["metadata"].contains("continue"));
  EXPECT_FALSE(selected["metadata"].contains("remainingItemCount"));
  EXPECT_EQ("p-0,p-1,p-2,p-22,p-4", names(api.list("?limit=2&resourceVersion=0").json()));
  EXPECT_EQ(400, api.list("?limit=2&resourceVersion=1&continue=" + token).status);
}

TEST(KubernetesDouble, AnExpiredPageOffersTheRestAsItIsNow) {
  const Api api;
  api.control("pods p 4");
  const std::string token = api.list("?limit=2").json()["metadata"]["continue"];
  api.control("compact");
  const auto answer = api.list("?limit=2&continue=" + token);
  EXPECT_EQ(410, answer.status);
  EXPECT_EQ("Expired", answer.json()["reason"]);
  api.remove("p-2");
  EXPECT_EQ("p-3", names(api.list("?continue=" + answer.json()["metadata"]["continue"].get<std::string>()).json()));
}

TEST(KubernetesDouble, PagesThroughAThousandPods) {
  const Api api;
  api.control("pods p 1000 labels=app:proxysql");
  HttpsClient client = api.client();
  size_t pods = 0;
  std::string token;
  do {
    const auto answer = client.get(kPods + "?limit=300&labelSelector=app%3Dproxysql&continue=" + token, api.token());
    ASSERT_EQ(200, answer.status);
    const json list = answer.json();
    pods += list["items"].size();
    token = list["metadata"].value("continue", "");
  } while (!token.empty());
  EXPECT_EQ(1000U, pods);
  const json stats = api.stats();
  EXPECT_EQ(4, stats["pages"]);
  EXPECT_EQ(1, stats["connections_total"]);
  EXPECT_EQ("double-test", stats["user_agent"]);
  EXPECT_GT(stats["bytes_out"], 4'000'000);
}

TEST(KubernetesDouble, TellsWhatItWasAsked) {
  const Api api;
  api.list("?limit=7");
  api.client().get(kPods, "");
  const json requests = api.control("requests")["requests"];
  ASSERT_EQ(2U, requests.size());
  EXPECT_EQ(kPods + "?limit=7", requests[0]["target"]);
  EXPECT_EQ("list", requests[0]["kind"]);
  EXPECT_EQ(200, requests[0]["status"]);
  EXPECT_EQ(401, requests[1]["status"]);
  EXPECT_GE(requests[1]["ms"], requests[0]["ms"]);
  EXPECT_EQ(1U, api.control("requests 1")["requests"].size());
  api.control("reset-stats");
  EXPECT_EQ(0, api.stats()["list"]);
  EXPECT_EQ(2, api.stats()["last_request"]);
}

TEST(KubernetesDouble, ListensOnIpv6) {
  const Api api({"--listen", "::1"});
  HttpsClient client({api.port(), api.account() + "/ca.crt", "::1"});
  if (client.error() == "Cannot assign requested address") GTEST_SKIP() << "no IPv6 here";
  ASSERT_TRUE(client.connected()) << client.error();
  EXPECT_EQ(200, client.get(kPods, api.token()).status);
}

TEST(KubernetesDouble, TakesAFreePortAndSaysWhich) {
  const Api api({"--port", "0"});
  const std::string port = read_file(api.dir() / "port");
  HttpsClient client({static_cast<uint16_t>(std::stoi(port)), api.account() + "/ca.crt"});
  EXPECT_EQ(200, client.get(kPods, api.token()).status);
  EXPECT_NE(std::string::npos, api.stats()["port"].dump().find(std::to_string(std::stoi(port))));
}

TEST(KubernetesDouble, EndsAtOnceWithExitCodeZero) {
  Api api;
  Watcher watcher(api, "");
  ASSERT_EQ(200, watcher.status());
  api.process().signal(SIGTERM);
  EXPECT_EQ(0, api.process().wait());
  EXPECT_FALSE(fs::exists(api.dir() / "control"));
  EXPECT_NE("end", watcher.next());
}

TEST(KubernetesDouble, DoesNotStartOnATakenPortOrABadOption) {
  const Api api;
  const pulse::test::TempDir dir;
  const std::string program = pulse::test::binary("kubernetes-double");
  const auto taken =
      pulse::test::run_to_end({program, "--account", dir / "account", "--port", std::to_string(api.port())}, dir);
  EXPECT_EQ(1, taken.exit_code);
  EXPECT_NE(std::string::npos, taken.output.find("Address already in use")) << taken.output;
  EXPECT_EQ(1, pulse::test::run_to_end({program}, dir).exit_code);
  EXPECT_EQ(1, pulse::test::run_to_end({program, "--account", dir / "account", "--port", "x"}, dir).exit_code);
}

}  // namespace
}  // namespace kubernetes_double
