// A restart changes nothing, and nothing empty or stale becomes the newest: what a core's file and its ProxySQL's
// database may do to a cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/base/exit_code.h"
#include "tests/integration/cluster.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool has(Node& node, const std::string& row) { return node.rows().count(row) != 0; }

std::string kept(const Node& core, const std::string& module) {
  const nlohmann::json status = core.status();
  if (!status.contains("core_files")) return "";
  for (const auto& one : status["core_files"]["modules"]) {
    if (one["name"] == module) return one["kept_at_version_1"];
  }
  return "";
}

// Users were added by hand and loaded, not saved; the file got them, too. ProxySQL starts from a database without.
TEST(ConfigAuthority, AnEmptyModuleIsNotUnlocked) {
  Cluster::Options options;
  options.pulse = "core={ authority=\"never\" },";
  Cluster cluster(options);
  Contents contents = cluster.contents();
  contents.users.clear();
  Node& core = cluster.add_core("core-0", contents, 600);
  Node& satellite = cluster.add_satellite("satellite-0");
  ASSERT_TRUE(eventually([&] { return cluster.all_right(); })) << cluster.describe();
  core.server().query("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('byhand', 'app', 1)");
  core.server().query("LOAD MYSQL USERS TO RUNTIME");
  ASSERT_TRUE(eventually([&] { return has(satellite, "user byhand 1"); })) << cluster.describe();
  cluster.pass_beats(2);
  Contents written = contents;
  written.users = {{"byhand", 1}};
  core.server().rewrite([&](Server::Options& file) { write_modules(written, file); });

  core.kill();
  core.start();
  ASSERT_TRUE(eventually([&] { return kept(core, "mysql_users") != ""; })) << cluster.describe();
  EXPECT_THAT(kept(core, "mysql_users"), HasSubstr("mysql_users is empty before ProxySQL's start"));
  EXPECT_TRUE(eventually([&] {  // said after it is published
    return core.server().log().find("mysql_users is empty before ProxySQL's start") != std::string::npos;
  }));
  cluster.pass_beats(8);
  EXPECT_TRUE(has(satellite, "user byhand 1")) << cluster.describe();
  EXPECT_EQ(1, core.versions()["mysql_users"]);

  // The first of the three ways out that it names.
  core.server().query("LOAD MYSQL USERS FROM CONFIG");
  core.server().query("LOAD MYSQL USERS TO RUNTIME");
  EXPECT_TRUE(eventually([&] { return kept(core, "mysql_users") == "" && has(core, "user byhand 1"); }));
  cluster.pass_beats(4);
  EXPECT_TRUE(has(satellite, "user byhand 1"));
}

