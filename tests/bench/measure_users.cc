// Ten thousand accounts as ProxySQL's users by sync-users, beside one mysql client for each user as scripts have it.
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/bench/mariadb.h"
#include "tests/bench/measurements.h"
#include "tests/bench/sql_client.h"

namespace pulse::bench {

namespace {

constexpr int kMany = 10'000;

// MariaDB runs without its system tables here, and takes everybody: this one table of them is all that is read.
Result<void> make_accounts(uint16_t port, int count) {
  auto client = SqlClient::connect(port, "app", "app");
  if (!client) return client.error();
  for (const std::string& statement :
       {std::string("CREATE DATABASE IF NOT EXISTS mysql"),
        std::string("CREATE OR REPLACE TABLE mysql.global_priv (Host CHAR(60), User CHAR(80), Priv LONGTEXT) "
                    "CHARACTER SET utf8mb3 COLLATE utf8mb3_bin"),
        "INSERT INTO mysql.global_priv SELECT '%', CONCAT('user', seq), JSON_OBJECT('access', 0, 'plugin', "
        "'mysql_native_password', 'authentication_string', CONCAT('*', UPPER(SHA1(seq)))) FROM mysql.seq_1_to_" +
            std::to_string(count)}) {
    if (auto done = client->run(statement); !done) return done;
  }
  return {};
}

std::string of_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0600);
  return path;
}

}  // namespace

Result<void> measure_users(Bench& bench) {
  bench.report.heading("The users of a database");
  const std::string program = MariaDb::find();
  if (program.empty()) {
    bench.report.paragraph("Not measured: there is no MariaDB here.");
    return {};
  }
  MariaDb mariadb(program, bench.dir.path());
  if (auto up = mariadb.wait_until_up(); !up) return up;
  if (auto made = make_accounts(mariadb.port(), kMany); !made) return made;
  ServerOptions options;
  options.name = "users";
  options.pulse = "sync_users = { mysql = { server = \"127.0.0.1:" + std::to_string(mariadb.port()) +
                  "\" tls = \"off\" credentials_file = \"" + of_file(bench.dir / "login", "app\napp\n") + "\" } }";
  const auto cost_of = [&](Server& server, const std::vector<std::string>& more = {}) -> Result<Cost> {
    Argv argv = {bench.programs.pulse, "sync-users", "--config=" + server.config(), "--state=" + server.state(),
                 "--timeout-ms=600000"};
    argv.insert(argv.end(), more.begin(), more.end());
    auto cost = run_measured(argv);
    if (cost && cost->exit_code != 0) return Error{"sync-users exits " + std::to_string(cost->exit_code)};
    return cost;
  };

  Server first(bench.programs, bench.dir.path(), options);
  if (auto up = first.wait_until_up(); !up) return up;
  const auto all = cost_of(first);
  if (!all) return all.error();
  const auto again = cost_of(first);
  if (!again) return again.error();
  options.name = "users-memory";
  Server second(bench.programs, bench.dir.path(), options);
  if (auto up = second.wait_until_up(); !up) return up;
  const auto peak = peak_memory_kb({bench.programs.pulse, "sync-users", "--config=" + second.config(),
                                    "--state=" + second.state(), "--timeout-ms=600000"});
  if (!peak) return peak.error();

  // The habit: a client for each user, then a load.
  const int few = bench.effort.quick ? 100 : 1'000;
  options.name = "users-clients";
  Server third(bench.programs, bench.dir.path(), options);
  if (auto up = third.wait_until_up(); !up) return up;
  std::string script;
  const auto add = [&](const std::string& statement) {
    for (const std::string& word : third.mysql(statement, {"--skip-ssl"})) script += "\"" + word + "\" ";
    script += "|| exit 1\n";
  };
  for (int i = 1; i <= few; ++i) {
    add("INSERT OR REPLACE INTO mysql_users (username, password) VALUES ('user" + std::to_string(i) +
        "', '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19')");
  }
  add("LOAD MYSQL USERS TO RUNTIME");
  const auto clients = run_measured({"/bin/sh", of_file(bench.dir / "clients", script)});
  if (!clients || clients->exit_code != 0) return Error{"one of the clients failed"};
  if (auto made = make_accounts(mariadb.port(), few); !made) return made;
  options.name = "users-few";
  Server fourth(bench.programs, bench.dir.path(), options);
  if (auto up = fourth.wait_until_up(); !up) return up;
  const auto same = cost_of(fourth);
  if (!same) return same.error();

  const auto ms = [](const Cost& cost) { return number(cost.wall_us / 1000, 0, "ms"); };
  const double mib = static_cast<double>(*peak) / 1024;
  bench.report.table({{"", "measured", "bar", ""},
                      {"sync-users, 10,000 new users", ms(*all), "< 2 s",
                       bench.report.verdict(all->wall_us < 2e6, "ten thousand new users")},
                      {"its peak memory", number(mib, 1, "MiB"), "< 32 MB",
                       bench.report.verdict(static_cast<double>(*peak) * 1024 < 32e6, "peak memory of sync-users")},
                      {"sync-users, 10,000 users, nothing to do", ms(*again), "< 2 s",
                       bench.report.verdict(again->wall_us < 2e6, "a sync with nothing to do")},
                      {"sync-users, " + std::to_string(few) + " new users", ms(*same), "", ""},
                      {"one mysql client each, " + std::to_string(few) + " new users", ms(*clients), "", ""}});
  return {};
}

}  // namespace pulse::bench
