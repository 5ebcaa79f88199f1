#include "tests/integration/postgres_server.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

void PostgresServer::sql(const std::string& statements) const {
  const Ran ran = run_to_end({programs() + "/psql", "-X", "-q", "-h", "127.0.0.1", "-p", std::to_string(port_), "-U",
                              "app", "-d", "app", "-v", "ON_ERROR_STOP=1", "-c", statements},
                             dir_, {"PATH=/usr/bin:/bin"});
  EXPECT_EQ(0, ran.exit_code) << ran.output;
}

void PostgresServer::reload() {
  const std::string before = value("SELECT pg_conf_load_time()");
  process_->signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return value("SELECT pg_conf_load_time()") != before; }));
}

std::string PostgresServer::value(const std::string& statement) const {
  return run_to_end({programs() + "/psql", "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", std::to_string(port_), "-U",
                     "app", "-d", "app", "-c", statement},
                    dir_, {"PATH=/usr/bin:/bin"})
      .output;
}

void PostgresServer::authenticate(const std::string& method) {
  std::ofstream(dir_ / "data/pg_hba.conf")
      << "host all app 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 " << method << "\n";
  reload();
}

std::string PostgresServer::use_tls(const std::string& name) {
  const std::string certificate = dir_ / "data/server.crt", key = dir_ / "data/server.key";
  const Ran made =
      run_to_end({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                  "/CN=postgres", "-addext", "subjectAltName=" + name, "-keyout", key, "-out", certificate},
                 dir_, {"PATH=/usr/bin:/bin"});
  EXPECT_EQ(0, made.exit_code) << made.output;
  std::filesystem::permissions(key, std::filesystem::perms(0600));
  if (::getuid() == 0) {
    EXPECT_EQ(0, ::chown(key.c_str(), other_user()->pw_uid, other_user()->pw_gid));
    EXPECT_EQ(0, ::chown(certificate.c_str(), other_user()->pw_uid, other_user()->pw_gid));
  }
  std::string copy = dir_ / (name.substr(name.find(':') + 1) + ".crt");  // where this user may read it
  std::filesystem::copy_file(certificate, copy, std::filesystem::copy_options::overwrite_existing);
  sql("ALTER SYSTEM SET ssl = on");
  reload();
  return copy;
}

PostgresServer::~PostgresServer() {
  process_->signal(SIGQUIT);  // at once, with all its children
  process_->wait();
}

}  // namespace pulse::test
