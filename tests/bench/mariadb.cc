#include "tests/bench/mariadb.h"

#include <unistd.h>

#include <filesystem>

#include "tests/bench/server.h"
#include "tests/bench/sql_client.h"
#include "tests/loopback.h"

namespace pulse::bench {

std::string MariaDb::find() {
  return output_of({"/bin/sh", "-c",
                    "PATH=$PATH:/usr/sbin:/usr/local/sbin; command -v mariadbd || "
                    "{ mysqld --no-defaults --version | grep -q MariaDB && command -v mysqld; }"});
}

MariaDb::MariaDb(const std::string& program, const std::string& dir)
    : base_(dir + "/mariadb"), port_(test::free_port()) {
  std::filesystem::create_directories(base_);
  // Without its system tables, which nothing here needs: so there is nothing to install first.
  Argv argv = {program,
               "--no-defaults",
               "--datadir=" + base_,
               "--tmpdir=" + dir,  // a server that starts removes what temporary tables of others lie there
               "--socket=" + base_ + "/socket",
               "--pid-file=" + base_ + "/pid",
               "--port=" + std::to_string(port_),
               "--bind-address=127.0.0.1",
               "--skip-grant-tables",
               "--skip-networking=0",
               "--max-connections=1000",
               "--innodb-buffer-pool-size=32M"};
  if (::geteuid() == 0) argv.emplace_back("--user=root");
  process_ = Child(argv, dir + "/mariadb.log");
}

Result<void> MariaDb::wait_until_up() {
  const bool up = eventually(
      [&] {
        if (!process_.running()) return true;
        auto client = SqlClient::connect(port_, "app", "app");
        return client && client->run("SELECT 1");
      },
      milliseconds(30'000));
  if (up && process_.running()) return {};
  return Error{"MariaDB doesn't start; its log ends with: " + output_of({"tail", "-n", "3", base_ + ".log"})};
}

}  // namespace pulse::bench
