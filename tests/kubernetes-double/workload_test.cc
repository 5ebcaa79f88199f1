#include "tests/kubernetes-double/fixture.h"

namespace kubernetes_double {
namespace {

const std::string kApps = "/apis/apps/v1/namespaces/proxysql";

TEST(KubernetesDoubleWorkload, AReplicaSetHasItsRevisionAndItsDeployment) {
  const Api api;
  EXPECT_EQ(404, api.get(kApps + "/replicasets/core-1").status);
  api.control("replicaset core-1 revision=3 workload=core");
  const json set = api.get(kApps + "/replicasets/core-1").json();
  EXPECT_EQ("ReplicaSet", set["kind"]);
  EXPECT_EQ("3", set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]);
  EXPECT_EQ("Deployment", set["metadata"]["ownerReferences"][0]["kind"]);
  EXPECT_EQ("core", set["metadata"]["ownerReferences"][0]["name"]);

  api.control("replicaset core-1 revision=5 workload=core");
  const json again = api.get(kApps + "/replicasets/core-1").json();
  EXPECT_EQ("5", again["metadata"]["annotations"]["deployment.kubernetes.io/revision"]);
  EXPECT_EQ(set["metadata"]["uid"], again["metadata"]["uid"]);
  EXPECT_EQ("core-1", names(api.get(kApps + "/replicasets").json()));
  EXPECT_EQ("", names(api.get(kApps + "/controllerrevisions").json()));
  EXPECT_EQ(5, api.stats()["apps"]);
  api.control("delete-replicaset core-1");
  EXPECT_EQ(404, api.get(kApps + "/replicasets/core-1").status);
}

TEST(KubernetesDoubleWorkload, AControllerRevisionHasItsNumber) {
  const Api api;
  api.control("controllerrevision core-7c9 revision=2 workload=core");
  const json revision = api.get(kApps + "/controllerrevisions/core-7c9").json();
  EXPECT_EQ("ControllerRevision", revision["kind"]);
  EXPECT_EQ(2, revision["revision"]);
  EXPECT_EQ("StatefulSet", revision["metadata"]["ownerReferences"][0]["kind"]);
}

TEST(KubernetesDoubleWorkload, IsRefusedAsARoleRefuses) {
  const Api api;
  api.control("replicaset core-1 revision=3 workload=core");
  api.fault("403 for=apps");
  const auto refused = api.get(kApps + "/replicasets/core-1");
  EXPECT_EQ(403, refused.status);
  EXPECT_EQ(
      "replicasets.apps is forbidden: User \"system:serviceaccount:proxysql:proxysql\" cannot get resource "
      "\"replicasets\" in API group \"apps\" in the namespace \"proxysql\"",
      refused.json()["message"]);
  EXPECT_EQ(200, api.list().status) << "pods are allowed";
  api.clear();
  EXPECT_EQ(200, api.get(kApps + "/replicasets/core-1").status);
  EXPECT_EQ(404, api.get(kApps + "/deployments/core").status);
  EXPECT_EQ(403, api.get("/apis/apps/v1/namespaces/other/replicasets/core-1").status);
}

TEST(KubernetesDoubleWorkload, APodHasTheOwnerThatIsSaid) {
  const Api api;
  api.pod("core-1-abc", "owner=ReplicaSet/core-1");
  api.pod("web-0");
  api.pod("alone", "owner=");
  const json pods = api.list().json()["items"];
  EXPECT_FALSE(pods[0]["metadata"].contains("ownerReferences"));
  EXPECT_EQ("ReplicaSet", pods[1]["metadata"]["ownerReferences"][0]["kind"]);
  EXPECT_EQ("core-1", pods[1]["metadata"]["ownerReferences"][0]["name"]);
  EXPECT_EQ("web", pods[2]["metadata"]["ownerReferences"][0]["name"]);
}

}  // namespace
}  // namespace kubernetes_double
