#include "tests/kubernetes-double/fixture.h"

namespace kubernetes_double {
namespace {

const std::string kLeases = "/apis/coordination.k8s.io/v1/namespaces/proxysql/leases";

json lease(const std::string& name, const std::string& holder) {
  return {{"apiVersion", "coordination.k8s.io/v1"},
          {"kind", "Lease"},
          {"metadata", {{"name", name}, {"namespace", "proxysql"}, {"labels", {{"app", "proxysql"}}}}},
          {"spec",
           {{"holderIdentity", holder},
            {"leaseDurationSeconds", 15},
            {"leaseTransitions", 0},
            {"renewTime", "2026-01-31T12:00:00.000000Z"}}}};
}

HttpsClient::Response ask(const Api& api, const std::string& method, const std::string& path, const std::string& body) {
  HttpsClient client = api.client();
  EXPECT_TRUE(client.send(path, api.token(), method, body));
  return client.receive();
}

TEST(KubernetesDoubleLease, IsCreatedReadAndUpdated) {
  const Api api;
  const auto none = api.get(kLeases + "/a");
  EXPECT_EQ(404, none.status);
  EXPECT_EQ("leases.coordination.k8s.io \"a\" not found", none.json()["message"]);

  const auto created = ask(api, "POST", kLeases, lease("a", "one").dump());
  EXPECT_EQ(201, created.status);
  const json first = created.json();
  EXPECT_EQ("Lease", first["kind"]);
  EXPECT_EQ("one", first["spec"]["holderIdentity"]);
  EXPECT_EQ("proxysql", first["metadata"]["labels"]["app"]);
  EXPECT_FALSE(first["metadata"]["uid"].get<std::string>().empty());
  EXPECT_EQ(first, api.get(kLeases + "/a").json());
  const auto again = ask(api, "POST", kLeases, lease("a", "two").dump());
  EXPECT_EQ(409, again.status);
  EXPECT_EQ("AlreadyExists", again.json()["reason"]);

  json change = first;
  change["spec"]["holderIdentity"] = "two";
  const auto updated = ask(api, "PUT", kLeases + "/a", change.dump());
  EXPECT_EQ(200, updated.status);
  EXPECT_EQ("two", updated.json()["spec"]["holderIdentity"]);
  EXPECT_EQ(first["metadata"]["uid"], updated.json()["metadata"]["uid"]);
  EXPECT_NE(first["metadata"]["resourceVersion"], updated.json()["metadata"]["resourceVersion"]);
  EXPECT_EQ("two", api.control("lease a")["lease"]["spec"]["holderIdentity"]);

  const auto late = ask(api, "PUT", kLeases + "/a", change.dump());
  EXPECT_EQ(409, late.status);
  EXPECT_EQ("Conflict", late.json()["reason"]);
  EXPECT_EQ(6, api.stats()["lease"]);

  api.control("delete-lease a");
  EXPECT_EQ(409, ask(api, "PUT", kLeases + "/a", updated.body).status) << "it has a uid";
  EXPECT_EQ(201, ask(api, "PUT", kLeases + "/a", lease("a", "three").dump()).status);
  EXPECT_TRUE(api.control("lease b")["lease"].is_null());
}

TEST(KubernetesDoubleLease, RefusesWhatTheApiServerRefuses) {
  const Api api;
  json bad = lease("a", "one");
  bad["spec"]["leaseDurationSeconds"] = 0;
  EXPECT_EQ(422, ask(api, "POST", kLeases, bad.dump()).status);
  bad = lease("a", "one");
  bad["spec"]["renewTime"] = "2026-01-31T12:00:00Z";
  EXPECT_EQ(422, ask(api, "POST", kLeases, bad.dump()).status);
  EXPECT_EQ(400, ask(api, "POST", kLeases, "{").status);
  EXPECT_EQ(400, ask(api, "PUT", kLeases + "/b", lease("a", "one").dump()).status);
  EXPECT_EQ(405, ask(api, "DELETE", kLeases + "/a", "").status);
  EXPECT_EQ(201, ask(api, "POST", kLeases, lease("a", "one").dump()).status);
  EXPECT_EQ(422, ask(api, "PUT", kLeases + "/a", lease("a", "two").dump()).status) << "no resourceVersion";
  EXPECT_EQ(403, api.get("/apis/coordination.k8s.io/v1/namespaces/other/leases/a").status);
  EXPECT_EQ(401, api.client().get(kLeases + "/a", "wrong").status);
  EXPECT_EQ(404, api.get("/apis/coordination.k8s.io/v1/leases").status);
}

TEST(KubernetesDoubleLease, FailsOnRequest) {
  const Api api;
  api.fault("500 for=lease times=1");
  EXPECT_EQ(200, api.list().status);
  EXPECT_EQ(500, api.get(kLeases + "/a").status);
  api.fault("403 for=lease times=1");
  EXPECT_EQ(
      "leases.coordination.k8s.io is forbidden: User \"system:serviceaccount:proxysql:proxysql\" cannot create "
      "resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"proxysql\"",
      ask(api, "POST", kLeases, lease("a", "one").dump()).json()["message"]);
  api.fault("lost times=1");
  EXPECT_EQ(200, api.list().status);
  EXPECT_EQ(End::reset, ask(api, "POST", kLeases, lease("a", "one").dump()).end);
  EXPECT_EQ("one", api.get(kLeases + "/a").json()["spec"]["holderIdentity"]) << "done, but not answered";
  api.fault("truncated for=lease times=1");
  EXPECT_EQ(End::closed, api.get(kLeases + "/a").end);
  api.fault("malformed for=lease times=1");
  EXPECT_TRUE(api.get(kLeases + "/a").json().is_discarded());
}

}  // namespace
}  // namespace kubernetes_double
