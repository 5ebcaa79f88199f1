#include "src/config/load.h"

#include <fcntl.h>
#include <libconfig.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "src/base/hash.h"
#include "src/base/host_port.h"
#include "src/base/unique_fd.h"
#include "src/config/cnf_text.h"
#include "src/config/drain_steps.h"

namespace pulse {

namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;
using Field =
    std::variant<std::string Config::*, milliseconds Config::*, int64_t Config::*, bool Config::*, Texts Config::*>;

enum class Secrecy { open, secret };

struct Key {
  std::string_view name;  // below "pulse."
  Field field;
  int64_t least = 0;
  int64_t most = 0;
  std::span<const std::string_view> choices = {};
  Secrecy secrecy = Secrecy::open;

  std::string full_name() const { return "pulse." + std::string(name); }
  bool is_choice(std::string_view text) const {
    return choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end();
  }

  std::string allowed() const {
    const bool list = std::holds_alternative<Texts Config::*>(field);
    if (!choices.empty()) {
      std::string text;
      for (const auto& choice : choices) text += (text.empty() ? "\"" : " or \"") + std::string(choice) + "\"";
      return list ? "a list of " + text + ", like [\"" + std::string(choices.front()) + "\"]" : text;
    }
    if (list) return "a list of texts, like [\"a\", \"b\"]";
    if (std::holds_alternative<bool Config::*>(field)) return "true or false";
    if (std::holds_alternative<std::string Config::*>(field)) return "a text in double quotes";
    return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  }
};

constexpr std::string_view kRoles[] = {"core", "satellite"};
constexpr std::string_view kSources[] = {"none", "kubernetes", "dns", "static"};
constexpr std::string_view kAuthorities[] = {"newest", "always", "never"};
constexpr std::string_view kModuleNames[] = {"mysql_servers", "mysql_users", "mysql_query_rules", "mysql_variables",
                                             "admin_variables"};
constexpr std::string_view kBeats[] = {"never", "when_silent", "always"};
constexpr std::string_view kLeaderModes[] = {"none", "lease", "lowest"};
constexpr std::string_view kLooks[] = {"passive", "active"};

// Laid out by the compiler: each beat reads the configuration, and nothing of this table may cost it time.
constexpr Key kKeys[] = {
    {"role", &Config::role, 0, 0, kRoles},
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
    {"address", &Config::address},
    {"discovery.source", &Config::discovery_source, 0, 0, kSources},
    {"discovery.names", &Config::discovery_names},
    {"discovery.members", &Config::discovery_members},
    {"discovery.port", &Config::discovery_port, 1, 65'535},
    {"discovery.interval_ms", &Config::discovery_interval, 100, 3'600'000},
    {"discovery.max_age_ms", &Config::discovery_max_age, 1'000, 86'400'000},
    {"discovery.watch_ms", &Config::discovery_watch, 1'000, 3'600'000},
    {"discovery.kubernetes.api", &Config::kubernetes_api},
    {"discovery.kubernetes.service_account", &Config::kubernetes_account},
    {"discovery.kubernetes.namespace", &Config::kubernetes_namespace},
    {"discovery.kubernetes.core_selector", &Config::kubernetes_core_selector},
    {"discovery.kubernetes.satellite_selector", &Config::kubernetes_satellite_selector},
    {"core.authority", &Config::core_authority, 0, 0, kAuthorities},
    {"core.modules", &Config::core_modules, 0, 0, kModuleNames},
    {"drain.timeout_ms", &Config::drain_timeout, 3'000, 3'600'000},
    {"drain.settle_ms", &Config::drain_settle, 0, 3'600'000},
    {"drain.steps", &Config::drain_steps},
    {"drain.on_sigterm", &Config::drain_on_sigterm},
    {"drain.grace_ms", &Config::drain_grace, 0, 86'400'000},
    {"daemon.beats", &Config::beats, 0, 0, kBeats},
    {"daemon.program", &Config::pulse_program},
    {"daemon.token_file", &Config::token_file},
    {"leader.mode", &Config::leader_mode, 0, 0, kLeaderModes},
    {"leader.identity", &Config::leader_identity},
    {"leader.lease_name", &Config::leader_lease_name},
    {"leader.duration_ms", &Config::leader_duration, 1'000, 3'600'000},
    {"leader.renew_ms", &Config::leader_renew, 500, 3'600'000},
    {"leader.retry_ms", &Config::leader_retry, 100, 3'600'000},
    {"daemon.listen_address", &Config::listen_address},
    {"daemon.port", &Config::listen_port, 0, 65'535},
    {"daemon.mysql_host", &Config::mysql_host},
    {"daemon.mysql_port", &Config::mysql_port, 1, 65'535},
    {"daemon.mysql_look", &Config::mysql_look, 0, 0, kLooks},
    {"daemon.mysql_dead_after_ms", &Config::mysql_dead_after, 1'000, 3'600'000},
    {"daemon.live_after_ms", &Config::live_after, 0, 86'400'000},
    {"daemon.live_stagger_ms", &Config::live_stagger, 0, 86'400'000},
};

constexpr size_t index_of(const Key& key) { return static_cast<size_t>(&key - kKeys); }

const Key* find_key(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& key) { return name == key.name; });
  return found == std::end(kKeys) ? nullptr : found;
}

// The place of a key that this file names itself; one that isn't there doesn't compile.
consteval size_t place_of(std::string_view name) {
  size_t place = 0;
  while (kKeys[place].name != name) ++place;
  return place;
}

std::string close_names(const std::string& prefix) {
  std::string names;
  for (const Key& key : kKeys) {
    const std::string name(key.name);
    if (name.rfind(prefix, 0) != 0) continue;
    const std::string rest = name.substr(prefix.size());
    const std::string shown = rest.substr(0, rest.find('.'));
    if ((", " + names + ",").find(", " + shown + ",") == std::string::npos)
      names += (names.empty() ? "" : ", ") + shown;
  }
  return prefix.empty() ? names + ", jobs" : names;
}

std::string show(const Texts& texts) {
  std::string shown;
  for (const std::string& text : texts) shown += (shown.empty() ? "\"" : ", \"") + text + "\"";
  return "[" + shown + "]";
}

using Value = std::variant<std::string, int64_t, bool, Texts>;

std::string describe(const Origin& origin, const std::string& path) {
  if (origin.line > 0) return path + ":" + std::to_string(origin.line);
  return origin.text.empty() ? "default" : origin.text;
}

constexpr size_t kMostBytes = 16 << 20;

// Reads until `text` is full or the file ends: with one read(2) as a rule. Returns the bytes read, or -1.
ssize_t fill(int fd, std::string& text, size_t from) {
  size_t length = from;
  while (length < text.size()) {
    const ssize_t got = ::read(fd, text.data() + length, text.size() - length);
    if (got < 0) return -1;
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(length - from);
}

// A file of any kind, a pipe too, whose size isn't known before.
Result<std::string> read_text(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error(path, errno);
  constexpr size_t kStep = 4096;
  std::string text;
  for (size_t length = 0; length < kMostBytes; length = text.size()) {
    text.resize(length + kStep);
    const ssize_t got = fill(fd.get(), text, length);
    if (got < 0) return system_error(path, errno);
    text.resize(length + static_cast<size_t>(got));
    if (static_cast<size_t>(got) < kStep) break;
  }
  return text;
}

// One load in progress: the values, and where each came from.
class Loader {
 public:
  explicit Loader(const std::string& path) : path_(path) {
    loaded_.config.file = path;
    loaded_.origins.resize(std::size(kKeys));
  }

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
  std::string at(const config_setting_t* setting) const { return describe(origin_of(setting), path_); }

  static Origin origin_of(const config_setting_t* setting) {
    return {static_cast<int>(config_setting_source_line(setting)), ""};
  }

  std::string source(size_t key) const { return describe(loaded_.origins[key], path_); }

  // What ProxySQL's own groups say: admin interface, credentials, MySQL port, scheduler row, bootstrap entries.
  Result<void> take_proxysql_groups(config_setting_t* root) {
    Config& config = loaded_.config;
    config.state = kDefaultStatePath;
    config.admin_host = "127.0.0.1";
    config.admin_user = "admin";
    config.admin_password = "admin";
    config.mysql_host = "127.0.0.1";
    config.mysql_look = "passive";
    config.beats = "never";
    config.kubernetes_account = "/var/run/secrets/kubernetes.io/serviceaccount";
    config.kubernetes_core_selector = "app=proxysql,component=core";
    config.kubernetes_satellite_selector = "app=proxysql,component=satellite";
    config.drain_steps = {"2000:4000", "1000:3000", "500:3000", "200:3000", "50:2000", "0"};
    config.leader_mode = "none";
    config.core_modules = {"mysql_servers", "mysql_users", "mysql_query_rules", "mysql_variables"};
    for (const char* group :
         {"admin_variables", "mysql_variables", "mysql_servers", "mysql_replication_hostgroups",
          "mysql_group_replication_hostgroups", "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups",
          "mysql_servers_ssl_params", "mysql_users", "mysql_query_rules"}) {
      const config_setting_t* found = config_setting_get_member(root, group);
      if (found != nullptr && config_setting_length(found) > 0) config.file_groups.emplace_back(group);
    }
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
        loaded_.origins[place_of("admin.user")] = loaded_.origins[place_of("admin.password")] = origin_of(found);
      }
      if (auto* found = take_text(admin, "mysql_ifaces")) {
        take_interface(found, config.admin_host, config.admin_port, place_of("admin.host"), place_of("admin.port"));
      }
      int check_interval_ms = 0;
      if (config_setting_lookup_int(admin, "cluster_check_interval_ms", &check_interval_ms) == CONFIG_TRUE) {
        cluster_check_interval_ = milliseconds(std::clamp(check_interval_ms, 10, 300'000));
      }
    }
    if (config_setting_t* mysql = config_setting_get_member(root, "mysql_variables")) {
      if (auto* found = take_text(mysql, "interfaces")) {
        take_interface(found, config.mysql_host, config.mysql_port, place_of("daemon.mysql_host"),
                       place_of("daemon.mysql_port"));
      }
    }
    take_scheduler_row(config_setting_get_member(root, "scheduler"));
    return take_bootstrap(config_setting_get_member(root, "proxysql_servers"));
  }

  static config_setting_t* take_text(config_setting_t* group, const char* name) {
    config_setting_t* found = config_setting_get_member(group, name);
    return found != nullptr && config_setting_type(found) == CONFIG_TYPE_STRING ? found : nullptr;
  }

  void take_interface(const config_setting_t* found, std::string& host, int64_t& port, size_t host_key,
                      size_t port_key) {
    const auto first = first_interface(config_setting_get_string(found));
    if (!first) return;
    host = first->first;
    loaded_.origins[host_key] = origin_of(found);
    if (first->second == 0) return;
    port = first->second;
    loaded_.origins[port_key] = origin_of(found);
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
      loaded_.origins[place_of("interval_ms")] = origin_of(interval);
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
      const bool is_prefix = std::any_of(std::begin(kKeys), std::end(kKeys), [&](const Key& key) {
        return key.name.size() > name.size() && key.name[name.size()] == '.' && key.name.starts_with(name);
      });
      if (is_prefix) {
        if (config_setting_is_group(setting) == CONFIG_FALSE) {
          return Error{at(setting) + ": pulse." + name + ": expected a group, " + config_setting_name(setting) +
                       " = { ... }"};
        }
        if (auto read = read_group(setting, name + "."); !read) return read;
        continue;
      }
      if (name == "jobs") {
        loaded_.jobs = read_jobs(setting, path_);
        if (!loaded_.jobs) loaded_.warnings.push_back(loaded_.jobs.error().text + ": no job of the file is run");
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
      case CONFIG_TYPE_ARRAY:
      case CONFIG_TYPE_LIST: {
        Texts texts;
        for (int i = 0; i < config_setting_length(setting); ++i) {
          const char* text = config_setting_get_string_elem(setting, i);
          if (text == nullptr) {
            return Error{at(setting) + ": " + key.full_name() + ": allowed is " + key.allowed()};
          }
          texts.push_back(text);
        }
        value = std::move(texts);
        break;
      }
      default:
        return Error{at(setting) + ": " + key.full_name() + ": allowed is " + key.allowed()};
    }
    return set(key, std::move(value), origin_of(setting));
  }

  Result<void> set_from_text(const Key& key, const Override& over) {
    Value value = over.value;
    if (std::holds_alternative<bool Config::*>(key.field)) {
      if (over.value == "true" || over.value == "1") value = true;
      if (over.value == "false" || over.value == "0") value = false;
    } else if (std::holds_alternative<Texts Config::*>(key.field)) {
      Texts texts;
      for (size_t begin = 0; begin < over.value.size();) {
        const size_t end = std::min(over.value.find(',', begin), over.value.size());
        texts.push_back(over.value.substr(begin, end - begin));
        begin = end + 1;
      }
      value = std::move(texts);
    } else if (!std::holds_alternative<std::string Config::*>(key.field)) {
      int64_t number = 0;
      const char* end = over.value.data() + over.value.size();
      const auto parsed = std::from_chars(over.value.data(), end, number);
      if (parsed.ec == std::errc{} && parsed.ptr == end) value = number;
    }
    return set(key, std::move(value), {0, over.source});
  }

  static std::string show_value(const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return "\"" + *text + "\"";
    if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    return show(std::get<Texts>(value));
  }

  Result<void> set(const Key& key, Value value, Origin origin) {
    const auto refuse = [&] {
      return Error{describe(origin, path_) + ": " + key.full_name() + " = " +
                   (key.secrecy == Secrecy::secret ? "(hidden)" : show_value(value)) + ": allowed is " + key.allowed()};
    };
    Config& config = loaded_.config;
    if (const auto* field = std::get_if<std::string Config::*>(&key.field)) {
      auto* text = std::get_if<std::string>(&value);
      if (text == nullptr || !key.is_choice(*text)) return refuse();
      config.** field = std::move(*text);
    } else if (const auto* flag_field = std::get_if<bool Config::*>(&key.field)) {
      const auto* flag = std::get_if<bool>(&value);
      if (flag == nullptr) return refuse();
      config.** flag_field = *flag;
    } else if (const auto* texts_field = std::get_if<Texts Config::*>(&key.field)) {
      auto* texts = std::get_if<Texts>(&value);
      if (texts == nullptr) return refuse();
      for (const std::string& text : *texts) {
        if (text.empty() || !key.is_choice(text)) return refuse();
      }
      config.** texts_field = std::move(*texts);
    } else {
      const auto* number = std::get_if<int64_t>(&value);
      if (number == nullptr || *number < key.least || *number > key.most) return refuse();
      if (const auto* span = std::get_if<milliseconds Config::*>(&key.field)) config.** span = milliseconds(*number);
      if (const auto* plain = std::get_if<int64_t Config::*>(&key.field)) config.** plain = *number;
    }
    loaded_.origins[index_of(key)] = std::move(origin);
    set_.set(index_of(key));
    return {};
  }

  // The defaults that hang on other values, and the checks between values.
  Result<void> finish() {
    Config& config = loaded_.config;
    if (config.role.empty()) {
      return Error{path_ + ": pulse.role is missing: allowed is " + find_key("role")->allowed()};
    }
    if (!set_[place_of("timeout_ms")]) {
      config.timeout = std::clamp(config.interval * 4 / 5, milliseconds(200), milliseconds(2000));
    }
    if (!set_[place_of("satellite.peer_timeout_ms")]) {
      config.peer_timeout = std::max(milliseconds(5000), cluster_check_interval_ * 5);
    }
    if (config.state.empty() || config.state.front() != '/') {
      return Error{source(place_of("state")) + ": pulse.state = \"" + config.state + "\": allowed is an absolute path"};
    }
    if (!config.group_name.empty()) {
      config.group = find_group(config.group_name);
      if (!config.group) {
        return Error{source(place_of("group")) + ": pulse.group = \"" + config.group_name +
                     "\": allowed is a number or a name in /etc/group"};
      }
    }
    if (!config.admin_password_file.empty()) {
      const std::string where = source(place_of("admin.password_file")) + ": pulse.admin.password_file: ";
      auto secret = read_text(config.admin_password_file);
      if (!secret) return Error{where + "can't read " + secret.error().text};
      if (secret->empty()) {
        return Error{where + config.admin_password_file + " is empty; its first line is the password"};
      }
      config.admin_password = secret->substr(0, secret->find('\n'));
      if (!config.admin_password.empty() && config.admin_password.back() == '\r') config.admin_password.pop_back();
      loaded_.origins[place_of("admin.password")] = {0, config.admin_password_file};
    }
    if (config.admin_host.empty() || config.admin_user.empty()) {
      const Key& key = kKeys[config.admin_host.empty() ? place_of("admin.host") : place_of("admin.user")];
      return Error{source(index_of(key)) + ": " + key.full_name() + ": must not be empty"};
    }
    if (!is_address(config.mysql_host)) {
      // ProxySQL takes a name for its interfaces; the daemon never looks one up, and the port is this host's anyway.
      if (!set_[place_of("daemon.mysql_host")]) {
        config.mysql_host = "127.0.0.1";
      } else {
        return Error{source(place_of("daemon.mysql_host")) + ": pulse.daemon.mysql_host = \"" + config.mysql_host +
                     "\": allowed is an IPv4 or IPv6 address"};
      }
    }
    if (auto discovery = finish_discovery(); !discovery) return discovery;
    if (auto drain = finish_drain(); !drain) return drain;
    if (auto leader = finish_leader(); !leader) return leader;
    if (config.timeout >= config.interval) {
      loaded_.warnings.emplace_back(
          "pulse.timeout_ms is not below pulse.interval_ms: while the admin interface hangs, beats "
          "meet the one before them and are skipped");
    }
    if (!config.is_core() && config.bootstrap.empty()) {
      loaded_.warnings.push_back(path_ +
                                 ": no proxysql_servers: a satellite that has lost its cores can't find them again");
    }
    return {};
  }

  Result<void> finish_drain() {
    const Config& config = loaded_.config;
    if (auto steps = parse_drain_steps(config.drain_steps); !steps) {
      return Error{source(place_of("drain.steps")) + ": pulse.drain.steps: " + steps.error().text};
    }
    // A second without clients, and what comes after it.
    const milliseconds most = config.drain_timeout - kDrainQuiet - kDrainStopReserve;
    if (config.drain_settle > most) {
      const bool said = set_[place_of("drain.settle_ms")];
      return Error{source(said ? place_of("drain.settle_ms") : place_of("drain.timeout_ms")) +
                   ": pulse.drain.settle_ms = " + std::to_string(config.drain_settle.count()) +
                   (said ? "" : ", the default") + ": allowed is at most " + std::to_string(most.count()) +
                   ", which is pulse.drain.timeout_ms less what comes after settling"};
    }
    for (const auto& [place, path] : {std::pair(place_of("daemon.program"), config.pulse_program),
                                      std::pair(place_of("daemon.token_file"), config.token_file)}) {
      if (path.empty() || path.front() == '/') continue;
      return Error{source(place) + ": " + kKeys[place].full_name() + " = \"" + path +
                   "\": allowed is an absolute path"};
    }
    return {};
  }

  Result<void> finish_discovery() {
    Config& config = loaded_.config;
    if (!config.address.empty() && !is_address(config.address)) {
      return Error{source(place_of("address")) + ": pulse.address = \"" + config.address +
                   "\": allowed is an IPv4 or IPv6 address"};
    }
    if (!set_[place_of("discovery.names")]) {
      for (const ServerEntry& entry : config.bootstrap) {
        if (!is_address(entry.hostname) && entry.hostname != "localhost") {
          config.discovery_names.push_back(entry.hostname);
        }
      }
    }
    if (!set_[place_of("discovery.port")]) {
      config.discovery_port = config.bootstrap.empty() ? config.admin_port : config.bootstrap.front().port;
    }
    if (!set_[place_of("discovery.source")]) {
      config.discovery_source = !config.discovery_members.empty() ? "static"
                                : !config.discovery_names.empty() ? "dns"
                                                                  : "none";
    }
    const std::string& from = config.discovery_source;
    if (from == "dns" && config.discovery_names.empty()) {
      return Error{source(place_of("discovery.source")) +
                   ": pulse.discovery.source = \"dns\" without a name: set pulse.discovery.names, or put a host name "
                   "into proxysql_servers"};
    }
    if (from == "static" && config.discovery_members.empty()) {
      return Error{source(place_of("discovery.source")) +
                   ": pulse.discovery.source = \"static\" without a member: set pulse.discovery.members"};
    }
    for (const std::string& member : config.discovery_members) {
      if (parse_member(member, config.discovery_port)) continue;
      return Error{source(place_of("discovery.members")) + ": pulse.discovery.members: \"" + member +
                   "\": allowed is ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, with an IPv4 or IPv6 address"};
    }
    const std::string& api = config.kubernetes_api;
    if (!api.empty() && api.rfind("https://", 0) != 0) {
      return Error{source(place_of("discovery.kubernetes.api")) + ": pulse.discovery.kubernetes.api = \"" + api +
                   "\": allowed is https://HOST or https://HOST:PORT"};
    }
    if (!set_[place_of("core.authority")]) config.core_authority = from == "kubernetes" ? "newest" : "never";
    return {};
  }

  Result<void> finish_leader() {
    Config& config = loaded_.config;
    if (!set_[place_of("leader.lease_name")]) config.leader_lease_name = "proxysql-pulse-" + config.role;
    if (config.leader_lease_name.empty()) {
      return Error{source(place_of("leader.lease_name")) + ": pulse.leader.lease_name: must not be empty"};
    }
    // As client-go has them: between the end of a leader and the next one there is time for jobs to end, and a renewal
    // that fails can be tried again.
    if (config.leader_duration <= config.leader_renew || config.leader_renew < config.leader_retry * 6 / 5) {
      size_t said = place_of("leader.duration_ms");
      for (const size_t key : {place_of("leader.renew_ms"), place_of("leader.retry_ms")}) {
        if (set_[key] && !set_[said]) said = key;
      }
      return Error{source(said) + ": pulse.leader.duration_ms = " + std::to_string(config.leader_duration.count()) +
                   ", renew_ms = " + std::to_string(config.leader_renew.count()) +
                   ", retry_ms = " + std::to_string(config.leader_retry.count()) +
                   ": duration_ms must be more than renew_ms, and renew_ms at least 1.2 times retry_ms"};
    }
    if (config.leader_mode != "none" || !loaded_.jobs) return {};
    for (const Job& job : *loaded_.jobs) {
      if (!job.leader_only) continue;
      loaded_.warnings.push_back(path_ + ":" + std::to_string(job.line) + ": pulse.jobs: \"" + job.name +
                                 "\" has leader_only, but pulse.leader.mode is \"none\": it never runs");
    }
    return {};
  }

  const std::string& path_;
  LoadedConfig loaded_;
  std::bitset<std::size(kKeys)>
      set_;  // said by pulse, the environment or a flag; not taken over from ProxySQL's groups
  milliseconds cluster_check_interval_{1000};
};

std::string environment_name(std::string_view key) {
  std::string name = "PULSE_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

uint64_t identity_of(const struct stat& file, const std::string& path) {
  const auto ns = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  const int64_t parts[] = {static_cast<int64_t>(file.st_dev), static_cast<int64_t>(file.st_ino),
                           static_cast<int64_t>(file.st_size), ns(file.st_mtim), ns(file.st_ctim)};
  return fnv1a({reinterpret_cast<const char*>(parts), sizeof parts}, fnv1a(path)) | 1;
}

}  // namespace

std::vector<Override> overrides_from_environment(const char* const* environment) {
  std::vector<Override> overrides;
  if (environment == nullptr) return overrides;
  for (; *environment != nullptr; ++environment) {
    if (std::strncmp(*environment, "PULSE_", 6) != 0) continue;
    const std::string entry = *environment;
    const size_t equals = entry.find('=');
    for (const Key& key : kKeys) {
      const std::string name = environment_name(key.name);
      if (equals != std::string::npos && entry.substr(0, equals) == name) {
        Override over{std::string(key.name), entry.substr(equals + 1), name};
        overrides.push_back(std::move(over));
      }
    }
  }
  return overrides;
}

Result<LoadedConfig> parse_config(const std::string& text, const std::string& path,
                                  const std::vector<Override>& overrides, Rows rows) {
  config_t file;
  config_init(&file);
  const std::unique_ptr<config_t, void (*)(config_t*)> owner(&file, config_destroy);
  const std::string directory = path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  if (!directory.empty()) config_set_include_dir(&file, directory.c_str());
  if (text.find('\0') != std::string::npos) return Error{path + ": holds a zero byte: not a configuration file"};
  const std::string wanted = without_trailing_commas(rows == Rows::first ? with_first_rows(text) : text);
  if (config_read_string(&file, wanted.c_str()) != CONFIG_TRUE) {
    const char* name = config_error_file(&file);
    return Error{(name == nullptr ? path : std::string(name)) + ":" + std::to_string(config_error_line(&file)) + ": " +
                 config_error_text(&file)};
  }
  return Loader(path).run(file, overrides);
}

Result<LoadedConfig> load_config(const std::string& path, const std::vector<Override>& overrides, Rows rows) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0) return system_error(path, errno);
  if (!S_ISREG(file.st_mode)) return Error{path + ": not a regular file"};
  if (file.st_size > static_cast<off_t>(kMostBytes))
    return Error{path + ": larger than 16 MiB: not a configuration file"};
  std::string text(static_cast<size_t>(file.st_size), '\0');
  const ssize_t length = fill(fd.get(), text, 0);
  if (length < 0) return system_error(path, errno);
  text.resize(static_cast<size_t>(length));
  auto loaded = parse_config(text, path, overrides, rows);
  if (loaded) loaded->identity = identity_of(file, path);
  return loaded;
}

std::vector<Setting> list_settings(const LoadedConfig& loaded) {
  std::vector<Setting> settings;
  const Config& config = loaded.config;
  for (const Key& key : kKeys) {
    std::string shown;
    if (const auto* text = std::get_if<std::string Config::*>(&key.field)) shown = "\"" + config.**text + "\"";
    if (const auto* span = std::get_if<milliseconds Config::*>(&key.field)) {
      shown = std::to_string((config.**span).count());
    }
    if (const auto* number = std::get_if<int64_t Config::*>(&key.field)) shown = std::to_string(config.**number);
    if (const auto* flag = std::get_if<bool Config::*>(&key.field)) shown = config.**flag ? "true" : "false";
    if (const auto* texts = std::get_if<Texts Config::*>(&key.field)) shown = show(config.**texts);
    if (key.secrecy == Secrecy::secret) shown = "(hidden)";
    settings.push_back({key.full_name(), shown, describe(loaded.origins[index_of(key)], config.file)});
  }
  return settings;
}

uint64_t config_path_hash(const std::string& path) { return fnv1a(path) | 1; }

uint64_t config_identity(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 ? identity_of(file, path) : 0;
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

std::optional<std::pair<std::string, uint16_t>> parse_member(const std::string& text, int64_t default_port) {
  std::string host = text;
  std::string port;
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return std::nullopt;
      port = text.substr(close + 2);
      if (port.empty()) return std::nullopt;
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return std::nullopt;
  }
  int64_t number = default_port;
  if (!port.empty()) {
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size()) return std::nullopt;
  }
  if (!is_address(host) || number < 1 || number > 65'535) return std::nullopt;
  return {{host, static_cast<uint16_t>(number)}};
}

std::optional<gid_t> find_group(const std::string& name) {
  gid_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size()) return number;
  const auto groups = read_text("/etc/group");
  if (!groups) return std::nullopt;
  for (size_t begin = 0; begin < groups->size();) {
    const size_t end = std::min(groups->find('\n', begin), groups->size());
    const std::string_view line = std::string_view(*groups).substr(begin, end - begin);
    begin = end + 1;
    const size_t password = line.find(':');
    const size_t id = password == std::string_view::npos ? std::string_view::npos : line.find(':', password + 1);
    if (id == std::string_view::npos || line.substr(0, password) != name) continue;
    if (std::from_chars(line.data() + id + 1, line.data() + line.size(), number).ec == std::errc{}) return number;
  }
  return std::nullopt;
}

}  // namespace pulse
