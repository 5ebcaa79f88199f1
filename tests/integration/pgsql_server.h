// A ProxySQL 3 with MySQL and PostgreSQL users and, where it is a real one, a double behind it as the backend of both.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/integration/support.h"

namespace pulse::test {

inline constexpr const char* kVersion3 = "3.0.1-39-g596d5ba";

class PgsqlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (is_real() && proxysql_major() < 3) GTEST_SKIP() << "PostgreSQL came with ProxySQL 3";
    Server::Options backend;
    backend.double_always = true;
    backend.version = kVersion3;
    backend.pgsql_users = "{ username=\"app\", password=\"app\" },";
    if (is_real()) backend_ = std::make_unique<Server>(backend);
  }
  Server::Options options() const {
    Server::Options options;
    if (!is_real()) options.version = kVersion3;
    const uint16_t mysql = backend_ ? backend_->mysql_port() : uint16_t{3306};
    const uint16_t pgsql = backend_ ? backend_->pgsql_port() : uint16_t{5432};
    options.mysql_servers = "{ address=\"127.0.0.1\", port=" + std::to_string(mysql) + ", hostgroup=0 },";
    options.pgsql_servers = "{ address=\"127.0.0.1\", port=" + std::to_string(pgsql) + ", hostgroup=0 },";
    options.pgsql_users = "{ username=\"app\", password=\"app\", default_hostgroup=0 },";
    return options;
  }

  std::unique_ptr<Server> backend_;
};

}  // namespace pulse::test
