#include <gtest/gtest-spi.h>

#include "tests/kubernetes-double/fixture.h"

namespace kubernetes_double {
namespace {

TEST(KubernetesDoubleFault, AnswersWithAStatus) {
  const Api api;
  HttpsClient client = api.client();
  const std::vector<std::pair<int, std::string>> cases = {
      {401, "Unauthorized"}, {403, "Forbidden"}, {410, "Expired"}, {500, "InternalError"}, {503, "ServiceUnavailable"}};
  for (const auto& [status, reason] : cases) {
    api.fault(std::to_string(status) + " times=2");
    for (const char* query : {"", "?watch=1"}) {
      const auto answer = client.get(kPods + query, api.token());
      EXPECT_EQ(status, answer.status);
      EXPECT_EQ(reason, answer.json()["reason"]);
    }
    EXPECT_EQ(200, client.get(kPods, api.token()).status);
  }
  api.fault("429 7");
  const auto answer = client.get(kPods, api.token());
  EXPECT_EQ(429, answer.status);
  EXPECT_EQ("7", answer.headers.at("retry-after"));
  EXPECT_TRUE(answer.json().is_discarded());
}

TEST(KubernetesDoubleFault, HitsWhatItIsForAndAsOftenAsItSays) {
  const Api api;
  api.fault("500 for=watch");
  EXPECT_EQ(200, api.list().status);
  EXPECT_EQ(500, api.list("?watch=1").status);
  api.clear();
  EXPECT_EQ(200, Watcher(api, "").status());
  // In a queue: first come, first served.
  api.fault("503 for=list times=2");
  api.fault("500 times=1");
  EXPECT_EQ(503, api.list().status);
  EXPECT_EQ(500, api.list("?watch=1").status);
  EXPECT_EQ(503, api.list().status);
  EXPECT_EQ(200, api.list().status);
}

TEST(KubernetesDoubleFault, RefusesCommandsThatItDoesNotKnow) {
  const Api api;
  for (const char* command : {"nonsense", "fault", "fault nonsense", "fault 500 for=nobody", "fault 500 times=0",
                              "fault 500 3", "pod", "pod a ip", "pod a colour=red", "pod a created=never",
                              "delete nobody", "pods p -1", "rotate-token x", "requests x"}) {
    // The helper takes an error for the test's failure.
    EXPECT_NONFATAL_FAILURE(api.control(command), command);
  }
  EXPECT_EQ("", names(api.list().json()));
}

TEST(KubernetesDoubleFault, LiesAboutThePods) {
  const Api api;
  api.pod("a");
  api.fault("empty times=1");
  const auto empty = api.list();
  EXPECT_EQ(200, empty.status);
  EXPECT_EQ("", names(empty.json()));
  api.fault("empty for=watch times=1");
  Watcher watcher(api, "");
  EXPECT_EQ(200, watcher.status());
  EXPECT_EQ("end", watcher.next());
  api.fault("html times=1");
  const auto html = api.list();
  EXPECT_EQ(200, html.status);
  EXPECT_TRUE(html.headers.at("content-type").starts_with("text/html"));
  EXPECT_EQ("a", names(api.list().json()));
}

TEST(KubernetesDoubleFault, BreaksAList) {
  const Api api;
  api.pod("a");
  api.fault("malformed times=1");
  const auto malformed = api.list();
  EXPECT_EQ(End::complete, malformed.end);
  EXPECT_TRUE(malformed.json().is_discarded());
  api.fault("truncated times=1");
  const auto truncated = api.list();
  EXPECT_EQ(200, truncated.status);
  EXPECT_EQ(End::closed, truncated.end);
  api.fault("reset times=1");
  const auto reset = api.list();
  EXPECT_EQ(0, reset.status);
  EXPECT_EQ(End::reset, reset.end);
  EXPECT_EQ("a", names(api.list().json()));
  EXPECT_EQ(3, api.stats()["pages"]);
}

TEST(KubernetesDoubleFault, BreaksAnOpenWatchAtItsNextEvent) {
  const Api api;
  Watcher watcher(api, "");
  ASSERT_EQ(200, watcher.status());
  api.fault("malformed times=1");
  api.pod("a");
  EXPECT_EQ("malformed", watcher.next());
  api.pod("a", "ready=0");
  EXPECT_EQ("MODIFIED a", watcher.next());
  api.fault("truncated times=1");
  api.pod("a", "ready=1");
  EXPECT_EQ("closed", watcher.next());
}

TEST(KubernetesDoubleFault, EndsAnOpenWatch) {
  const Api api;
  Watcher reset(api, "");
  ASSERT_EQ(200, reset.status());
  api.fault("reset times=1");
  EXPECT_EQ("reset", reset.next());

  Watcher expired(api, "");
  ASSERT_EQ(200, expired.status());
  api.fault("410 event times=1");
  EXPECT_EQ("ERROR 410", expired.next());
  EXPECT_EQ("end", expired.next());
}

TEST(KubernetesDoubleFault, SilencesWatchesOpenAndNew) {
  const Api api;
  Watcher open(api, "&allowWatchBookmarks=true");
  ASSERT_EQ(200, open.status());
  api.fault("hang-watch-silent");
  Watcher later(api, "");
  EXPECT_EQ(200, later.status());
  api.pod("a");
  api.control("bookmark");
  EXPECT_EQ("silence", open.next(kShort));
  EXPECT_EQ("silence", later.next(kShort));
  EXPECT_EQ(2, api.stats()["watches_open"]);
  EXPECT_EQ("a", names(api.list().json()));
  api.clear();
  EXPECT_EQ("closed", open.next());
  EXPECT_EQ("closed", later.next());
}

TEST(KubernetesDoubleFault, HangsUntilItIsCleared) {
  const Api api;
  api.fault("hang times=1");
  HttpsClient client = api.client();
  ASSERT_TRUE(client.send(kPods, api.token()));
  EXPECT_EQ(End::silence, client.receive(kShort).end);
  EXPECT_EQ(200, api.list().status);
  EXPECT_EQ(0, api.control("requests")["requests"][0]["status"]);
  api.clear();
  EXPECT_EQ(End::closed, client.receive().end);
}

TEST(KubernetesDoubleFault, SlowsAnswersUntilItIsCleared) {
  const Api api;
  api.pod("a");
  api.fault("slow");
  HttpsClient client = api.client();
  ASSERT_TRUE(client.send(kPods, api.token()));
  EXPECT_EQ(End::silence, client.receive(milliseconds(1000)).end);
  const int sent = api.stats()["bytes_out"];
  EXPECT_GE(sent, 2);
  EXPECT_LE(sent, 20);
  api.clear();
  EXPECT_EQ("a", names(client.receive().json()));
}

TEST(KubernetesDoubleFault, ShowsAnotherCertificateToNewConnections) {
  const Api api;
  HttpsClient before = api.client();
  ASSERT_TRUE(before.connected());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"wrong-certificate", "unable to get local issuer certificate"},
      {"expired-certificate", "certificate has expired"},
      {"wrong-name", "IP address mismatch"}};
  for (const auto& [fault, reason] : cases) {
    api.fault(fault);
    EXPECT_EQ(reason, api.client().error()) << fault;
    EXPECT_EQ(200, before.get(kPods, api.token()).status);
    api.clear();
    EXPECT_TRUE(api.client().connected());
  }
  EXPECT_TRUE(eventually([&] { return api.stats()["handshakes_failed"] == 3; }));
}

TEST(KubernetesDoubleFault, LeavesConnectionsInTheQueue) {
  const Api api;
  HttpsClient before = api.client();
  ASSERT_TRUE(before.connected());
  api.fault("noaccept");
  EXPECT_EQ("silence", HttpsClient(api.target(), kShort).error());
  EXPECT_EQ(200, before.get(kPods, api.token()).status);
  api.clear();
  EXPECT_EQ(200, api.list().status);
}

TEST(KubernetesDoubleFault, ClosesThePort) {
  const Api api;
  HttpsClient before = api.client();
  ASSERT_TRUE(before.connected());
  for (int i = 0; i < 3; ++i) {
    api.fault("refuse");
    EXPECT_EQ("Connection refused", api.client().error());
    EXPECT_EQ(200, before.get(kPods, api.token()).status);
    api.clear();
    EXPECT_EQ(200, api.list().status);
  }
}

}  // namespace
}  // namespace kubernetes_double