// What was changed in an emergency, on all cores, and saved.
TEST(ConfigAuthority, ARestartDoesntBringTheFileBack) {
  Cluster::Options options;
  options.pulse = "core={ authority=\"always\" },";
  Cluster cluster(options);
  const Contents contents = cluster.contents();
  Node& core = cluster.add_core("core-0", contents, 600);
  Node& other = cluster.add_core("core-1", contents, 300);
  Node& satellite = cluster.add_satellite("satellite-0");
  cluster.settle(contents);
  for (Node* node : {&core, &other}) cluster.wait_until_settled(*node);
  for (const char* statement :
       {"UPDATE mysql_servers SET status = 'OFFLINE_SOFT'",
        "INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('emergency', 'app', 1)",
        "LOAD MYSQL SERVERS TO RUNTIME", "LOAD MYSQL USERS TO RUNTIME"}) {
    core.server().query(statement);
  }
  const auto changed = [&](Node& node) {
    return has(node, "user emergency 1") &&
           node.server().value("SELECT COUNT(*) FROM runtime_mysql_servers WHERE status = 'ONLINE'") == "0";
  };
  ASSERT_TRUE(eventually([&] { return changed(core) && changed(other) && changed(satellite); })) << cluster.describe();
  for (Node* node : {&core, &other}) {
    node->server().query("SAVE MYSQL SERVERS TO DISK");
    node->server().query("SAVE MYSQL USERS TO DISK");
  }
  cluster.pass_beats(2);
  const auto restart_and_watch = [&](const std::vector<Node*>& nodes) {
    for (Node* node : nodes) node->kill();
    for (Node* node : nodes) node->start();
    int64_t looks = 0;
    const Deadline end = Deadline::after(seconds(14));
    for (; !end.passed(); ++looks) {
      for (Node* node : {&core, &other, &satellite}) {
        if (!changed(*node)) return "after " + std::to_string(looks) + " looks, " + node->name() + cluster.describe();
      }
      std::this_thread::sleep_for(milliseconds(50));
    }
    return std::string();
  };
  EXPECT_EQ("", restart_and_watch({&other}));
  EXPECT_EQ("", restart_and_watch({&core}));
  EXPECT_EQ("", restart_and_watch({&core, &other})) << "nobody has a newer one: what was served is unlocked";
  EXPECT_TRUE(eventually([&] { return core.versions()["mysql_users"] > 1 || other.versions()["mysql_users"] > 1; }))
      << cluster.describe();

  // A changed file counts.
  Contents edited = contents;
  edited.users["edited"] = 1;
  core.server().rewrite([&](Server::Options& file) { write_modules(edited, file); });
  EXPECT_TRUE(eventually([&] { return has(satellite, "user edited 1") && !has(satellite, "user emergency 1"); }))
      << cluster.describe();
}

// A core alone, whose file revokes a user.
class ReadBack : public ::testing::Test {
 protected:
  ReadBack() : server_(options()) {
    EXPECT_EQ(kExitOk, server_.beat().exit_code);
    wait_for_the_next_second();
    EXPECT_EQ(kExitOk, server_.beat().exit_code);
    EXPECT_EQ("app,revoked", users(""));
    server_.rewrite([](Server::Options& file) { file.mysql_users = user("app", 2) + user("added", 1); });
    wait_for_the_next_second();
  }
  static std::string user(const std::string& name, int hostgroup) {
    return "{ username=\"" + name + "\", password=\"app\", default_hostgroup=" + std::to_string(hostgroup) + " },";
  }
  static Server::Options options() {
    Server::Options options;
    options.role = "core";
    options.pulse = "interval_ms=1000, timeout_ms=5000, core={ authority=\"always\", modules=[\"mysql_users\"] }, ";
    options.mysql_users = user("app", 1) + user("revoked", 1);
    return options;
  }
  // Until what was loaded now may be loaded again: not in the same second of the wall clock, nor within one.
  static void wait_for_the_next_second() { std::this_thread::sleep_for(milliseconds(1050)); }
  std::string users(const std::string& layer) {
    return server_.column("SELECT DISTINCT username FROM " + layer + "mysql_users ORDER BY username");
  }
  void expect_loaded() {
    for (const char* layer : {"", "runtime_"}) EXPECT_EQ("added,app", users(layer)) << layer;
    EXPECT_EQ("2", server_.value("SELECT default_hostgroup FROM mysql_users WHERE username = 'app'"));
  }
  Server server_;
};

TEST_F(ReadBack, AChangedFileIsLoadedOnce) {
  const Ran ran = server_.beat();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("mysql_users as in the file: the file has changed since it was loaded"));
  expect_loaded();
  wait_for_the_next_second();
  EXPECT_EQ("", server_.beat().output);
}

TEST_F(ReadBack, APullBetweenTheStatementsBringsNobodyBack) {
  if (is_real()) GTEST_SKIP() << "needs the double to let a pull land at an instant";
  for (const char* after : {"DELETE FROM mysql_users", "LOAD MYSQL USERS FROM CONFIG"}) {
    SCOPED_TRACE(after);
    server_.control(std::string("late_pull after=\"") + after + "\" module=mysql_users times=2");
    const Ran ran = server_.beat();
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("a peer's rows may have come in between, reading the file again"));
    expect_loaded();
    // Back to the other file.
    server_.rewrite([](Server::Options& file) { file.mysql_users = user("app", 1) + user("revoked", 1); });
    wait_for_the_next_second();
    EXPECT_EQ(kExitOk, server_.beat().exit_code);
    EXPECT_EQ("app,revoked", users("runtime_"));
    server_.rewrite([](Server::Options& file) { file.mysql_users = user("app", 2) + user("added", 1); });
    wait_for_the_next_second();
  }
}

