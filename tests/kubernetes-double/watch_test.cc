#include "tests/kubernetes-double/fixture.h"

namespace kubernetes_double {
namespace {

TEST(KubernetesDoubleWatch, ReportsWhatHappensAfterAVersion) {
  const Api api;
  api.pod("a");
  const std::string version = api.version();
  api.pod("b", "ip=10.0.0.2");
  Watcher watcher(api, "&resourceVersion=" + version);
  EXPECT_EQ(200, watcher.status());
  EXPECT_EQ("ADDED b", watcher.next());
  EXPECT_EQ("Pod", watcher.event["object"]["kind"]);
  EXPECT_EQ("10.0.0.2", watcher.event["object"]["status"]["podIP"]);
  api.pod("b", "ready=0");
  EXPECT_EQ("MODIFIED b", watcher.next());
  const std::string modified = watcher.event["object"]["metadata"]["resourceVersion"];
  api.remove("b");
  EXPECT_EQ("DELETED b", watcher.next());
  EXPECT_NE(modified, watcher.event["object"]["metadata"]["resourceVersion"]);
  EXPECT_EQ(api.version(), watcher.event["object"]["metadata"]["resourceVersion"]);
  EXPECT_EQ("silence", watcher.next(kShort));
  EXPECT_EQ(1, api.stats()["watches_open"]);
  EXPECT_EQ(3, api.stats()["events"]);
}

TEST(KubernetesDoubleWatch, BeginsWithEverythingWithoutAVersion) {
  const Api api;
  api.control("pods p 2");
  for (const char* query : {"", "&resourceVersion=0"}) {
    Watcher watcher(api, query);
    ASSERT_EQ(200, watcher.status());
    EXPECT_EQ("ADDED p-0", watcher.next());
    EXPECT_EQ("ADDED p-1", watcher.next());
    EXPECT_EQ("silence", watcher.next(kShort));
  }
}

TEST(KubernetesDoubleWatch, SeesPodsEnterAndLeaveItsSelector) {
  const Api api;
  api.pod("p", "labels=role:satellite");
  Watcher watcher(api, "&labelSelector=role%3Dcore&resourceVersion=" + api.version());
  ASSERT_EQ(200, watcher.status());
  api.pod("p", "ready=0");
  api.pod("p", "labels=role:core");
  EXPECT_EQ("ADDED p", watcher.next());
  api.pod("p", "ready=1");
  EXPECT_EQ("MODIFIED p", watcher.next());
  const json last = watcher.event["object"];
  api.pod("p", "labels=role:satellite ready=0");
  EXPECT_EQ("DELETED p", watcher.next());
  // The content that matched last, with the version of the change.
  EXPECT_EQ(last["status"], watcher.event["object"]["status"]);
  EXPECT_EQ(last["metadata"]["labels"], watcher.event["object"]["metadata"]["labels"]);
  EXPECT_EQ(api.version(), watcher.event["object"]["metadata"]["resourceVersion"]);
  api.remove("p");
  EXPECT_EQ("silence", watcher.next(kShort));
}

TEST(KubernetesDoubleWatch, SeesOnlyItsNamespace) {
  const Api api;
  Watcher watcher(api, "");
  ASSERT_EQ(200, watcher.status());
  api.pod("elsewhere", "namespace=other");
  api.pod("here");
  EXPECT_EQ("ADDED here", watcher.next());
}

TEST(KubernetesDoubleWatch, EndsAfterItsTimeAndTheConnectionGoesOn) {
  const Api api;
  Watcher watcher(api, "&timeoutSeconds=1");
  ASSERT_EQ(200, watcher.status());
  EXPECT_EQ("end", watcher.next());
  EXPECT_EQ(200, watcher.client().get(kPods, api.token()).status);
  EXPECT_EQ(1, api.stats()["connections_total"].get<int>());
}

TEST(KubernetesDoubleWatch, SendsBookmarksToThoseWhoTakeThem) {
  const Api api;
  const std::string version = api.version();
  Watcher takes(api, "&allowWatchBookmarks=true&resourceVersion=" + version);
  Watcher declines(api, "&allowWatchBookmarks=false&labelSelector=x&resourceVersion=" + version);
  ASSERT_EQ(200, takes.status());
  ASSERT_EQ(200, declines.status());
  api.pod("a");
  EXPECT_EQ("ADDED a", takes.next());
  api.control("bookmark");
  EXPECT_EQ("BOOKMARK", takes.next());
  EXPECT_EQ(api.version(), takes.event["object"]["metadata"]["resourceVersion"]);
  EXPECT_FALSE(takes.event["object"]["metadata"].contains("name"));
  EXPECT_EQ("silence", declines.next(kShort));
}

TEST(KubernetesDoubleWatch, SendsBookmarksByTheClockAndBeforeTheEnd) {
  const Api api({"--bookmark-ms", "300"});
  Watcher by_clock(api, "&allowWatchBookmarks=true&timeoutSeconds=1");
  ASSERT_EQ(200, by_clock.status());
  EXPECT_EQ("BOOKMARK", by_clock.next());
  EXPECT_EQ("BOOKMARK", by_clock.next());

  const Api slow;
  Watcher before_end(slow, "&allowWatchBookmarks=true&timeoutSeconds=3");
  ASSERT_EQ(200, before_end.status());
  EXPECT_EQ("BOOKMARK", before_end.next());
  EXPECT_EQ("end", before_end.next());
}

TEST(KubernetesDoubleWatch, IsToldWhenItsVersionIsTooOld) {
  const Api api;
  api.pod("a");
  const std::string version = api.version();
  Watcher open(api, "&resourceVersion=" + version);
  ASSERT_EQ(200, open.status());
  api.pod("first");
  EXPECT_EQ("ADDED first", open.next()) << "it has begun";
  api.control("compact");
  Watcher late(api, "&resourceVersion=" + version);
  EXPECT_EQ(200, late.status());
  EXPECT_EQ("ERROR 410", late.next());
  EXPECT_EQ("Expired", late.event["object"]["reason"]);
  EXPECT_EQ("end", late.next());
  // One that is open, and one with a new version, go on.
  Watcher renewed(api, "&resourceVersion=" + api.version());
  ASSERT_EQ(200, renewed.status());
  api.pod("b");
  EXPECT_EQ("ADDED b", open.next());
  EXPECT_EQ("ADDED b", renewed.next());
}

TEST(KubernetesDoubleWatch, IsToldByHttpWhereAsked) {
  const Api api({"--expired-as-http"});
  const std::string version = api.version();
  api.control("compact");
  const auto answer = api.list("?watch=1&resourceVersion=" + version);
  EXPECT_EQ(410, answer.status);
  EXPECT_EQ("Expired", answer.json()["reason"]);
}

TEST(KubernetesDoubleWatch, HasABoundedHistory) {
  const Api api({"--history", "3"});
  api.pod("a");
  const std::string version = api.version();
  for (const char* ready : {"ready=0", "ready=1", "ready=0"}) api.pod("a", ready);
  Watcher in_time(api, "&resourceVersion=" + version);
  ASSERT_EQ(200, in_time.status());
  EXPECT_EQ("MODIFIED a", in_time.next());
  api.pod("a", "ready=1");
  Watcher late(api, "&resourceVersion=" + version);
  ASSERT_EQ(200, late.status());
  EXPECT_EQ("ERROR 410", late.next());
}

TEST(KubernetesDoubleWatch, KeepsUpWithAThousandPods) {
  const Api api;
  Watcher watcher(api, "");
  ASSERT_EQ(200, watcher.status());
  api.control("pods p 1000");
  for (int i = 0; i < 1000; ++i) ASSERT_EQ("ADDED p-" + std::to_string(i), watcher.next());
}

TEST(KubernetesDoubleWatch, IsForgottenWhenItsClientLeaves) {
  const Api api;
  {
    Watcher watcher(api, "");
    ASSERT_EQ(200, watcher.status());
    EXPECT_EQ(1, api.stats()["watches_open"]);
  }
  EXPECT_TRUE(eventually([&] { return api.stats()["watches_open"] == 0 && api.stats()["connections_now"] == 0; }));
}

}  // namespace
}  // namespace kubernetes_double
