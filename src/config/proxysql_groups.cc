#include "src/config/proxysql_groups.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include "src/base/number.h"
#include "src/config/client_ports.h"
#include "src/config/draft.h"
#include "src/config/table_rows.h"

namespace pulse {

namespace {

using std::chrono::milliseconds;

// A variable of ProxySQL's and where it stands. `value` is "" where ProxySQL takes no value from there.
struct Variable {
  const CnfSetting* setting = nullptr;
  std::string value;
};

Variable find_variable(const CnfSetting* group, const char* name) {
  const CnfSetting* setting = group == nullptr ? nullptr : group->find(name);
  return setting == nullptr ? Variable{} : Variable{setting, variable_text(*setting).value_or("")};
}

// The number that the text begins with, as atoi(3) reads it; 0 if there is none.
int64_t leading_number(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  return take_number<int64_t>(text).value_or(0);
}

void take_interface(Draft& draft, const Variable& variable, std::string& host, int64_t& port, size_t host_key,
                    size_t port_key) {
  const auto first = first_interface(variable.value);
  if (!first) return;
  host = first->first;
  draft.loaded.origins[host_key] = draft.origin_of(*variable.setting);
  if (first->second == 0) return;
  port = first->second;
  draft.loaded.origins[port_key] = draft.origin_of(*variable.setting);
}

// ProxySQL puts the prefix before each name: with one of their own these are variables that it doesn't know.
void warn_of_prefixes(Draft& draft, const CnfSetting* group, std::string_view prefix) {
  for (const CnfSetting& variable : CnfChildren(group)) {
    if (!variable.name.starts_with(prefix)) continue;
    const std::string name(variable.name);
    draft.loaded.warnings.push_back(variable.at() + ": " + std::string(group->name) + ": " + name +
                                    ": ProxySQL puts the prefix before it once more and knows no such variable: "
                                    "write " +
                                    name.substr(prefix.size()));
  }
}

// The first login; not that of the user named admin where another interface than a local one has to be used, for
// ProxySQL lets that user in from its own host alone, told by the address.
void take_credentials(Draft& draft, const Variable& credentials, const Variable& stats, bool is_local) {
  if (credentials.value.empty()) return;
  const auto pairs = admin_logins(credentials.value, stats.value);
  if (pairs.empty()) return;
  auto pair = pairs.begin();
  if (!is_local && pair->user == "admin") {
    pair = std::find_if(pairs.begin(), pairs.end(), [](const Credentials& one) { return one.user != "admin"; });
    const std::string why = credentials.setting->at() +
                            ": ProxySQL lets the user admin in from 127.0.0.1, ::1 and unix sockets alone, and "
                            "mysql_ifaces has another interface first: unless pulse.admin.user says otherwise, ";
    if (pair == pairs.end()) {
      pair = pairs.begin();
      draft.loaded.warnings.push_back(why + "beats will be refused; add a second pair to admin_credentials");
    } else {
      draft.loaded.warnings.push_back(why + "beats log in as " + pair->user);
    }
  }
  draft.loaded.config.admin.user = pair->user;
  draft.loaded.config.admin.password = pair->password;
  draft.loaded.origins[place_of("admin.user")] = draft.loaded.origins[place_of("admin.password")] =
      draft.origin_of(*credentials.setting);
}

bool is_local(const std::string& host) {
  return host.starts_with('/') || host.starts_with("127.") || host == "::1" || host == "localhost";
}

void take_admin_variables(Draft& draft, const CnfSetting* admin) {
  Config& config = draft.loaded.config;
  if (const Variable found = find_variable(admin, "mysql_ifaces"); found.setting != nullptr) {
    take_interface(draft, found, config.admin.host, config.admin.port, place_of("admin.host"), place_of("admin.port"));
  }
  take_credentials(draft, find_variable(admin, "admin_credentials"), find_variable(admin, "stats_credentials"),
                   is_local(config.admin.host));
  // Out of these limits, ProxySQL keeps what it has.
  const int64_t interval_ms = leading_number(find_variable(admin, "cluster_check_interval_ms").value);
  if (interval_ms >= 10 && interval_ms <= 300'000) draft.cluster_check_interval = milliseconds(interval_ms);
}

// A file that says nothing of PostgreSQL serves nobody there, though ProxySQL 3 listens all the same.
void take_pgsql_port(Draft& draft, const CnfSetting& root, const CnfSetting* variables) {
  DaemonSettings& daemon = draft.loaded.config.daemon;
  const CnfSetting* group = variables;
  for (const char* name : {"pgsql_servers", "pgsql_users"}) {
    const CnfSetting* rows = root.find(name);
    if (group == nullptr && rows != nullptr && rows->length > 0) group = rows;
  }
  if (group == nullptr) return;
  daemon.pgsql_port = kDefaultPgsqlPort;
  draft.loaded.origins[place_of("daemon.pgsql_port")] = draft.origin_of(*group);
  if (const Variable found = find_variable(variables, "interfaces"); found.setting != nullptr) {
    take_interface(draft, found, daemon.pgsql_host, daemon.pgsql_port, place_of("daemon.pgsql_host"),
                   place_of("daemon.pgsql_port"));
    daemon.pgsql_interfaces = all_interfaces(found.value);
  }
}

// Of the rows that run a beat the first one that is active; if none is, the first.
void take_scheduler_row(Draft& draft, const CnfSetting* list) {
  bool found = false;
  for (const ListedRow& row : listed_rows("scheduler", list)) {
    const bool active = row.number("active", 1) != 0;
    if (row.get("arg1", "") != "beat" || (found && !active)) continue;
    draft.loaded.config.beat.interval = milliseconds(row.number("interval_ms", 0));
    draft.loaded.origins[place_of("interval_ms")] = draft.origin_of(*row.setting->find("interval_ms"));
    if (active) return;
    found = true;
  }
}

void take_bootstrap(Draft& draft, const CnfSetting* list) {
  for (const ListedRow& row : listed_rows("proxysql_servers", list)) {
    const int64_t port = row.number("port", 0);
    ServerEntry entry;
    entry.hostname = row.get("hostname", "");
    if (entry.hostname.empty() || port < 1 || port > 65'535) {
      draft.loaded.warnings.push_back(row.setting->at() + ": proxysql_servers: \"" + entry.hostname + "\", port " +
                                      std::to_string(port) + ": no ProxySQL is there: the row counts for nothing");
      continue;
    }
    entry.port = static_cast<uint16_t>(port);
    entry.weight = row.number("weight", 0);
    entry.comment = row.get("comment", "");
    draft.loaded.config.bootstrap.push_back(std::move(entry));
  }
}

// The parts of `text` between the separators; none is empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(separator));
    if (!part.empty()) parts.push_back(part);
    text.remove_prefix(std::min(part.size() + 1, text.size()));
  }
  return parts;
}

}  // namespace

