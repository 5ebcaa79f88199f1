// What a statement answers, before it becomes packets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace proxysql_double {

using Value = std::optional<std::string>;  // nothing is NULL
using Row = std::vector<Value>;

struct ResultSet {
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::function<bool(Row&)> more = {};  // further rows, one a call; false at the end
};

struct Answer {
  enum class Kind { ok, error, rows, connection_lost };
  Kind kind = Kind::ok;
  int64_t affected = 0;
  bool twice = false;  // two OK packets for one statement
  std::string text;    // info of an OK, message of an error
  int code = 1045;
  std::string sqlstate = "28000";
  ResultSet set;

  static Answer ok(int64_t affected_rows = 0, std::string info = "") {
    Answer answer;
    answer.affected = affected_rows;
    answer.text = std::move(info);
    return answer;
  }
  static Answer rows(ResultSet set) {
    Answer answer;
    answer.kind = Kind::rows;
    answer.set = std::move(set);
    return answer;
  }
  static Answer single(std::string column, std::string value) {
    return rows({{std::move(column)}, {{std::move(value)}}});
  }
  static Answer error(int code, std::string sqlstate, std::string message) {
    Answer answer;
    answer.kind = Kind::error;
    answer.code = code;
    answer.sqlstate = std::move(sqlstate);
    answer.text = std::move(message);
    return answer;
  }
  // Nearly every error of the admin interface.
  static Answer admin_error(const std::string& message) {
    return error(1045, "28000", "ProxySQL Admin Error: " + message);
  }
  static Answer connection_lost() {
    Answer answer;
    answer.kind = Kind::connection_lost;
    return answer;
  }
};

}  // namespace proxysql_double
