#include "daemon/discovery/revisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pulse {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const RevisionObject kSet{"replicasets", "core-1"};
const RevisionObject kControllerRevision{"controllerrevisions", "core-7c9"};

json replica_set(const std::string& name, const char* revision) {
  json set = {{"kind", "ReplicaSet"},
              {"metadata",
               {{"name", name},
                {"annotations", {{"deployment.kubernetes.io/desired-replicas", "3"}, {"revision", "9"}}},
                {"ownerReferences",
                 {{{"kind", "Wrong"}, {"name", "wrong"}, {"uid", "w"}, {"controller", false}},
                  {{"kind", "Deployment"}, {"name", "core"}, {"uid", "u-1"}, {"controller", true}}}}}},
              {"spec", {{"template", {{"metadata", {{"name", "wrong"}}}}}}},
              {"revision", 77}};
  if (revision != nullptr) set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = revision;
  return set;
}

Found core(const std::string& name, const std::string& replica_set) {
  Found found;
  found.name = name;
  found.address = "10.0.0.1";
  found.is_core = true;
  found.owner = {"ReplicaSet", replica_set, "u", ""};
  return found;
}

KnownRevision known(int64_t number, const std::string& workload = "Deployment core u-1") {
  return {{workload, number}, ""};
}

TEST(RevisionsTest, TheObjectIsTheReplicaSetOrTheControllerRevision) {
  EXPECT_EQ(kSet, *revision_object({"ReplicaSet", "core-1", "u", "ignored"}));
  EXPECT_EQ(kControllerRevision, *revision_object({"StatefulSet", "core", "u", "core-7c9"}));
  EXPECT_THAT(revision_object({"StatefulSet", "core", "u", ""}).error().text, HasSubstr("controller-revision-hash"));
  EXPECT_THAT(revision_object({"Job", "core", "u", ""}).error().text, HasSubstr("a Job"));
  EXPECT_THAT(revision_object({}).error().text, HasSubstr("no controller"));
}

TEST(RevisionsTest, AReplicaSetsRevisionIsItsAnnotation) {
  const auto revision = parse_revision(kSet, replica_set("core-1", "12").dump());
  ASSERT_TRUE(revision) << revision.error().text;
  EXPECT_EQ((TemplateRevision{"Deployment core u-1", 12}), *revision);
  EXPECT_THAT(parse_revision(kSet, replica_set("core-1", nullptr).dump()).error().text, HasSubstr("no annotation"));
  EXPECT_THAT(parse_revision(kSet, replica_set("core-2", "12").dump()).error().text, HasSubstr("another one"));
  for (const char* wrong : {"0", "-1", "x", "1000000000", "99999999999999999999"}) {
    EXPECT_FALSE(parse_revision(kSet, replica_set("core-1", wrong).dump())) << wrong;
  }
  json orphan = replica_set("core-1", "12");
  orphan["metadata"].erase("ownerReferences");
  EXPECT_THAT(parse_revision(kSet, orphan.dump()).error().text, HasSubstr("no controller"));
  EXPECT_FALSE(parse_revision(kSet, "{"));
  EXPECT_THAT(parse_revision(kSet, R"({"kind":"Status"})").error().text, HasSubstr("Status"));
}

TEST(RevisionsTest, AControllerRevisionsIsItsNumber) {
  const json object = {
      {"kind", "ControllerRevision"},
      {"metadata",
       {{"name", "core-7c9"},
        {"ownerReferences", {{{"kind", "StatefulSet"}, {"name", "core"}, {"uid", "u-2"}, {"controller", true}}}}}},
      {"data", {{"revision", 99}}},
      {"revision", 4}};
  const auto revision = parse_revision(kControllerRevision, object.dump());
  ASSERT_TRUE(revision) << revision.error().text;
  EXPECT_EQ((TemplateRevision{"StatefulSet core u-2", 4}), *revision);
  EXPECT_FALSE(parse_revision(kSet, object.dump()));
}

TEST(RevisionsTest, AllCoresGetTheirsOrNone) {
  std::vector<Found> members = {core("a", "core-1"), core("b", "core-2"), Found{}};
  KnownRevisions all = {{{"replicasets", "core-1"}, known(1)}, {{"replicasets", "core-2"}, known(2)}};
  EXPECT_EQ("", set_revisions(members, all));
  EXPECT_EQ(1, members[0].revision);
  EXPECT_EQ(2, members[1].revision);
  EXPECT_EQ(0, members[2].revision) << "a satellite";

  KnownRevisions refused = all;
  refused[{"replicasets", "core-2"}] = {{}, "may not"};
  EXPECT_EQ("may not", set_revisions(members, refused));
  EXPECT_EQ(0, members[0].revision);
  EXPECT_EQ(0, members[1].revision);

  refused.erase({"replicasets", "core-2"});
  EXPECT_THAT(set_revisions(members, refused), HasSubstr("not read yet: replicasets/core-2"));

  KnownRevisions of_two = all;
  of_two[{"replicasets", "core-2"}] = known(2, "Deployment other u-9");
  EXPECT_EQ("the cores are of two workloads: Deployment core and Deployment other", set_revisions(members, of_two));
  EXPECT_EQ(0, members[0].revision);

  members[1].owner = {};
  EXPECT_THAT(set_revisions(members, all), HasSubstr("pod b: no controller"));
}

TEST(RevisionsTest, WhatWasReadStaysUntilTheObjectItselfSaysOtherwise) {
  KnownRevision one;
  note_answer(one, Error{"no answer"}, 0);
  EXPECT_EQ("no answer", one.error);
  note_answer(one, TemplateRevision{"w", 3}, 200);
  EXPECT_EQ("", one.error);
  for (const int status : {0, 401, 404, 429, 500, 503}) {
    note_answer(one, Error{"away"}, status);
    EXPECT_EQ(3, one.revision.number) << status;
  }
  note_answer(one, Error{"may not"}, 403);
  EXPECT_EQ(0, one.revision.number);
  note_answer(one, TemplateRevision{"w", 4}, 200);
  note_answer(one, Error{"its annotation has gone"}, 200);
  EXPECT_EQ(0, one.revision.number);
}

}  // namespace
}  // namespace pulse