void take_proxysql_groups(const CnfSetting& root, Draft& draft) {
  Config& config = draft.loaded.config;
  each_file_group([&](const char* group) {
    const CnfSetting* found = root.find(group);
    if (found != nullptr && found->length > 0) config.file_groups.emplace_back(group);
  });
  const CnfSetting* admin = root.find("admin_variables");
  const CnfSetting* mysql = root.find("mysql_variables");
  take_admin_variables(draft, admin);
  if (const Variable found = find_variable(mysql, "interfaces"); found.setting != nullptr) {
    take_interface(draft, found, config.daemon.mysql_host, config.daemon.mysql_port, place_of("daemon.mysql_host"),
                   place_of("daemon.mysql_port"));
    config.daemon.mysql_interfaces = all_interfaces(found.value);
  }
  const CnfSetting* pgsql = root.find("pgsql_variables");
  take_pgsql_port(draft, root, pgsql);
  warn_of_prefixes(draft, admin, "admin-");
  warn_of_prefixes(draft, mysql, "mysql-");
  warn_of_prefixes(draft, pgsql, "pgsql-");
  take_scheduler_row(draft, root.find("scheduler"));
  take_bootstrap(draft, root.find("proxysql_servers"));
}

std::vector<Credentials> split_credentials(std::string_view text) {
  std::vector<Credentials> all;
  for (const std::string_view pair : split(text, ';')) {
    const auto parts = split(pair, ':');
    all.push_back({std::string(parts.empty() ? "" : parts[0]), std::string(parts.size() < 2 ? "" : parts[1])});
  }
  return all;
}

std::vector<Credentials> admin_logins(std::string_view admin, std::string_view stats) {
  std::vector<Credentials> logins;
  const auto find = [](auto& all, const std::string& user) {
    return std::find_if(all.begin(), all.end(), [&](const Credentials& one) { return one.user == user; });
  };
  for (Credentials& pair : split_credentials(admin.empty() ? "admin:admin" : admin)) {
    if (pair.user.empty()) continue;
    if (const auto same = find(logins, pair.user); same != logins.end()) {
      same->password = std::move(pair.password);
    } else {
      logins.push_back(std::move(pair));
    }
  }
  const auto watchers = split_credentials(stats.empty() ? "stats:stats" : stats);
  std::erase_if(logins, [&](const Credentials& one) { return find(watchers, one.user) != watchers.end(); });
  return logins;
}

bool is_password_hash(std::string_view password) {
  constexpr size_t kDigits = 40;
  if (password.starts_with("$A$")) return true;
  return password.size() == 1 + kDigits && password.front() == '*' &&
         std::all_of(password.begin() + 1, password.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::vector<MysqlInterface> all_interfaces(const std::string& interfaces) {
  std::vector<MysqlInterface> all;
  for (const std::string_view entry : split(interfaces, ';')) {
    std::string_view host, port_text;
    if (entry.front() == '[') {
      const size_t close = entry.find(']');
      if (close == std::string_view::npos) continue;
      host = entry.substr(1, close - 1);
      port_text = entry.substr(std::min(close + 2, entry.size()));
    } else {
      const auto parts = split(entry, ':');
      if (!parts.empty()) host = parts[0];
      if (parts.size() > 1) port_text = parts[1];
    }
    const bool is_path = host.starts_with('/');
    const int64_t port = leading_number(port_text);
    if (port == 0) {
      // Any other is in a working directory that isn't known here.
      if (is_path) all.push_back({std::string(host), 0});
      continue;
    }
    // What ProxySQL can't look up it doesn't listen on.
    if (is_path || port < 1 || port > 65'535 || host.empty() || host.find(' ') != std::string_view::npos) continue;
    if (host == "0.0.0.0" || host == "*") host = "127.0.0.1";
    if (host == "::") host = "::1";
    all.push_back({std::string(host), port});
  }
  return all;
}

std::optional<std::pair<std::string, int64_t>> first_interface(const std::string& interfaces) {
  const std::vector<MysqlInterface> all = all_interfaces(interfaces);
  const auto port = std::find_if(all.begin(), all.end(), [](const MysqlInterface& one) { return !one.is_socket(); });
  if (port != all.end()) return {{port->host, port->port}};
  if (all.empty()) return std::nullopt;
  return {{all.front().host, 0}};
}

}  // namespace pulse
