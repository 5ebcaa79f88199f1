#include "daemon/discovery/pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pulse {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A pod as the API sends it, with much of what isn't wanted, and with names that mislead.
json pod(const std::string& name, const std::string& ip, const std::string& phase = "Running", bool ready = true) {
  return {{"kind", "Pod"},
          {"metadata",
           {{"name", name},
            {"uid", "uid-" + name},
            {"resourceVersion", "7"},
            {"creationTimestamp", "2026-01-31T12:00:00Z"},
            {"labels", {{"name", "wrong"}, {"phase", "Failed"}}},
            {"ownerReferences", {{{"name", "wrong"}, {"uid", "wrong"}}}},
            {"managedFields",
             {{{"manager", "kubelet"},
               {"fieldsV1", {{"f:status", {{"f:podIP", json::object()}, {"podIP", "6.6.6.6"}}}}}}}}}},
          {"spec", {{"containers", {{{"name", "wrong"}, {"image", "x"}, {"phase", "Failed"}}}}}},
          {"status",
           {{"phase", phase},
            {"podIP", ip},
            {"podIPs", {{{"ip", ip}}, {{"ip", "fd00::77"}}}},
            {"hostIP", "6.6.6.6"},
            {"conditions",
             {{{"type", "Initialized"}, {"status", ready ? "False" : "True"}},
              {{"lastTransitionTime", nullptr}, {"status", ready ? "True" : "False"}, {"type", "Ready"}},
              {{"type", "PodScheduled"}, {"status", ready ? "False" : "True"}}}},
            {"containerStatuses",
             {{{"name", "wrong"}, {"ready", !ready}, {"state", {{"running", {{"startedAt", "x"}}}}}}}}}}};
}

json list(const std::vector<json>& items, const std::string& next = "") {
  json metadata = {{"resourceVersion", "1234"}};
  if (!next.empty()) metadata["continue"] = next;
  return {{"kind", "PodList"}, {"apiVersion", "v1"}, {"metadata", metadata}, {"items", items}};
}

std::string event(const std::string& type, const json& object) {
  return json{{"type", type}, {"object", object}}.dump();
}

std::vector<std::string> addresses(const PodSet& set) {
  std::vector<std::string> out;
  for (const Found& member : set.members(6032, true)) out.push_back(member.address);
  return out;
}

TEST(KubernetesPodsTest, ReadsAPage) {
  const auto page = parse_pod_page(list({pod("a", "10.0.0.1"), pod("b", "fd00::1", "Running", false)}, "next").dump());
  ASSERT_TRUE(page) << page.error().text;
  EXPECT_EQ("1234", page->resource_version);
  EXPECT_EQ("next", page->next);
  ASSERT_EQ(2u, page->pods.size());
  const Pod& a = page->pods[0];
  EXPECT_EQ("a", a.name);
  EXPECT_EQ("uid-a", a.uid);
  EXPECT_EQ("7", a.resource_version);
  EXPECT_EQ("10.0.0.1", a.address);
  EXPECT_EQ(1769860800, a.created_at);
  EXPECT_TRUE(a.ready);
  EXPECT_EQ("fd00::1", page->pods[1].address);
  EXPECT_FALSE(page->pods[1].ready);
}

TEST(KubernetesPodsTest, TheOwnerIsTheControllerAndTheLabelIsKept) {
  json owned = pod("a", "10.0.0.1");
  owned["metadata"]["labels"]["controller-revision-hash"] = "core-7c9";
  owned["metadata"]["ownerReferences"] = {
      {{"kind", "Wrong"}, {"name", "wrong"}, {"uid", "wrong"}, {"controller", false}},
      {{"kind", "StatefulSet"}, {"name", "core"}, {"uid", "u-1"}, {"controller", true}},
      {{"kind", "Wrong"}, {"name", "wrong"}, {"uid", "wrong"}}};
  for (const bool labels_last : {false, true}) {
    std::string text = list({owned, pod("b", "10.0.0.2")}).dump();
    if (labels_last) {  // keys come in any order
      const std::string label = R"("controller-revision-hash":"core-7c9",)";
      text.erase(text.find(label), label.size());
      const std::string phase = R"("uid":"uid-a")";
      text.insert(text.find(phase), R"("labels":{"controller-revision-hash":"core-7c9"},)");
    }
    const auto page = parse_pod_page(text);
    ASSERT_TRUE(page) << page.error().text;
    EXPECT_EQ((PodOwner{"StatefulSet", "core", "u-1", "core-7c9"}), page->pods[0].owner) << text;
    EXPECT_EQ(PodOwner{}, page->pods[1].owner) << "no controller";
  }
}