TEST_F(ReadBack, AfterThreeTimesTheOldStateStaysWithAMessage) {
  if (is_real()) GTEST_SKIP() << "needs the double to let a pull land at an instant";
  server_.control("late_pull after=\"DELETE FROM mysql_users\" module=mysql_users times=3");
  const Ran ran = server_.beat();
  EXPECT_EQ(kExitStatement, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("LOAD MYSQL USERS TO RUNTIME isn't run: after 3 times, mysql_users holds revoked, "
                                    "which the file lacks"));
  for (const char* layer : {"", "runtime_"}) EXPECT_EQ("app,revoked", users(layer)) << layer;
  wait_for_the_next_second();
  EXPECT_EQ(kExitOk, server_.beat().exit_code);
  expect_loaded();
}

// The file's rows that ProxySQL itself doesn't take.
TEST_F(ReadBack, ARowThatProxySqlRefusesIsNamed) {
  server_.rewrite([](Server::Options& file) {
    file.mysql_users = user("app", 2) + "{ username=\"odd\", password=\"x\", active=7 },";
  });
  const Ran ran = server_.beat();
  EXPECT_EQ(kExitStatement, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("mysql_users lacks odd, which the file has"));
  EXPECT_EQ("app,revoked", users("runtime_"));
}

// What a ProxySQL reads from its file is replaced as a whole; what it doesn't read isn't the file's to take away.
TEST(LaterTables, GoWithTheirModuleWhereProxySqlReadsThem) {
  if (is_real()) GTEST_SKIP() << "neither real server reads them from its file";
  for (const char* version : {"2.7.1-16-g2726c27", "3.0.10"}) {
    SCOPED_TRACE(version);
    Server::Options options;
    options.role = "core";
    options.version = version;
    options.query_rules = "{ rule_id=1, match_digest=\"a\" },";
    options.pulse =
        "interval_ms=1000, timeout_ms=5000, core={ authority=\"always\", modules=[\"mysql_query_rules\"] }, ";
    Server server(options);
    ASSERT_EQ(kExitOk, server.beat().exit_code);
    server.query(
        "INSERT INTO mysql_query_rules_fast_routing (username, schemaname, destination_hostgroup, comment) VALUES "
        "('byhand', '', 1, '')");
    std::this_thread::sleep_for(milliseconds(1050));  // no module is loaded twice within a second
    server.query("LOAD MYSQL QUERY RULES TO RUNTIME");
    server.rewrite([](Server::Options& file) {
      file.query_rules = "{ rule_id=2, match_digest=\"b\" },";
      file.more_groups =
          "mysql_query_rules_fast_routing=( { username=\"infile\", schemaname=\"s\", destination_hostgroup=2 } )\n";
    });
    std::this_thread::sleep_for(milliseconds(1050));
    const Ran ran = server.beat();
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    EXPECT_EQ("2", server.column("SELECT rule_id FROM runtime_mysql_query_rules"));
    EXPECT_EQ(std::string(version) == "3.0.10" ? "infile" : "byhand",
              server.column("SELECT username FROM runtime_mysql_query_rules_fast_routing"));
  }
}

