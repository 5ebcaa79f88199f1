#include "src/config/proxysql_groups.h"

#include <libconfig.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "src/base/number.h"
#include "src/config/draft.h"

namespace pulse {

namespace {

using std::chrono::milliseconds;

Origin origin_of(const config_setting_t* setting) {
  return {static_cast<int>(config_setting_source_line(setting)), ""};
}

std::string at(const config_setting_t* setting, const Draft& draft) { return describe(origin_of(setting), draft.path); }

config_setting_t* take_text(config_setting_t* group, const char* name) {
  config_setting_t* found = config_setting_get_member(group, name);
  return found != nullptr && config_setting_type(found) == CONFIG_TYPE_STRING ? found : nullptr;
}

void take_interface(Draft& draft, const config_setting_t* found, std::string& host, int64_t& port, size_t host_key,
                    size_t port_key) {
  const auto first = first_interface(config_setting_get_string(found));
  if (!first) return;
  host = first->first;
  draft.loaded.origins[host_key] = origin_of(found);
  if (first->second == 0) return;
  port = first->second;
  draft.loaded.origins[port_key] = origin_of(found);
}

void take_scheduler_row(Draft& draft, const config_setting_t* rows) {
  const int count = rows == nullptr ? 0 : config_setting_length(rows);
  for (int i = 0; i < count; ++i) {
    config_setting_t* row = config_setting_get_elem(rows, static_cast<unsigned>(i));
    if (row == nullptr || config_setting_is_group(row) == CONFIG_FALSE) continue;
    const char* arg1 = "";
    int interval_ms = 0;
    config_setting_lookup_string(row, "arg1", &arg1);
    config_setting_t* interval = config_setting_get_member(row, "interval_ms");
    if (std::strcmp(arg1, "beat") != 0 || interval == nullptr) continue;
    interval_ms = config_setting_get_int(interval);
    if (interval_ms < 100) continue;  // ProxySQL refuses such a row
    draft.loaded.config.beat.interval = milliseconds(interval_ms);
    draft.loaded.origins[place_of("interval_ms")] = origin_of(interval);
    return;
  }
}

Result<void> take_bootstrap(Draft& draft, const config_setting_t* rows) {
  const int count = rows == nullptr ? 0 : config_setting_length(rows);
  for (int i = 0; i < count; ++i) {
    config_setting_t* row = config_setting_get_elem(rows, static_cast<unsigned>(i));
    const char* hostname = nullptr;
    // As ProxySQL does it (Read_ProxySQL_Servers_from_configfile): two spellings, and a row without a host name or
    // without a port is skipped.
    if (row == nullptr || config_setting_is_group(row) == CONFIG_FALSE ||
        (config_setting_lookup_string(row, "address", &hostname) == CONFIG_FALSE &&
         config_setting_lookup_string(row, "hostname", &hostname) == CONFIG_FALSE)) {
      continue;
    }
    ServerEntry entry;
    entry.hostname = hostname;
    int port = 0;
    int weight = 0;
    const char* comment = "";
    if (config_setting_lookup_int(row, "port", &port) == CONFIG_FALSE) continue;
    config_setting_lookup_int(row, "weight", &weight);
    config_setting_lookup_string(row, "comment", &comment);
    if (port < 1 || port > 65'535) {
      return Error{at(row, draft) + ": proxysql_servers: port " + std::to_string(port) + " is not from 1 to 65535"};
    }
    entry.port = static_cast<uint16_t>(port);
    entry.weight = weight;
    entry.comment = comment;
    draft.loaded.config.bootstrap.push_back(std::move(entry));
  }
  return {};
}

}  // namespace

Result<void> take_proxysql_groups(const config_setting_t* root, Draft& draft) {
  Config& config = draft.loaded.config;
  each_file_group([&](const char* group) {
    const config_setting_t* found = config_setting_get_member(root, group);
    if (found != nullptr && config_setting_length(found) > 0) config.file_groups.emplace_back(group);
  });
  if (config_setting_t* admin = config_setting_get_member(root, "admin_variables")) {
    if (auto* found = take_text(admin, "admin_credentials")) {
      const std::string first = std::string(config_setting_get_string(found));
      const std::string pair = first.substr(0, first.find(';'));
      const size_t colon = pair.find(':');
      if (colon == std::string::npos) {
        return Error{at(found, draft) +
                     ": admin_credentials: expected \"user:password\" or \"user:password;user:password\""};
      }
      config.admin.user = pair.substr(0, colon);
      config.admin.password = pair.substr(colon + 1);
      draft.loaded.origins[place_of("admin.user")] = draft.loaded.origins[place_of("admin.password")] =
          origin_of(found);
    }
    if (auto* found = take_text(admin, "mysql_ifaces")) {
      take_interface(draft, found, config.admin.host, config.admin.port, place_of("admin.host"),
                     place_of("admin.port"));
    }
    int check_interval_ms = 0;
    if (config_setting_lookup_int(admin, "cluster_check_interval_ms", &check_interval_ms) == CONFIG_TRUE) {
      draft.cluster_check_interval = milliseconds(std::clamp(check_interval_ms, 10, 300'000));
    }
  }
  if (config_setting_t* mysql = config_setting_get_member(root, "mysql_variables")) {
    if (auto* found = take_text(mysql, "interfaces")) {
      take_interface(draft, found, config.daemon.mysql_host, config.daemon.mysql_port, place_of("daemon.mysql_host"),
                     place_of("daemon.mysql_port"));
    }
  }
  take_scheduler_row(draft, config_setting_get_member(root, "scheduler"));
  return take_bootstrap(draft, config_setting_get_member(root, "proxysql_servers"));
}

std::optional<std::pair<std::string, int64_t>> first_interface(const std::string& interfaces) {
  std::optional<std::pair<std::string, int64_t>> socket;
  for (size_t begin = 0; begin <= interfaces.size();) {
    const size_t end = std::min(interfaces.find(';', begin), interfaces.size());
    std::string entry = interfaces.substr(begin, end - begin);
    begin = end + 1;
    entry.erase(std::remove(entry.begin(), entry.end(), ' '), entry.end());
    if (!entry.empty() && entry.front() == '/') {
      if (!socket) socket = {entry, 0};
      continue;
    }
    const size_t colon = entry.rfind(':');
    const auto port =
        colon == std::string::npos ? std::nullopt : to_number<int64_t>(std::string_view(entry).substr(colon + 1));
    if (!port || *port < 1 || *port > 65'535) continue;
    std::string host = entry.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host == "0.0.0.0" || host == "*" || host.empty()) host = "127.0.0.1";
    if (host == "::") host = "::1";
    return {{host, *port}};
  }
  return socket;
}

}  // namespace pulse
