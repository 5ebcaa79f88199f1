// One statement of an admin client, from its text to its answer.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "tests/proxysql-double/answer.h"

namespace proxysql_double {

struct Server;

struct Client {
  std::string user;
  std::string host;
};

// ProxySQL's sql_query_global_mutex, held by whoever runs a statement.
using StatementLock = std::unique_lock<std::mutex>;

// Waits for the global mutex, then runs the first statement of `text`.
Answer run_statement(Server& server, const Client& client, const std::string& text);

// commands.cc: what isn't SQL. `text` without surrounding space and trailing semicolons. Nothing if it is SQL.
std::optional<Answer> run_command(Server& server, const Client& client, const std::string& text, StatementLock& lock);

// stats_tables.cc: brings the runtime_ and stats_ tables up to date whose lower-case names appear in `text`.
void refresh_tables(Server& server, const std::string& text, StatementLock& lock);

}  // namespace proxysql_double
