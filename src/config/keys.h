// The table of keys: how the file, the environment and flags name the settings, and what each may be.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "src/config/modules.h"
#include "src/config/settings.h"

namespace pulse {

using Texts = std::vector<std::string>;

// A setting that is one of a set of words, by the word's place among them.
struct WordField {
  std::span<const char* const> words;
  size_t (*get)(Config& config);  // words.size() if it isn't set
  void (*set)(Config& config, size_t word);
};

// Where a key's value stands.
using Field = std::variant<std::string& (*)(Config&), std::chrono::milliseconds& (*)(Config&), int64_t& (*)(Config&),
                           bool& (*)(Config&), Texts& (*)(Config&), WordField>;
using TextField = std::string& (*)(Config&);
using SpanField = std::chrono::milliseconds& (*)(Config&);
using NumberField = int64_t& (*)(Config&);
using FlagField = bool& (*)(Config&);
using TextsField = Texts& (*)(Config&);

namespace detail {

template <class T>
struct Plain {
  using type = T;
};
template <class T>
struct Plain<std::optional<T>> {
  using type = T;
};

constexpr auto& follow(auto& from, auto member, auto... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return from.*member;
  } else {
    return follow(from.*member, rest...);
  }
}

}  // namespace detail

// The field at the end of a path of pointers to members: field<&Config::admin, &AdminSettings::port>().
template <auto... Path>
consteval Field field() {
  using Type = std::remove_reference_t<decltype(detail::follow(std::declval<Config&>(), Path...))>;
  using Word = typename detail::Plain<Type>::type;
  if constexpr (std::is_enum_v<Word>) {
    return WordField{words_of(Word{}),
                     [](Config& config) -> size_t {
                       const std::optional<Word> word = detail::follow(config, Path...);
                       return word ? static_cast<size_t>(*word) : words_of(Word{}).size();
                     },
                     [](Config& config, size_t word) { detail::follow(config, Path...) = static_cast<Word>(word); }};
  } else {
    return Field([](Config& config) -> Type& { return detail::follow(config, Path...); });
  }
}

enum class Secrecy { open, secret };

struct Key {
  std::string_view name;  // below "pulse."
  Field field;
  int64_t least = 0;
  int64_t most = 0;
  std::span<const char* const> choices = {};  // of each text in a list; empty: any
  Secrecy secrecy = Secrecy::open;

  std::string full_name() const { return "pulse." + std::string(name); }
  bool is_choice(std::string_view text) const;
  // What the key may be, in words: for errors.
  std::string allowed() const;
};

