// ProxySQL's variables at run time (what runtime_global_variables shows).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace proxysql_double {

enum class VariableKind { text, number, boolean };

struct VariableDefinition {
  const char* name;  // with its prefix, "mysql-", "pgsql-" or "admin-"
  const char* default_value;
  VariableKind kind = VariableKind::text;
  int64_t min = INT32_MIN;
  int64_t max = INT32_MAX;
};

// The first ones are of every version, those of PostgreSQL of ProxySQL 3 alone.
const std::vector<VariableDefinition>& variable_definitions();
const std::vector<VariableDefinition>& pgsql_variable_definitions();

// Thread-safe.
class Variables {
 public:
  // All defaults, and `version` as admin-version; with `pgsql` those of ProxySQL 3.
  Variables(const std::string& version, bool pgsql);

  enum class Outcome { set, out_of_range, read_only, unknown };

  // Takes a value as LOAD ... VARIABLES TO RUNTIME does: numbers and booleans are made canonical, what is out of
  // range is refused. Once frozen, threads and interfaces can't be changed.
  Outcome set(const std::string& name, const std::string& value);
  void freeze();

  bool known(const std::string& name) const;
  std::string text(const std::string& name) const;
  int64_t number(const std::string& name) const;
  bool boolean(const std::string& name) const { return text(name) == "true"; }
  std::map<std::string, std::string> with_prefix(const std::string& prefix) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> values_;
  bool frozen_ = false;
};

}  // namespace proxysql_double
