#include "tests/proxysql-double/variables.h"

#include <strings.h>

#include <cstdlib>

namespace proxysql_double {
namespace {

const VariableDefinition* find_definition(const std::string& name) {
  for (const auto* list : {&variable_definitions(), &pgsql_variable_definitions()}) {
    for (const VariableDefinition& definition : *list) {
      if (name == definition.name) return &definition;
    }
  }
  return nullptr;
}

// A 32-bit number, as atoi(3) reads it in ProxySQL: overflow wraps around.
int64_t as_number(const std::string& text) {
  return static_cast<int32_t>(static_cast<uint32_t>(std::strtoll(text.c_str(), nullptr, 10)));
}

}  // namespace

Variables::Variables(const std::string& version, bool pgsql) {
  for (const auto* list : {&variable_definitions(), &pgsql_variable_definitions()}) {
    if (list == &pgsql_variable_definitions() && !pgsql) break;
    for (const VariableDefinition& definition : *list) values_[definition.name] = definition.default_value;
  }
  values_["admin-version"] = version;
}

Variables::Outcome Variables::set(const std::string& name, const std::string& value) {
  const std::lock_guard lock(mutex_);
  const auto current = values_.find(name);
  if (current == values_.end()) return Outcome::unknown;
  if (current->second == value) return Outcome::set;
  if (name == "admin-version") return Outcome::read_only;
  const bool fixed =
      name == "mysql-threads" || name == "mysql-interfaces" || name == "pgsql-threads" || name == "pgsql-interfaces";
  if (frozen_ && fixed) return Outcome::out_of_range;

  if (value.empty() && (name == "admin-admin_credentials" || name == "admin-mysql_ifaces"))
    return Outcome::out_of_range;

  // Accepted, and without effect.
  if (value.empty() && (name == "admin-cluster_username" || name == "admin-cluster_password")) return Outcome::set;

  const VariableDefinition* definition = find_definition(name);
  if (definition->kind == VariableKind::number) {
    const int64_t number = as_number(value);
    if (number < definition->min || number > definition->max) return Outcome::out_of_range;
    current->second = std::to_string(number);
  } else if (definition->kind == VariableKind::boolean) {
    const bool on = ::strcasecmp(value.c_str(), "true") == 0 || value == "1";
    const bool off = ::strcasecmp(value.c_str(), "false") == 0 || value == "0";
    if (!on && !off) return Outcome::out_of_range;
    current->second = on ? "true" : "false";
  } else {
    current->second = value;
  }
  return Outcome::set;
}

void Variables::freeze() {
  const std::lock_guard lock(mutex_);
  frozen_ = true;
}

bool Variables::known(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return values_.contains(name);
}

std::string Variables::text(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second;
}

int64_t Variables::number(const std::string& name) const { return std::strtoll(text(name).c_str(), nullptr, 10); }

std::map<std::string, std::string> Variables::with_prefix(const std::string& prefix) const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> found;
  for (const auto& [name, value] : values_) {
    if (name.starts_with(prefix)) found.emplace(name, value);
  }
  return found;
}

}  // namespace proxysql_double
