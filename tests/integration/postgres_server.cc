#include "tests/integration/postgres_server.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

namespace pulse::test {

namespace {

// The folder of the newest version's programs; "" without any.
std::string programs() {
  std::string found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string bin = entry.path() / "bin";
    if (::access((bin + "/initdb").c_str(), X_OK) == 0) found = std::max(found, bin);
  }
  return found;
}

// Whom root runs it as.
const passwd* other_user() { return ::getpwnam("postgres"); }

void become_other_user() {
  if (::getuid() != 0) return;
  const passwd* const user = other_user();
  if (user == nullptr || ::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0) {
    ::_exit(127);
  }
}

}  // namespace

bool PostgresServer::is_installed() { return !programs().empty() && (::getuid() != 0 || other_user() != nullptr); }

PostgresServer::PostgresServer() {
  const std::string data = dir_ / "data";
  std::filesystem::create_directories(data);
  std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(data, std::filesystem::perms(0700));
  if (::getuid() == 0) {
    EXPECT_EQ(0, ::chown(data.c_str(), other_user()->pw_uid, other_user()->pw_gid));
  }
  const auto run = [&](const std::vector<std::string>& arguments) {
    const Ran ran = run_to_end(arguments, dir_, {"PATH=/usr/bin:/bin"}, become_other_user);
    EXPECT_EQ(0, ran.exit_code) << ran.output;
  };
  const std::string bin = programs();
  run({bin + "/initdb", "-D", data, "-U", "app", "--auth=trust", "--no-sync", "--no-instructions", "-E", "UTF8",
       "--locale=C"});
  const std::string port = std::to_string(port_);
  process_ = std::make_unique<Process>(
      std::vector<std::string>{bin + "/postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c",
                               "unix_socket_directories=" + data, "-c", "fsync=off", "-c", "max_connections=400"},
      dir_, Process::Options{{"PATH=/usr/bin:/bin"}, "postgres", become_other_user});
  const std::vector<std::string> psql = {bin + "/psql", "-X", "-q", "-h", "127.0.0.1", "-p", port, "-U", "app"};
  const auto sql = [&](const std::string& database, const std::string& statement) {
    std::vector<std::string> arguments = psql;
    arguments.insert(arguments.end(), {"-d", database, "-c", statement});
    return arguments;
  };
  EXPECT_TRUE(eventually([&] {
    return run_to_end(sql("postgres", "SELECT 1"), dir_, {"PATH=/usr/bin:/bin"}).exit_code == 0;
  })) << process_->output();
  run(sql("postgres", "CREATE DATABASE app"));
  run(sql("app", "CREATE TABLE t (a int)"));
}

PostgresServer::~PostgresServer() {
  process_->signal(SIGQUIT);  // at once, with all its children
  process_->wait();
}

}  // namespace pulse::test