// ProxySQL 3.0.10 and later tell in their OK how many variables of a load they didn't take.
TEST(RejectedVariables, AreToldInLogStatusAndDoctor) {
  if (is_real()) GTEST_SKIP() << "neither real server is a 3.0.10";
  Server::Options options;
  options.role = "core";
  options.version = "3.0.10";
  options.pulse = "interval_ms=1000, timeout_ms=5000, core={ authority=\"always\", modules=[\"mysql_variables\"] }, ";
  Server server(options);
  const auto load = [&](const std::string& variables) {
    server.rewrite([&](Server::Options& file) { file.mysql_variables = variables; });
    std::this_thread::sleep_for(milliseconds(1050));  // no module is loaded twice within a second
    const Ran ran = server.beat();
    EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
    return ran.output;
  };
  const auto refused = [&] {
    const nlohmann::json status = server.status();
    for (const auto& module : status["core_files"]["modules"]) {
      if (module["name"] == "mysql_variables") return module["refused"].get<std::string>();
    }
    return std::string("no such module");
  };
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_THAT(load("max_connections=100"), Not(HasSubstr("hasn't taken all")));
  EXPECT_EQ("", refused());
  const std::string log = load("max_connections=-7");
  EXPECT_THAT(log, HasSubstr("LOAD MYSQL VARIABLES TO RUNTIME: ProxySQL hasn't taken all: 1 rejected of "));
  EXPECT_THAT(log, HasSubstr("max_connections"));
  EXPECT_THAT(refused(), HasSubstr("1 rejected of "));
  EXPECT_THAT(server.run({"status"}).output, HasSubstr("NOT ALL TAKEN of mysql_variables: 1 rejected of "));
  EXPECT_THAT(server.run({"doctor"}).output, HasSubstr("hasn't taken all of the file's"));
  EXPECT_EQ("", server.beat().output) << "it isn't loaded again and again";
  EXPECT_THAT(load("max_connections=200, no_such_variable=1"), HasSubstr("1 unknown of "));
  EXPECT_THAT(refused(), HasSubstr("no_such_variable"));
  EXPECT_THAT(load("max_connections=100"), Not(HasSubstr("hasn't taken all")));
  EXPECT_EQ("", refused());
}

// Of all kinds of values that a file may hold.
TEST_F(ReadBack, WhatProxySqlStoresOfAFileIsWhatTheFileSays) {
  server_.rewrite([](Server::Options& file) {
    file.mysql_users =
        "{ username=\"app\", password=\"*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9\", default_hostgroup=2, active=1, "
        "use_ssl=0, default_schema=\"db\", schema_locked=0, transaction_persistent=1, fast_forward=0, "
        "max_connections=100, comment=\"it's \\\"ours\\\"\" },"
        "{ username=\"quoted\", password=\"007\", default_hostgroup=\"3\", active=\"1\" },";
    file.mysql_servers =
        "{ address=\"127.0.0.1\", port=3306, hostgroup=0, status=\"ONLINE\", weight=5, compression=0, "
        "max_connections=10, max_replication_lag=0, use_ssl=0, max_latency_ms=0, comment=\"x\" },"
        "{ hostname=\"127.0.0.2\", hostgroup_id=1, status=\"offline_soft\" }, { address=\"127.0.0.3\", hostgroup=1 },";
    file.query_rules =
        "{ rule_id=1, active=1, username=\"app\", match_digest=\"^SELECT .* FOR UPDATE$\", destination_hostgroup=0, "
        "apply=1 }, { rule_id=2, active=0, match_pattern=\"a\\\\d\", replace_pattern=\"b\", cache_ttl=100, "
        "negate_match_pattern=1, comment=\"c\" },";
    file.pulse =
        "interval_ms=1000, timeout_ms=5000, core={ authority=\"always\", modules=[\"mysql_servers\", "
        "\"mysql_users\", \"mysql_query_rules\", \"mysql_variables\"] }, ";
  });
  const Ran ran = server_.beat();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, Not(HasSubstr("reading the file again")));
  EXPECT_EQ("app,quoted", users("runtime_"));
  for (const char* module : {"SERVERS", "USERS", "QUERY RULES", "VARIABLES"}) {
    EXPECT_THAT(ran.output, HasSubstr(std::string("LOAD MYSQL ") + module + " TO RUNTIME: "));
  }
}

}  // namespace
}  // namespace pulse::test
