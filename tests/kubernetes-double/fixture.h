// What the double's tests have in common: a double of their own, and short ways to ask it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/kubernetes.h"
#include "tests/kubernetes-double/https_client.h"

namespace kubernetes_double {

using pulse::test::eventually;
using pulse::test::KubernetesDouble;
using std::chrono::milliseconds;
using std::chrono::seconds;
using End = HttpsClient::End;
using nlohmann::json;

constexpr milliseconds kShort{300};  // so long nothing comes

inline const std::string kPods = "/api/v1/namespaces/proxysql/pods";

inline std::string read_file(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A double and a client's view of it.
class Api : public KubernetesDouble {
 public:
  using KubernetesDouble::KubernetesDouble;

  Target target() const { return {port(), account() + "/ca.crt"}; }
  std::string token() const { return read_file(account() + "/token"); }
  HttpsClient client() const { return HttpsClient(target()); }

  HttpsClient::Response get(const std::string& path) const { return client().get(path, token()); }
  HttpsClient::Response list(const std::string& query = "") const { return get(kPods + query); }
  std::string version() const { return list().json()["metadata"]["resourceVersion"]; }
};

// The names of a list's pods, "a,b".
inline std::string names(const json& list) {
  std::string joined;
  for (const json& item : list.at("items")) {
    if (!joined.empty()) joined += ',';
    joined += item["metadata"]["name"].get<std::string>();
  }
  return joined;
}

// An open watch.
class Watcher {
 public:
  Watcher(const Api& api, const std::string& query) : client_(api.client()) {
    EXPECT_TRUE(client_.connected()) << client_.error();
    EXPECT_TRUE(client_.send(kPods + "?watch=1" + query, api.token()));
  }

  int status() { return client_.receive_status(); }

  // The next event, as "ADDED core-0"; "end" and so on if there is none.
  std::string next(milliseconds patience = HttpsClient::kPatience) {
    End end = End::complete;
    const auto line = client_.receive_line(end, patience);
    if (!line) {
      event = nullptr;
      const char* const ends[] = {"end", "closed", "reset", "silence"};
      return ends[static_cast<int>(end)];
    }
    event = json::parse(*line, nullptr, false);
    if (event.is_discarded()) return "malformed";
    const json& object = event["object"];
    if (object["kind"] == "Status") return event["type"].get<std::string>() + " " + object["code"].dump();
    const std::string name = object["metadata"].value("name", "");
    return event["type"].get<std::string>() + (name.empty() ? "" : " " + name);
  }

  HttpsClient& client() { return client_; }
  json event;  // of the last next()

 private:
  HttpsClient client_;
};

}  // namespace kubernetes_double
