#include "tests/proxysql-double/control.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/control_socket.h"
#include "tests/proxysql-double/server.h"

namespace proxysql_double {
namespace {

using nlohmann::json;
using pulse::test::command_settings;

json failure(const std::string& text) { return {{"ok", false}, {"error", text}}; }
json success() { return {{"ok", true}}; }

json plant_fault(Server& server, const std::vector<std::string>& words) {
  if (words.size() < 3) return failure("fault PHASE KIND [nth=N] [match=TEXT] [mysql]");
  const auto phase = parse_phase(words[1]);
  const auto kind = parse_fault_kind(words[2]);
  if (!phase) return failure("unknown phase " + words[1]);
  if (!kind) return failure("unknown kind " + words[2]);
  const bool to_statement = *phase == Phase::query || *phase == Phase::result;
  if (*kind == FaultKind::endless && !to_statement) return failure("endless goes with phases query and result");
  if (*kind == FaultKind::noaccept && *phase != Phase::accept) return failure("noaccept goes with phase accept");
  Fault fault;
  fault.phase = *phase;
  fault.kind = *kind;
  for (const auto& [name, value] : command_settings(words, 3)) {
    if (name == "nth") {
      fault.nth = std::atoi(value.c_str());
    } else if (name == "match") {
      fault.match = value;
    } else if (name == "mysql") {
      fault.port = Port::mysql;
    } else {
      return failure("unknown setting " + name);
    }
  }
  server.faults.set(fault);
  return success();
}

json plant_hold(Server& server, const std::vector<std::string>& words) {
  Hold hold;
  for (const auto& [name, value] : command_settings(words, 1)) {
    if (name == "match") hold.match = value;
    if (name == "ms") hold.delay = std::chrono::milliseconds(std::atoll(value.c_str()));
    if (name == "locked") hold.locked = true;
  }
  constexpr std::chrono::minutes kLongest{10};
  if (hold.match.empty() || hold.delay.count() <= 0 || hold.delay > kLongest) {
    return failure("hold match=TEXT ms=N [locked], N up to 600000");
  }
  server.faults.set_hold(hold);
  return success();
}

json plant_late_pull(Server& server, const std::vector<std::string>& words) {
  LatePull pull;
  for (const auto& [name, value] : command_settings(words, 1)) {
    if (name == "after") pull.match = value;
    if (name == "module") pull.module = value;
    if (name == "times") pull.times = std::atoi(value.c_str());
  }
  if (pull.match.empty() || pull.module.empty() || pull.times <= 0) {
    return failure("late_pull after=TEXT module=NAME times=N");
  }
  server.faults.set_late_pull(pull);
  return success();
}

json wedge(Server& server, const std::vector<std::string>& words) {
  const std::string kind = words.size() > 1 ? words[1] : "";
  if (kind == "1") {
    const double lasts_s = words.size() > 2 ? std::atof(words[2].c_str()) : 0;
    server.wedge.hold_statements(server.statement_mutex,
                                 std::chrono::milliseconds(static_cast<int64_t>(lasts_s * 1000)));
  } else if (kind == "2") {
    server.wedge.stop_accept_loop();
  } else {
    return failure("wedge 1 [SECONDS] | wedge 2");
  }
  return success();
}

size_t thread_count() {
  size_t threads = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++threads;
  return threads;
}

json stats(Server& server) {
  json answer = success();
  answer["pid"] = ::getpid();
  answer["threads"] = thread_count();
  answer["admin_connections_now"] = server.admin_port.connections_now();
  answer["admin_connections_total"] = server.admin_port.connections_total();
  answer["mysql_connections_now"] = server.mysql_port.connected();
  answer["mysql_paused"] = server.mysql_port.paused();
  answer["pgsql_connections_now"] = server.pgsql_port.connected();
  answer["pgsql_paused"] = server.pgsql_port.paused();
  answer["statements_total"] = server.journal.statements();
  answer["writes_total"] = server.journal.writes();
  answer["statements_by_user"] = server.journal.statements_by_user();
  answer["scheduler_runs"] = server.scheduler.runs();
  answer["wedge"] = static_cast<int>(server.wedge.kind());
  const std::map<std::string, int64_t> fewest = server.journal.fewest_rows();
  answer["min_rows"] = fewest;
  answer["min_proxysql_servers_rows"] = std::min(fewest.at("main.proxysql_servers"), fewest.at("rt.proxysql_servers"));
  answer["last_statement"] = server.journal.last_number();
  return answer;
}

json statements(Server& server, const std::vector<std::string>& words) {
  const uint64_t since = words.size() > 1 ? std::strtoull(words[1].c_str(), nullptr, 10) : 0;
  json answer = success();
  answer["statements"] = json::array();
  for (const JournalEntry& entry : server.journal.since(since)) {
    answer["statements"].push_back(
        {{"number", entry.number}, {"ms", entry.unix_ms}, {"user", entry.user}, {"text", entry.statement}});
  }
  return answer;
}

json run(Server& server, const std::vector<std::string>& words) {
  const std::string name = words.empty() ? "" : words[0];
  if (name == "fault") return plant_fault(server, words);
  if (name == "hold") return plant_hold(server, words);
  if (name == "late_pull") return plant_late_pull(server, words);
  if (name == "clear") {
    server.faults.clear();
    return success();
  }
  if (name == "wedge") return wedge(server, words);
  if (name == "unwedge") {
    server.wedge.release();
    return success();
  }
  if (name == "stats") return stats(server);
  if (name == "statements") return statements(server, words);
  if (name == "port" && words.size() == 3) {
    ClientPort& port = words[1] == "pgsql" ? server.pgsql_port : server.mysql_port;
    if (words[2] == "down") {
      port.stop();
    } else if (auto opened = port.start(); !opened) {
      return failure(opened.error().text);
    }
    return success();
  }
  if (name == "digests" && words.size() == 2) {
    server.generate_digests(std::strtoull(words[1].c_str(), nullptr, 10));
    return success();
  }
  if (name == "page_tables" && words.size() == 2) {
    const auto done = server.page_tables.resize(std::strtoull(words[1].c_str(), nullptr, 10));
    return done ? success() : failure(done.error().text);
  }
  if (name == "empty_looks" && words.size() == 2) {
    server.empty_looks = std::atoi(words[1].c_str());
    return success();
  }
  if (name == "reset_stats") {
    server.journal.reset();
    return success();
  }
  return failure("unknown command " + name);
}

}  // namespace

std::string run_control_command(Server& server, const std::string& line) {
  return run(server, pulse::test::split_command(line)).dump(-1, ' ', false, json::error_handler_t::replace);
}

pulse::Result<void> start_control(Server& server, const std::string& path) {
  return pulse::test::start_control_socket(
      path, [&server](const std::string& line) { return run_control_command(server, line); });
}

}  // namespace proxysql_double
