#include "src/config.h"

#include <fcntl.h>
#include <libconfig.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <variant>

#include "shm/segment.h"
#include "src/address.h"
#include "src/cnf_text.h"
#include "src/fnv.h"
#include "src/unique_fd.h"

namespace pulse {

namespace {

using std::chrono::milliseconds;
using Field = std::variant<std::string Config::*, milliseconds Config::*, int64_t Config::*, bool Config::*>;

enum class Secrecy { open, secret };

struct Key {
  const char* name;  // below "pulse."
  Field field;
  int64_t least = 0;
  int64_t most = 0;
  std::vector<std::string> choices = {};
  Secrecy secrecy = Secrecy::open;

  std::string allowed() const {
    if (!choices.empty()) {
      std::string text;
      for (const auto& choice : choices) text += (text.empty() ? "\"" : " or \"") + choice + "\"";
      return text;
    }
    if (std::holds_alternative<bool Config::*>(field)) return "true or false";
    if (std::holds_alternative<std::string Config::*>(field)) return "a text in double quotes";
    return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  }
};

const std::vector<Key>& keys() {
  static const std::vector<Key> table = {
      {"role", &Config::role, 0, 0, {"core", "satellite"}},
      {"state", &Config::state},
      {"group", &Config::group_name},
      {"interval_ms", &Config::interval, 100, 100'000'000},
      {"timeout_ms", &Config::timeout, 50, 60'000},
      {"backoff_max_ms", &Config::backoff_max, 1'000, 3'600'000},
      {"admin.host", &Config::admin_host},
      {"admin.port", &Config::admin_port, 1, 65'535},
      {"admin.user", &Config::admin_user},
      {"admin.password", &Config::admin_password, 0, 0, {}, Secrecy::secret},
      {"admin.password_file", &Config::admin_password_file},
      {"admin.tls", &Config::admin_tls},
      {"satellite.peer_timeout_ms", &Config::peer_timeout, 1'000, 3'600'000},
      {"daemon.listen_address", &Config::listen_address},
      {"daemon.port", &Config::listen_port, 0, 65'535},
      {"daemon.mysql_host", &Config::mysql_host},
      {"daemon.mysql_port", &Config::mysql_port, 1, 65'535},
      {"daemon.mysql_look", &Config::mysql_look, 0, 0, {"passive", "active"}},
      {"daemon.mysql_dead_after_ms", &Config::mysql_dead_after, 1'000, 3'600'000},
      {"daemon.live_after_ms", &Config::live_after, 0, 86'400'000},
      {"daemon.live_stagger_ms", &Config::live_stagger, 0, 86'400'000},
  };
  return table;
}

const Key* find_key(const std::string& name) {
  const auto found = std::find_if(keys().begin(), keys().end(), [&](const Key& key) { return name == key.name; });
  return found == keys().end() ? nullptr : &*found;
}

std::string close_names(const std::string& prefix) {
  std::string names;
  for (const Key& key : keys()) {
    const std::string name = key.name;
    if (name.rfind(prefix, 0) != 0) continue;
    const std::string rest = name.substr(prefix.size());
    const std::string shown = rest.substr(0, rest.find('.'));
    if ((", " + names + ",").find(", " + shown + ",") == std::string::npos)
      names += (names.empty() ? "" : ", ") + shown;
  }
  return names;
}

using Value = std::variant<std::string, int64_t, bool>;

// One load in progress: the values, and where each came from.
class Loader {
 public:
  explicit Loader(std::string path) : path_(std::move(path)) { loaded_.config.file = path_; }

  Result<LoadedConfig> run(const config_t& file, const std::vector<Override>& overrides) {
    config_setting_t* root = config_root_setting(&file);
    if (auto taken = take_proxysql_groups(root); !taken) return taken.error();
    if (auto read = read_pulse_group(root); !read) return read.error();
    for (const Override& over : overrides) {
      const Key* key = find_key(over.key);
      if (key == nullptr) return Error{over.source + ": there is no key pulse." + over.key};
      if (auto set = set_from_text(*key, over); !set) return set.error();
    }
    if (auto finished = finish(); !finished) return finished.error();
    return std::move(loaded_);
  }

 private:
  std::string at(const config_setting_t* setting) const {
    return path_ + ":" + std::to_string(config_setting_source_line(setting));
  }

  // What ProxySQL's own groups say: admin interface, credentials, MySQL port, scheduler row, bootstrap entries.
  Result<void> take_proxysql_groups(config_setting_t* root) {
    Config& config = loaded_.config;
    config.state = kDefaultStatePath;
    config.admin_host = "127.0.0.1";
    config.admin_user = "admin";
    config.admin_password = "admin";
    config.mysql_host = "127.0.0.1";
    config.mysql_look = "passive";
    if (config_setting_t* admin = config_setting_get_member(root, "admin_variables")) {
      if (auto* found = take_text(admin, "admin_credentials")) {
        const std::string first = std::string(config_setting_get_string(found));
        const std::string pair = first.substr(0, first.find(';'));
        const size_t colon = pair.find(':');
        if (colon == std::string::npos) {
          return Error{at(found) +
                       ": admin_credentials: expected \"user:password\" or \"user:password;user:password\""};
        }
        config.admin_user = pair.substr(0, colon);
        config.admin_password = pair.substr(colon + 1);
        source_["admin.user"] = source_["admin.password"] = at(found);
      }
      if (auto* found = take_text(admin, "mysql_ifaces")) {
        take_interface(found, config.admin_host, config.admin_port, "admin.host", "admin.port");
      }
      int check_interval_ms = 0;
      if (config_setting_lookup_int(admin, "cluster_check_interval_ms", &check_interval_ms) == CONFIG_TRUE) {
        cluster_check_interval_ = milliseconds(std::clamp(check_interval_ms, 10, 300'000));
      }
    }
    if (config_setting_t* mysql = config_setting_get_member(root, "mysql_variables")) {
      if (auto* found = take_text(mysql, "interfaces")) {
        take_interface(found, config.mysql_host, config.mysql_port, "daemon.mysql_host", "daemon.mysql_port");
      }
    }
    take_scheduler_row(config_setting_get_member(root, "scheduler"));
    return take_bootstrap(config_setting_get_member(root, "proxysql_servers"));
  }

  static config_setting_t* take_text(config_setting_t* group, const char* name) {
    config_setting_t* found = config_setting_get_member(group, name);
    return found != nullptr && config_setting_type(found) == CONFIG_TYPE_STRING ? found : nullptr;
  }

  void take_interface(const config_setting_t* found, std::string& host, int64_t& port, const char* host_key,
                      const char* port_key) {
    const auto first = first_interface(config_setting_get_string(found));
    if (!first) return;
    host = first->first;
    source_[host_key] = at(found);
    if (first->second == 0) return;
    port = first->second;
    source_[port_key] = at(found);
  }

  void take_scheduler_row(config_setting_t* rows) {
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
      loaded_.config.interval = milliseconds(interval_ms);
      source_["interval_ms"] = at(interval);
      return;
    }
  }

  Result<void> take_bootstrap(config_setting_t* rows) {
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
        return Error{at(row) + ": proxysql_servers: port " + std::to_string(port) + " is not from 1 to 65535"};
      }
      entry.port = static_cast<uint16_t>(port);
      entry.weight = weight;
      entry.comment = comment;
      loaded_.config.bootstrap.push_back(std::move(entry));
    }
    return {};
  }

  Result<void> read_pulse_group(config_setting_t* root) {
    config_setting_t* group = config_setting_get_member(root, "pulse");
    if (group == nullptr) {
      if (!path_.empty()) loaded_.warnings.push_back(path_ + " has no group pulse: all defaults");
      return {};
    }
    if (config_setting_is_group(group) == CONFIG_FALSE) {
      return Error{at(group) + ": pulse: expected a group, pulse = { ... }"};
    }
    return read_group(group, "");
  }

  Result<void> read_group(config_setting_t* group, const std::string& prefix) {
    const int count = config_setting_length(group);
    for (int i = 0; i < count; ++i) {
      config_setting_t* setting = config_setting_get_elem(group, static_cast<unsigned>(i));
      const std::string name = prefix + config_setting_name(setting);
      const bool is_prefix = std::any_of(keys().begin(), keys().end(), [&](const Key& key) {
        return std::string(key.name).rfind(name + ".", 0) == 0;
      });
      if (is_prefix) {
        if (config_setting_is_group(setting) == CONFIG_FALSE) {
          return Error{at(setting) + ": pulse." + name + ": expected a group, " + config_setting_name(setting) +
                       " = { ... }"};
        }
        if (auto read = read_group(setting, name + "."); !read) return read;
        continue;
      }
      const Key* key = find_key(name);
      if (key == nullptr) {
        return Error{at(setting) + ": unknown key pulse." + name + "; allowed here: " + close_names(prefix)};
      }
      if (auto set = set_from_file(*key, setting); !set) return set;
    }
    return {};
  }

  Result<void> set_from_file(const Key& key, config_setting_t* setting) {
    Value value;
    switch (config_setting_type(setting)) {
      case CONFIG_TYPE_STRING:
        value = std::string(config_setting_get_string(setting));
        break;
      case CONFIG_TYPE_INT:
      case CONFIG_TYPE_INT64:
        value = static_cast<int64_t>(config_setting_get_int64(setting));
        break;
      case CONFIG_TYPE_BOOL:
        value = config_setting_get_bool(setting) == CONFIG_TRUE;
        break;
      default:
        return Error{at(setting) + ": pulse." + key.name + ": allowed is " + key.allowed()};
    }
    return set(key, value, at(setting));
  }

  Result<void> set_from_text(const Key& key, const Override& over) {
    Value value = over.value;
    if (std::holds_alternative<bool Config::*>(key.field)) {
      if (over.value == "true" || over.value == "1") value = true;
      if (over.value == "false" || over.value == "0") value = false;
    } else if (!std::holds_alternative<std::string Config::*>(key.field)) {
      int64_t number = 0;
      const char* end = over.value.data() + over.value.size();
      const auto parsed = std::from_chars(over.value.data(), end, number);
      if (parsed.ec == std::errc{} && parsed.ptr == end) value = number;
    }
    return set(key, value, over.source);
  }

  Result<void> set(const Key& key, const Value& value, const std::string& source) {
    const auto refuse = [&](const std::string& shown) {
      return Error{source + ": pulse." + key.name + " = " + (key.secrecy == Secrecy::secret ? "(hidden)" : shown) +
                   ": allowed is " + key.allowed()};
    };
    std::string shown;
    if (const auto* text = std::get_if<std::string>(&value)) shown = "\"" + *text + "\"";
    if (const auto* number = std::get_if<int64_t>(&value)) shown = std::to_string(*number);
    if (const auto* flag = std::get_if<bool>(&value)) shown = *flag ? "true" : "false";

    Config& config = loaded_.config;
    if (const auto* field = std::get_if<std::string Config::*>(&key.field)) {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr) return refuse(shown);
      if (!key.choices.empty() && std::find(key.choices.begin(), key.choices.end(), *text) == key.choices.end()) {
        return refuse(shown);
      }
      config.** field = *text;
    } else if (const auto* flag_field = std::get_if<bool Config::*>(&key.field)) {
      const auto* flag = std::get_if<bool>(&value);
      if (flag == nullptr) return refuse(shown);
      config.** flag_field = *flag;
    } else {
      const auto* number = std::get_if<int64_t>(&value);
      if (number == nullptr || *number < key.least || *number > key.most) return refuse(shown);
      if (const auto* span = std::get_if<milliseconds Config::*>(&key.field)) config.** span = milliseconds(*number);
      if (const auto* plain = std::get_if<int64_t Config::*>(&key.field)) config.** plain = *number;
    }
    source_[key.name] = source;
    set_.insert(key.name);
    return {};
  }

  // The defaults that hang on other values, and the checks between values.
  Result<void> finish() {
    Config& config = loaded_.config;
    const auto source = [&](const char* key) { return source_.count(key) ? source_[key] : std::string("default"); };
    if (config.role.empty()) {
      return Error{path_ + ": pulse.role is missing: allowed is " + find_key("role")->allowed()};
    }
    if (set_.count("timeout_ms") == 0) {
      config.timeout = std::clamp(config.interval * 4 / 5, milliseconds(200), milliseconds(2000));
    }
    if (set_.count("satellite.peer_timeout_ms") == 0) {
      config.peer_timeout = std::max(milliseconds(5000), cluster_check_interval_ * 5);
    }
    if (config.state.empty() || config.state.front() != '/') {
      return Error{source("state") + ": pulse.state = \"" + config.state + "\": allowed is an absolute path"};
    }
    if (!config.group_name.empty()) {
      config.group = find_group(config.group_name);
      if (!config.group) {
        return Error{source("group") + ": pulse.group = \"" + config.group_name +
                     "\": allowed is a number or a name in /etc/group"};
      }
    }
    if (!config.admin_password_file.empty()) {
      std::ifstream secret(config.admin_password_file);
      if (!secret || !std::getline(secret, config.admin_password)) {
        if (!secret.eof() || !secret.is_open()) {
          return Error{source("admin.password_file") + ": pulse.admin.password_file: can't read " +
                       config.admin_password_file + ": " + std::strerror(errno)};
        }
        return Error{source("admin.password_file") + ": pulse.admin.password_file: " + config.admin_password_file +
                     " is empty; its first line is the password"};
      }
      if (!config.admin_password.empty() && config.admin_password.back() == '\r') config.admin_password.pop_back();
      source_["admin.password"] = config.admin_password_file;
    }
    if (config.admin_host.empty() || config.admin_user.empty()) {
      const char* key = config.admin_host.empty() ? "admin.host" : "admin.user";
      return Error{source(key) + ": pulse." + key + ": must not be empty"};
    }
    if (!is_address(config.mysql_host)) {
      // ProxySQL takes a name for its interfaces; the daemon never looks one up, and the port is this host's anyway.
      if (set_.count("daemon.mysql_host") == 0) {
        config.mysql_host = "127.0.0.1";
      } else {
        return Error{source("daemon.mysql_host") + ": pulse.daemon.mysql_host = \"" + config.mysql_host +
                     "\": allowed is an IPv4 or IPv6 address"};
      }
    }
    if (config.timeout >= config.interval) {
      loaded_.warnings.push_back(
          "pulse.timeout_ms is not below pulse.interval_ms: while the admin interface hangs, beats "
          "meet the one before them and are skipped");
    }
    if (!config.is_core() && config.bootstrap.empty()) {
      loaded_.warnings.push_back(path_ +
                                 ": no proxysql_servers: a satellite that has lost its cores can't find them again");
    }
    list_settings();
    return {};
  }

  void list_settings() {
    for (const Key& key : keys()) {
      std::string shown;
      const Config& config = loaded_.config;
      if (const auto* text = std::get_if<std::string Config::*>(&key.field)) shown = "\"" + config.**text + "\"";
      if (const auto* span = std::get_if<milliseconds Config::*>(&key.field)) {
        shown = std::to_string((config.**span).count());
      }
      if (const auto* number = std::get_if<int64_t Config::*>(&key.field)) shown = std::to_string(config.**number);
      if (const auto* flag = std::get_if<bool Config::*>(&key.field)) shown = config.**flag ? "true" : "false";
      if (key.secrecy == Secrecy::secret) shown = "(hidden)";
      const auto source = source_.find(key.name);
      loaded_.settings.push_back(
          {std::string("pulse.") + key.name, shown, source == source_.end() ? "default" : source->second});
    }
  }

  std::string path_;
  LoadedConfig loaded_;
  std::map<std::string, std::string> source_;
  std::set<std::string> set_;  // said by pulse, the environment or a flag; not taken over from ProxySQL's groups
  milliseconds cluster_check_interval_{1000};
};

std::string environment_name(const std::string& key) {
  std::string name = "PULSE_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

}  // namespace

std::vector<Override> overrides_from_environment(const char* const* environment) {
  std::vector<Override> overrides;
  if (environment == nullptr) return overrides;
  for (; *environment != nullptr; ++environment) {
    if (std::strncmp(*environment, "PULSE_", 6) != 0) continue;
    const std::string entry = *environment;
    const size_t equals = entry.find('=');
    for (const Key& key : keys()) {
      const std::string name = environment_name(key.name);
      if (equals != std::string::npos && entry.substr(0, equals) == name) {
        Override over{key.name, entry.substr(equals + 1), name};
        overrides.push_back(std::move(over));
      }
    }
  }
  return overrides;
}

Result<LoadedConfig> parse_config(const std::string& text, const std::string& path,
                                  const std::vector<Override>& overrides) {
  config_t file;
  config_init(&file);
  const std::unique_ptr<config_t, void (*)(config_t*)> owner(&file, config_destroy);
  const std::string directory = path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  if (!directory.empty()) config_set_include_dir(&file, directory.c_str());
  if (text.find('\0') != std::string::npos) return Error{path + ": holds a zero byte: not a configuration file"};
  if (config_read_string(&file, without_trailing_commas(text).c_str()) != CONFIG_TRUE) {
    const char* name = config_error_file(&file);
    return Error{(name == nullptr ? path : std::string(name)) + ":" + std::to_string(config_error_line(&file)) + ": " +
                 config_error_text(&file)};
  }
  return Loader(path).run(file, overrides);
}

Result<LoadedConfig> load_config(const std::string& path, const std::vector<Override>& overrides) {
  const uint64_t identity = config_identity(path);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0) return system_error(path, errno);
  if (!S_ISREG(file.st_mode)) return Error{path + ": not a regular file"};
  constexpr off_t kMost = 16 << 20;
  if (file.st_size > kMost) return Error{path + ": larger than 16 MiB: not a configuration file"};
  std::string text(static_cast<size_t>(file.st_size), '\0');
  size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + length, text.size() - length);
    if (got < 0) return system_error(path, errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  text.resize(length);
  auto loaded = parse_config(text, path, overrides);
  if (loaded) loaded->identity = identity;
  return loaded;
}

uint64_t config_path_hash(const std::string& path) { return fnv1a(path) | 1; }

uint64_t config_identity(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return 0;
  const auto ns = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  const int64_t parts[] = {static_cast<int64_t>(file.st_dev), static_cast<int64_t>(file.st_ino),
                           static_cast<int64_t>(file.st_size), ns(file.st_mtim), ns(file.st_ctim)};
  return fnv1a({reinterpret_cast<const char*>(parts), sizeof parts}, fnv1a(path)) | 1;
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
    int64_t port = 0;
    if (colon == std::string::npos ||
        std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), port).ptr !=
            entry.data() + entry.size() ||
        port < 1 || port > 65'535) {
      continue;
    }
    std::string host = entry.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host == "0.0.0.0" || host == "*" || host.empty()) host = "127.0.0.1";
    if (host == "::") host = "::1";
    return {{host, port}};
  }
  return socket;
}

std::optional<gid_t> find_group(const std::string& name) {
  gid_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size()) return number;
  std::ifstream groups("/etc/group");
  for (std::string line; std::getline(groups, line);) {
    std::istringstream fields(line);
    std::string group, password, id;
    if (std::getline(fields, group, ':') && std::getline(fields, password, ':') && std::getline(fields, id, ':') &&
        group == name && std::from_chars(id.data(), id.data() + id.size(), number).ec == std::errc{}) {
      return number;
    }
  }
  return std::nullopt;
}

}  // namespace pulse
