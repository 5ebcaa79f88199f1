// Which ProxySQL answers, and what statements may name there. Pure.
#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace pulse {

struct ProxysqlVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const ProxysqlVersion&) const = default;  // NOLINT(modernize-use-nullptr): the operator's 0
};

// Of admin-version's text, as "3.0.1-39-g596d5ba"; nothing if it doesn't begin with a version.
std::optional<ProxysqlVersion> parse_proxysql_version(std::string_view text);

// Whether it has PostgreSQL's tables and variables. A statement that names them fails as a whole where it hasn't. A
// text that says nothing is taken for a version without.
bool has_pgsql(std::string_view version);

// Whether its nodes pull PostgreSQL's modules from each other.
bool syncs_pgsql(std::string_view version);

// Whether it reads all of its modules' tables from its file: see FileModule::later_tables.
bool reads_later_tables(std::string_view version);

// RESUME may leave all of this version's workers waiting for ever (sysown/proxysql#4757, mended in 2.7.2).
bool resume_may_stall(std::string_view version);

}  // namespace pulse