// Laid out by the compiler: each beat reads the configuration, and nothing of this table may cost it time.
inline constexpr Key kKeys[] = {
    {"role", field<&Config::role>()},
    {"state", field<&Config::state>()},
    {"group", field<&Config::group_name>()},
    {"interval_ms", field<&Config::beat, &BeatSettings::interval>(), 100, 100'000'000},
    {"timeout_ms", field<&Config::beat, &BeatSettings::timeout>(), 50, 60'000},
    {"backoff_max_ms", field<&Config::beat, &BeatSettings::backoff_max>(), 1'000, 3'600'000},
    {"admin.host", field<&Config::admin, &AdminSettings::host>()},
    {"admin.port", field<&Config::admin, &AdminSettings::port>(), 1, 65'535},
    {"admin.user", field<&Config::admin, &AdminSettings::user>()},
    {"admin.password", field<&Config::admin, &AdminSettings::password>(), 0, 0, {}, Secrecy::secret},
    {"admin.password_file", field<&Config::admin, &AdminSettings::password_file>()},
    {"admin.tls", field<&Config::admin, &AdminSettings::tls>()},
    {"satellite.peer_timeout_ms", field<&Config::satellite, &SatelliteSettings::peer_timeout>(), 1'000, 3'600'000},
    {"satellite.mend", field<&Config::satellite, &SatelliteSettings::mend>()},
    {"address", field<&Config::address>()},
    {"discovery.source", field<&Config::discovery, &DiscoverySettings::source>()},
    {"discovery.names", field<&Config::discovery, &DiscoverySettings::names>()},
    {"discovery.members", field<&Config::discovery, &DiscoverySettings::members>()},
    {"discovery.port", field<&Config::discovery, &DiscoverySettings::port>(), 1, 65'535},
    {"discovery.interval_ms", field<&Config::discovery, &DiscoverySettings::interval>(), 100, 3'600'000},
    {"discovery.max_age_ms", field<&Config::discovery, &DiscoverySettings::max_age>(), 1'000, 86'400'000},
    {"discovery.watch_ms", field<&Config::discovery, &DiscoverySettings::watch>(), 1'000, 3'600'000},
    {"discovery.kubernetes.api", field<&Config::discovery, &DiscoverySettings::kubernetes, &KubernetesSettings::api>()},
    {"discovery.kubernetes.service_account",
     field<&Config::discovery, &DiscoverySettings::kubernetes, &KubernetesSettings::service_account>()},
    {"discovery.kubernetes.namespace",
     field<&Config::discovery, &DiscoverySettings::kubernetes, &KubernetesSettings::name_space>()},
    {"discovery.kubernetes.core_selector",
     field<&Config::discovery, &DiscoverySettings::kubernetes, &KubernetesSettings::core_selector>()},
    {"discovery.kubernetes.satellite_selector",
     field<&Config::discovery, &DiscoverySettings::kubernetes, &KubernetesSettings::satellite_selector>()},
    {"core.authority", field<&Config::core, &CoreSettings::authority>()},
    {"core.apply", field<&Config::core, &CoreSettings::apply>()},
    {"core.modules", field<&Config::core, &CoreSettings::modules>(), 0, 0, kModuleNames},
    {"drain.timeout_ms", field<&Config::drain, &DrainSettings::timeout>(), 3'000, 3'600'000},
    {"drain.settle_ms", field<&Config::drain, &DrainSettings::settle>(), 0, 3'600'000},
    {"drain.steps", field<&Config::drain, &DrainSettings::steps>()},
    {"drain.on_sigterm", field<&Config::drain, &DrainSettings::on_sigterm>()},
    {"drain.grace_ms", field<&Config::drain, &DrainSettings::grace>(), 0, 86'400'000},
    {"daemon.beats", field<&Config::daemon, &DaemonSettings::beats>()},
    {"daemon.program", field<&Config::daemon, &DaemonSettings::program>()},
    {"daemon.token_file", field<&Config::daemon, &DaemonSettings::token_file>()},
    {"leader.mode", field<&Config::leader, &LeaderSettings::mode>()},
    {"leader.identity", field<&Config::leader, &LeaderSettings::identity>()},
    {"leader.lease_name", field<&Config::leader, &LeaderSettings::lease_name>()},
    {"leader.duration_ms", field<&Config::leader, &LeaderSettings::duration>(), 1'000, 3'600'000},
    {"leader.renew_ms", field<&Config::leader, &LeaderSettings::renew>(), 500, 3'600'000},
    {"leader.retry_ms", field<&Config::leader, &LeaderSettings::retry>(), 100, 3'600'000},
    {"daemon.listen_address", field<&Config::daemon, &DaemonSettings::listen_address>()},
    {"daemon.port", field<&Config::daemon, &DaemonSettings::port>(), 0, 65'535},
    {"daemon.mysql_host", field<&Config::daemon, &DaemonSettings::mysql_host>()},
    {"daemon.mysql_port", field<&Config::daemon, &DaemonSettings::mysql_port>(), 1, 65'535},
    {"daemon.pgsql_host", field<&Config::daemon, &DaemonSettings::pgsql_host>()},
    {"daemon.pgsql_port", field<&Config::daemon, &DaemonSettings::pgsql_port>(), 0, 65'535},
    {"daemon.mysql_look", field<&Config::daemon, &DaemonSettings::mysql_look>()},
    {"daemon.mysql_dead_after_ms", field<&Config::daemon, &DaemonSettings::mysql_dead_after>(), 1'000, 3'600'000},
    {"daemon.live_after_ms", field<&Config::daemon, &DaemonSettings::live_after>(), 0, 86'400'000},
    {"daemon.live_unready_after_ms", field<&Config::daemon, &DaemonSettings::live_unready_after>(), 0, 86'400'000},
    {"daemon.live_stagger_ms", field<&Config::daemon, &DaemonSettings::live_stagger>(), 0, 86'400'000},
    {"sync_users.deadline_ms", field<&Config::sync_users, &SyncUsersSettings::deadline>(), 1'000, 600'000},
    {"sync_users.most_removals_percent", field<&Config::sync_users, &SyncUsersSettings::most_removals_percent>(), 0,
     100},
    {"sync_users.mark", field<&Config::sync_users, &SyncUsersSettings::mark>()},
    {"sync_users.mysql.hostgroup", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::hostgroup>(), -1,
     2'147'483'647},
    {"sync_users.mysql.server", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::server>()},
    {"sync_users.mysql.credentials_file",
     field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::credentials_file>()},
    {"sync_users.mysql.tls", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::tls>()},
    {"sync_users.mysql.ca_file", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::ca_file>()},
    {"sync_users.mysql.include", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::include>()},
    {"sync_users.mysql.exclude", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::exclude>()},
    {"sync_users.mysql.hostgroups", field<&Config::sync_users, &SyncUsersSettings::mysql, &SyncSource::hostgroups>()},
    {"sync_users.pgsql.hostgroup", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::hostgroup>(), -1,
     2'147'483'647},
    {"sync_users.pgsql.server", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::server>()},
    {"sync_users.pgsql.credentials_file",
     field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::credentials_file>()},
    {"sync_users.pgsql.tls", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::tls>()},
    {"sync_users.pgsql.ca_file", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::ca_file>()},
    {"sync_users.pgsql.include", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::include>()},
    {"sync_users.pgsql.exclude", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::exclude>()},
    {"sync_users.pgsql.hostgroups", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::hostgroups>()},
    {"sync_users.pgsql.database", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::database>()},
    {"sync_users.pgsql.accounts", field<&Config::sync_users, &SyncUsersSettings::pgsql, &SyncSource::accounts>()},
};

constexpr size_t index_of(const Key& key) { return static_cast<size_t>(&key - kKeys); }

// Null if there is no such key.
const Key* find_key(std::string_view name);

// Whether there are keys below that name: it is a group's.
bool is_group_of_keys(std::string_view name);

// The keys and groups right below `prefix` ("" or "admin."), for errors.
std::string close_names(const std::string& prefix);

// The place of a key that the program names itself; one that isn't there doesn't compile.
consteval size_t place_of(std::string_view name) {
  size_t place = 0;
  while (kKeys[place].name != name) ++place;
  return place;
}

// One bit for each key.
using KeySet = std::bitset<std::size(kKeys)>;

// A value as the file, a variable or a flag gives it.
using Value = std::variant<std::string, int64_t, bool, Texts>;

// The value in the file's syntax, for people.
std::string show(const Value& value);

// What the configuration has for the key.
Value value_of(const Key& key, Config& config);

// False, with nothing changed, if the key can't be that.
bool assign(const Key& key, const Value& value, Config& config);

// Where a value comes from.
struct Origin {
  int line = 0;      // of the file; 0: not from there
  std::string text;  // another origin: a variable, a flag, another file; "": the default
};

// "/etc/proxysql.cnf:12", "PULSE_ADMIN_PORT", "--timeout-ms", "default". `path` is the file's.
std::string describe(const Origin& origin, const std::string& path);

// Values that come before the file's, by key without the leading "pulse." ("admin.port"); `source` is where each
// comes from, as errors and check-config name it.
struct Override {
  std::string key;
  std::string value;
  std::string source;
};

// The overrides that an environment holds: PULSE_ADMIN_PORT is admin.port. Names that are no key are left alone, for
// Kubernetes puts variables for its services there. `environment` as in environ(7), may be null.
std::vector<Override> overrides_from_environment(const char* const* environment);

// The override's text as what the key is; as it is, if it can't be that.
Value read_override(const Key& key, const std::string& text);

}  // namespace pulse
