// The enumerators of the configuration and their words: those of the file, of status, JSON and metrics. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pulse {

// What this node is to the cluster.
enum class Role : uint8_t {
  core,
  satellite,
  standalone,  // there is no cluster
};
// Where the list of members comes from.
enum class Source : uint8_t { none, kubernetes, dns, fixed };
// Which core's own file is what the cluster gets. `newest` is an old word for `revision`, which replaces it.
enum class Authority : uint8_t { revision, always, never, newest };
// When that file is loaded: when its content has changed, or with each start of ProxySQL.
enum class Apply : uint8_t { on_change, on_boot };
// Which beats the daemon starts.
enum class BeatsMode : uint8_t { never, when_silent, always };
// How the leader of the nodes of one role is found.
enum class LeaderMode : uint8_t { none, lease, lowest };
// How the daemon checks the MySQL port: by the kernel's socket table, or by a connection.
enum class PortLook : uint8_t { passive, active };
// What the cores' leader does about a satellite that has diverged: says so, or loads the module again on a core.
enum class MendMode : uint8_t { report, reload };
// How a connection to a database server is protected: not at all, encrypted, or encrypted with the server's certificate
// and name checked.
enum class BackendTls : uint8_t { off, required, verified };

inline constexpr const char* kRoleWords[] = {"core", "satellite", "standalone"};
inline constexpr const char* kSourceWords[] = {"none", "kubernetes", "dns", "static"};
inline constexpr const char* kAuthorityWords[] = {"revision", "always", "never", "newest"};
inline constexpr const char* kApplyWords[] = {"on_change", "on_boot"};
inline constexpr const char* kBeatsModeWords[] = {"never", "when_silent", "always"};
inline constexpr const char* kLeaderModeWords[] = {"none", "lease", "lowest"};
inline constexpr const char* kPortLookWords[] = {"passive", "active"};
inline constexpr const char* kMendModeWords[] = {"report", "reload"};
inline constexpr const char* kBackendTlsWords[] = {"off", "required", "verified"};

// The words of an enum, in the order of its values.
constexpr std::span<const char* const> words_of(Role) { return kRoleWords; }
constexpr std::span<const char* const> words_of(Source) { return kSourceWords; }
constexpr std::span<const char* const> words_of(Authority) { return kAuthorityWords; }
constexpr std::span<const char* const> words_of(Apply) { return kApplyWords; }
constexpr std::span<const char* const> words_of(BeatsMode) { return kBeatsModeWords; }
constexpr std::span<const char* const> words_of(LeaderMode) { return kLeaderModeWords; }
constexpr std::span<const char* const> words_of(PortLook) { return kPortLookWords; }
constexpr std::span<const char* const> words_of(MendMode) { return kMendModeWords; }
constexpr std::span<const char* const> words_of(BackendTls) { return kBackendTlsWords; }

// The word of a value that may be none of the enum's, as one read from the segment may be.
template <class Enum>
constexpr const char* word_of(Enum value, const char* otherwise) {
  const auto words = words_of(value);
  return static_cast<size_t>(value) < words.size() ? words[static_cast<size_t>(value)] : otherwise;
}

constexpr const char* name(Role role) { return word_of(role, "unknown"); }
constexpr const char* name(Source source) { return word_of(source, "none"); }
constexpr const char* name(MendMode mode) { return word_of(mode, "report"); }
constexpr const char* name(LeaderMode mode) { return word_of(mode, "unknown"); }

}  // namespace pulse
