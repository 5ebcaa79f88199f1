#include "tests/integration/mariadb_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

namespace pulse::test {

namespace {

constexpr const char* kServer = "/usr/sbin/mariadbd";
constexpr const char* kInstall = "/usr/bin/mariadb-install-db";
constexpr const char* kClient = "/usr/bin/mariadb";

}  // namespace

bool MariadbServer::is_installed() {
  return ::access(kServer, X_OK) == 0 && ::access(kInstall, X_OK) == 0 && ::access(kClient, X_OK) == 0;
}

MariadbServer::MariadbServer(std::vector<std::string> arguments) {
  const std::string data = dir_ / "data";
  // A server that starts removes what temporary tables of others lie there.
  const std::string temporary = "--tmpdir=" + dir_.path();
  std::vector<std::string> install = {kInstall,
                                      "--no-defaults",
                                      "--datadir=" + data,
                                      temporary,
                                      "--skip-test-db",
                                      "--auth-root-authentication-method=normal",
                                      "--skip-name-resolve"};
  std::vector<std::string> argv = {kServer,
                                   "--no-defaults",
                                   "--datadir=" + data,
                                   temporary,
                                   "--socket=" + (dir_ / "socket"),
                                   "--pid-file=" + (dir_ / "pid"),
                                   "--port=" + std::to_string(port_),
                                   "--bind-address=127.0.0.1",
                                   "--skip-name-resolve",
                                   "--innodb-buffer-pool-size=16M",
                                   "--innodb-flush-log-at-trx-commit=0"};
  if (::geteuid() == 0) {
    install.emplace_back("--user=root");
    argv.emplace_back("--user=root");
  }
  const Ran installed = run_to_end(install, dir_, {"PATH=/usr/bin:/bin:/usr/sbin:/sbin"});
  EXPECT_EQ(0, installed.exit_code) << installed.output;
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  process_ = std::make_unique<Process>(argv, dir_, Process::Options{{"PATH=/usr/bin:/bin"}, "mariadbd"});
  // By its socket, which needs no TLS.
  EXPECT_TRUE(eventually([&] { return run_file("").exit_code == 0; })) << process_->output();
}

MariadbServer::~MariadbServer() {
  process_->signal(SIGTERM);
  if (!process_->wait(seconds(10))) process_->signal(SIGKILL);
}

Ran MariadbServer::run_file(const std::string& statements) const {
  const std::string path = dir_ / "statements.sql";
  std::ofstream(path) << statements;
  return run_to_end(
      {"/bin/sh", "-c", std::string(kClient) + " --no-defaults -S " + (dir_ / "socket") + " -u root < " + path}, dir_,
      {"PATH=/usr/bin:/bin"});
}

void MariadbServer::sql(const std::string& statements) const {
  const Ran ran = run_file(statements);
  EXPECT_EQ(0, ran.exit_code) << ran.output;
}

Ran MariadbServer::client(uint16_t port, const std::string& user, const std::string& password,
                          const std::string& statement) const {
  return run_to_end({kClient, "--no-defaults", "--connect-timeout=5", "-N", "-h", "127.0.0.1", "-P",
                     std::to_string(port), "-u", user, "--password=" + password, "-e", statement},
                    dir_, {"PATH=/usr/bin:/bin"});
}

}  // namespace pulse::test
