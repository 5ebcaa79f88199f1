#include "tests/proxysql-double/statement.h"

#include <thread>

#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/server.h"

namespace proxysql_double {
namespace {

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n\f";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  const size_t last = text.find_last_not_of(" \t\r\n\f;");
  return last == std::string::npos || last < first ? "" : text.substr(first, last - first + 1);
}

// Pulls take no mutex of the statements', so one may land between any two of them.
void land_late_pull(Server& server, const std::string& name) {
  for (const Module module : all_modules(server.options.has_pgsql())) {
    if (module_name(module) != name) continue;
    std::vector<ResultSet> contents;
    for (const std::string& query : content_queries(module)) contents.push_back(server.database->query(query));
    store_content(*server.database, module, contents);
    server.load_to_runtime(module, server.modules.stamp(name).epoch);
  }
}

Answer answer_to(Server& server, const Client& client, const std::string& text) {
  server.journal.add(client.user, text);
  const auto hold = server.faults.hold_for(text);
  if (hold && !hold->locked) std::this_thread::sleep_for(hold->delay);

  StatementLock lock(server.statement_mutex);
  if (hold && hold->locked) std::this_thread::sleep_for(hold->delay);
  const std::string statement = trimmed(text);
  if (auto answer = run_command(server, client, statement, lock)) return *answer;
  // The whole table, of any size, without SQLite.
  if (statement.starts_with("SELECT * FROM stats_mysql_query_digest") && !server.database->statistics_locked()) {
    if (statement.ends_with("_digest")) return Answer::rows(server.digests(false));
    if (statement.ends_with("_digest_reset")) return Answer::rows(server.digests(true));
  }
  refresh_tables(server, statement, lock);
  Answer answer = server.database->run(statement);
  if (!only_reads(statement)) server.note_rows();
  return answer;
}

}  // namespace

Answer run_statement(Server& server, const Client& client, const std::string& text) {
  Answer answer = answer_to(server, client, text);
  if (const auto module = server.faults.take_late_pull(text)) land_late_pull(server, *module);
  return answer;
}

}  // namespace proxysql_double
