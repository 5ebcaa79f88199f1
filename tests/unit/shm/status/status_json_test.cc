#include "shm/status/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "shm/record/applied.h"
#include "shm/record/core_record.h"
#include "tests/unit/shm/status/status_fixture.h"

namespace pulse {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class StatusJsonTest : public StatusFixture {
 protected:
  StatusJsonTest() {
    view_.discovery.source = static_cast<uint8_t>(Source::kubernetes);
    view_.discovery.ok_ns = kNow - 1'500'000'000;
    view_.discovery.failing_since_ns = kNow - 2'000'000'000;
    view_.discovery.failures = 4;
    set_text(view_.discovery.error, "list pods: \"no\"");
  }
  json status() const { return json::parse(status_json(input_)); }
};

TEST_F(StatusJsonTest, Discovery) {
  const json discovery = status()["discovery"];
  EXPECT_EQ("kubernetes", discovery["source"]);
  EXPECT_EQ(1500, discovery["ok_age_ms"]);
  EXPECT_TRUE(discovery["looked_age_ms"].is_null());
  EXPECT_EQ(2000, discovery["failing_for_ms"]);
  EXPECT_EQ(4, discovery["failures"]);
  EXPECT_EQ("list pods: \"no\"", discovery["error"]);
  EXPECT_EQ(json::array(), status()["members"]);
  view_.discovery.source = 200;
  EXPECT_EQ("none", status()["discovery"]["source"]) << "whatever is in the segment";
}

TEST_F(StatusJsonTest, PostgresqlsPartIsToldApart) {
  EXPECT_TRUE(status()["proxysql"]["pgsql"].is_null());
  view_.observation.serves_pgsql = 1;
  view_.observation.pgsql_clients = 4;
  view_.observation.backends = {5, 1, 0};
  view_.observation.pgsql_backends = {2, 1, 0};
  const json both = status();
  EXPECT_EQ(4, both["proxysql"]["pgsql"]["clients"]);
  EXPECT_EQ(3, both["proxysql"]["pgsql"]["backends"]["total"]);
  EXPECT_EQ(6, both["backends"]["total"]) << "of both";
}

TEST_F(StatusJsonTest, EachProtocolHasItsPart) {
  input_.clients = 7;
  port_.known = port_.answers = true;
  view_.observation.backends = {5, 1, 0};
  json both = status();
  EXPECT_EQ(7, both["mysql"]["clients"]) << "all of them";
  EXPECT_EQ(6, both["mysql"]["backends"]["total"]);
  EXPECT_EQ(true, both["mysql"]["served"]);
  EXPECT_TRUE(both["pgsql"].is_null() && both["pgsql_port"].is_null());
  PortView pgsql;
  input_.pgsql_port = &pgsql;
  EXPECT_TRUE(status()["pgsql"].is_null()) << "nobody has looked at it";

  pgsql.known = true;
  pgsql.reason = "nothing listens on the port";
  view_.observation.serves_pgsql = 1;
  view_.observation.pgsql_backends = {2, 1, 0};
  input_.pgsql_clients = 4;
  verdict_.served.pgsql = true;
  both = status();
  EXPECT_EQ(7, both["clients"]) << "the sum";
  EXPECT_EQ(3, both["mysql"]["clients"]);
  EXPECT_EQ(3, both["mysql"]["backends"]["online"]);
  EXPECT_EQ(4, both["pgsql"]["clients"]);
  EXPECT_EQ(3, both["pgsql"]["backends"]["total"]);
  EXPECT_EQ(false, both["pgsql"]["port_answers"]);
  EXPECT_EQ(true, both["pgsql"]["served"]);
  EXPECT_EQ(6133, both["pgsql_port"]["port"]) << "the file doesn't say: ProxySQL's own";
  EXPECT_EQ("nothing listens on the port", both["pgsql_port"]["reason"]);
  input_.pgsql_clients = -1;
  EXPECT_TRUE(status()["mysql"]["clients"].is_null() && status()["pgsql"]["clients"].is_null());
  const json probe = json::parse(probe_json(input_, verdict_.ready, "readiness"));
  EXPECT_EQ(both["pgsql"]["backends"], probe["pgsql"]["backends"]);
}

TEST_F(StatusJsonTest, WhatHasBeenAppliedIsTold) {
  config_.role = Role::core;
  view_.core.revision = 7;
  CoreModule* users = core_module(view_.core, "mysql_users");
  users->content = {0x1234, 0xABCD};
  users->state = static_cast<uint8_t>(FileState::waiting);
  set_text(users->why, "the other cores are asked");
  set_text(users->kept, "mysql_users is empty");
  auto applied = std::make_shared<Applied>();
  enter_load(*applied, "mysql_users", {0x1234, 0xABCD}, 6, 1'700'000'000);
  enter_load(*applied, "mysql_servers", {1, 2}, 6, 1'700'000'000);
  view_.applied = applied;
  nlohmann::json files = nlohmann::json::parse(status_json(input_))["core_files"];
  EXPECT_EQ(7, files["revision"]);
  EXPECT_EQ("workload", files["revision_from"]);
  ASSERT_EQ(2U, files["modules"].size());
  const auto& one = files["modules"][0];
  EXPECT_EQ("mysql_users", one["name"]);
  EXPECT_EQ("0000000000001234000000000000abcd", one["content"]);
  EXPECT_EQ("waiting", one["state"]);
  EXPECT_EQ("the other cores are asked", one["why"]);
  EXPECT_EQ("mysql_users is empty", one["kept_at_version_1"]);
  EXPECT_EQ(nlohmann::json::parse(R"([{"content": "0000000000001234000000000000abcd", "revision": 6,
                                       "at": "2023-11-14T22:13:20Z"}])"),
            one["applied"]);
  EXPECT_EQ("mysql_servers", files["modules"][1]["name"]) << "known from the others alone";
  EXPECT_TRUE(files["modules"][1]["content"].is_null());

  view_.core.revision = 1'700'000'000;
  set_text(view_.discovery.no_revisions, "replicasets: forbidden");
  files = nlohmann::json::parse(status_json(input_))["core_files"];
  EXPECT_EQ("pod creation time: replicasets: forbidden", files["revision_from"]);
  config_.role = Role::satellite;
  EXPECT_FALSE(nlohmann::json::parse(status_json(input_)).contains("core_files"));
}

TEST_F(StatusJsonTest, Members) {
  add_member("10.0.0.1", true, "core \"\xff\\");
  add_member("10.0.0.2", true);
  add_member("fd00::1", false);
  members_->members[0].created_at = 1769860800;
  members_->members[0].ready = 1;
  members_->members[1].is_self = 1;
  Observation& seen = view_.observation;
  seen.peers_count = 2;
  set_text(seen.peers[0].hostname, "10.0.0.2");
  seen.peers[0].port = 6033;
  set_text(seen.peers[1].hostname, "10.0.0.1");
  seen.peers[1].port = 6032;
  seen.peers[1].updated_at = 1769860900;

  const json members = status()["members"];
  ASSERT_EQ(3u, members.size());
  EXPECT_EQ("core \"\xEF\xBF\xBD\\", members[0]["name"]);
  EXPECT_EQ("2026-01-31T12:00:00Z", members[0]["created_at"]);
  EXPECT_EQ(true, members[0]["ready"]);
  EXPECT_EQ(true, members[0]["in_proxysql_servers"]);
  EXPECT_EQ(1769860900, members[0]["last_seen_by_proxysql"]);
  EXPECT_EQ("core", members[1]["role"]);
  EXPECT_EQ(true, members[1]["self"]);
  EXPECT_EQ(false, members[1]["in_proxysql_servers"]) << "at another port";
  EXPECT_TRUE(members[1]["last_seen_by_proxysql"].is_null());
  EXPECT_TRUE(members[1]["created_at"].is_null());
  EXPECT_TRUE(members[1]["age_s"].is_null());
  EXPECT_EQ("satellite", members[2]["role"]);
}

TEST_F(StatusJsonTest, ACountIsBounded) {
  add_member("10.0.0.1", true);
  members_->count = 4'000'000'000;
  EXPECT_EQ(kMembers, status()["members"].size()) << "whatever is in the segment";
}

TEST_F(StatusJsonTest, Drain) {
  EXPECT_TRUE(status()["drain"].is_null());
  DrainRecord& drain = view_.drain;
  drain.number = 3;
  drain.began_ns = kNow - 4'000'000'000;
  drain.deadline_ns = kNow + 21'000'000'000;
  drain.clients_first = 12;
  drain.clients = 5;
  drain.lowered_to_ms = 500;
  drain.closed = 7;
  drain.way = static_cast<uint8_t>(DrainWay::unsynced);
  drain.stops = 1;
  drain.phase = static_cast<uint8_t>(DrainPhase::settle);
  json shown = status()["drain"];
  EXPECT_EQ(3, shown["number"]);
  EXPECT_EQ("settle", shown["phase"]);
  EXPECT_EQ("none", shown["outcome"]);
  EXPECT_EQ(4000, shown["began_ms_ago"]);
  EXPECT_TRUE(shown["took_ms"].is_null());
  EXPECT_EQ(21'000, shown["left_ms"]);
  EXPECT_EQ(true, shown["shuts_down"]);
  EXPECT_EQ(12, shown["clients_first"]);
  EXPECT_EQ(5, shown["clients"]);
  EXPECT_EQ(500, shown["wait_timeout_ms"]);
  EXPECT_EQ("lowers_wait_timeout", shown["way"]);
  EXPECT_EQ("admin-cluster_mysql_variables_diffs_before_sync is 0 on all members", shown["way_reason"]);
  EXPECT_EQ(7, shown["sessions_closed"]);
  EXPECT_EQ(false, shown["paused"]);
  EXPECT_EQ(false, shown["admin_unresponsive"]);

  drain.ended_ns = kNow - 1'000'000'000;
  drain.phase = static_cast<uint8_t>(DrainPhase::ended);
  drain.outcome = static_cast<uint8_t>(DrainOutcome::stopped);
  drain.clients = drain.lowered_to_ms = -1;
  set_text(drain.message, "stopped \"so\"");
  shown = status()["drain"];
  EXPECT_EQ("stopped", shown["outcome"]);
  EXPECT_EQ("stopped \"so\"", shown["message"]);
  EXPECT_EQ(3000, shown["took_ms"]);
  EXPECT_TRUE(shown["left_ms"].is_null());
  EXPECT_TRUE(shown["clients"].is_null());
  EXPECT_TRUE(shown["wait_timeout_ms"].is_null());

  const json good = json::parse(drain_json(input_, true, "done"));
  EXPECT_EQ("ok", good["status"]);
  EXPECT_EQ("done", good["message"]);
  EXPECT_TRUE(good["clients"].is_null());
  EXPECT_EQ(shown, good["drain"]);
  drain.clients = 2;
  const json bad = json::parse(drain_json(input_, false, "why"));
  EXPECT_EQ("error", bad["status"]);
  EXPECT_EQ(2, bad["clients"]);
  drain.phase = drain.outcome = 200;
  EXPECT_EQ("unknown", status()["drain"]["phase"]) << "whatever is in the segment";
}

}  // namespace
}  // namespace pulse