TEST(KubernetesPodsTest, OnlyRunningPodsWithAnAddressAndNoDeletionAreMembers) {
  json deleting = pod("deleting", "10.0.0.1");
  deleting["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  json bare = pod("bare", "");
  bare["status"].erase("podIP");
  const auto page =
      parse_pod_page(list({deleting, bare, pod("empty", ""), pod("pending", "10.0.0.2", "Pending"),
                           pod("done", "10.0.0.3", "Succeeded"), pod("bad", "10.0.0"), pod("good", "10.0.0.4")})
                         .dump());
  ASSERT_TRUE(page);
  ASSERT_EQ(1u, page->pods.size());
  EXPECT_EQ("good", page->pods[0].name);
}

TEST(KubernetesPodsTest, AnEmptyListIsOne) {
  const auto page = parse_pod_page(R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":null})");
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->pods.empty());
}

TEST(KubernetesPodsTest, SaysWhatIsWrongWithAPage) {
  const std::string good = list({pod("a", "10.0.0.1")}).dump();
  for (size_t length = 0; length < good.size(); length += 13) {
    EXPECT_FALSE(parse_pod_page(good.substr(0, length))) << length;
  }
  const auto error = [](const std::string& text) {
    const auto page = parse_pod_page(text);
    return page ? "none" : page.error().text;
  };
  EXPECT_THAT(error(good.substr(0, 100)), HasSubstr("malformed JSON at byte"));
  EXPECT_THAT(error(R"({"kind":"Status","message":"x"})"), HasSubstr("not a PodList but \"Status\""));
  EXPECT_THAT(error("[]"), HasSubstr("not a PodList"));
  EXPECT_THAT(error(R"({"kind":"PodList","metadata":{}})"), HasSubstr("without a resourceVersion"));
  EXPECT_THAT(error(R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{}]})"),
              HasSubstr("without a name"));
  EXPECT_THAT(error(std::string(1'000'000, '[')), HasSubstr("nested too deep"));
  EXPECT_THAT(error(good + "{}"), HasSubstr("malformed JSON"));
  EXPECT_THAT(error("{\"kind\":\"\xff\"}"), HasSubstr("malformed JSON"));
}

TEST(KubernetesPodsTest, ReadsEvents) {
  const auto added = parse_watch_event(event("ADDED", pod("a", "10.0.0.1")));
  ASSERT_TRUE(added) << added.error().text;
  EXPECT_EQ(WatchKind::added, added->kind);
  EXPECT_EQ("a", added->pod.name);
  EXPECT_EQ("7", added->pod.resource_version);

  const auto bookmark =
      parse_watch_event(R"({"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"99"}}})");
  ASSERT_TRUE(bookmark);
  EXPECT_EQ(WatchKind::bookmark, bookmark->kind);
  EXPECT_EQ("99", bookmark->pod.resource_version);

  const auto gone = parse_watch_event(
      R"({"type":"ERROR","object":{"kind":"Status","metadata":{},"status":"Failure","message":"too old",)"
      R"("reason":"Expired","code":410}})");
  ASSERT_TRUE(gone) << gone.error().text;
  EXPECT_EQ(WatchKind::error, gone->kind);
  EXPECT_EQ(410, gone->code);
  EXPECT_EQ("too old", gone->message);

  for (const char* bad : {"", "{", "null", R"({"type":"NEWS","object":{}})", R"({"type":"ADDED"})",
                          R"({"type":"BOOKMARK","object":{"metadata":{}}})",
                          R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})"}) {
    EXPECT_FALSE(parse_watch_event(bad)) << bad;
  }
}

TEST(KubernetesPodsTest, FollowsEvents) {
  PodSet set;
  const auto apply = [&set](const char* type, const json& object) {
    const auto parsed = parse_watch_event(event(type, object));
    EXPECT_TRUE(parsed);
    return parsed && set.apply(*parsed);
  };
  set.replace(parse_pod_page(list({pod("a", "10.0.0.1"), pod("b", "10.0.0.2")}).dump())->pods);
  EXPECT_FALSE(apply("MODIFIED", pod("a", "10.0.0.1"))) << "nothing that counts has changed";
  EXPECT_TRUE(apply("MODIFIED", pod("a", "10.0.0.1", "Running", false)));
  EXPECT_FALSE(apply("ADDED", pod("c", "", "Pending")));
  EXPECT_TRUE(apply("MODIFIED", pod("c", "10.0.0.3")));
  EXPECT_THAT(addresses(set), ElementsAre("10.0.0.1", "10.0.0.2", "10.0.0.3"));

  json leaving = pod("a", "10.0.0.1");
  leaving["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  EXPECT_TRUE(apply("MODIFIED", leaving));
  EXPECT_FALSE(apply("DELETED", leaving));
  EXPECT_TRUE(apply("DELETED", pod("b", "10.0.0.2")));
  EXPECT_TRUE(apply("ADDED", pod("b", "10.0.0.9"))) << "a stateful set's pod comes back under its name";
  EXPECT_FALSE(apply("BOOKMARK", pod("z", "10.0.0.7")));
  EXPECT_THAT(addresses(set), ElementsAre("10.0.0.9", "10.0.0.3"));
  set.replace({});
  EXPECT_EQ(0u, set.size());
}

}  // namespace
}  // namespace pulse
