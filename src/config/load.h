// The configuration: the group `pulse` of proxysql.cnf, with what it takes over from ProxySQL's own groups.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/config/cnf.h"
#include "src/config/jobs.h"
#include "src/config/keys.h"
#include "src/config/settings.h"

namespace pulse {

// One effective value, for check-config. Secrets come redacted.
struct Setting {
  std::string key;  // "pulse.admin.port"
  std::string value;
  std::string source;  // "default", "/etc/proxysql.cnf:12", "PULSE_ADMIN_PORT", "--timeout-ms", ...
};

struct LoadedConfig {
  Config config;
  std::vector<Origin> origins;  // of the keys, for list_settings()
  std::vector<std::string> warnings;
  // An error here is one of the jobs' alone: beats and probes don't depend on it.
  Result<std::vector<Job>> jobs = std::vector<Job>{};
  uint64_t identity = 0;  // of the file read, see config_identity()
  std::string salvage;    // of load_config_for_drain(): the file's error, and what is made of it; "": it has none
};

// Reads `path` with all that it includes, lays the overrides over it in order, and checks everything. error().text
// names file, line, key and what is allowed; nothing is written anywhere. `rows`: nothing here depends on more of
// ProxySQL's tables than Rows::first keeps.
Result<LoadedConfig> load_config(const std::string& path, const std::vector<Override>& overrides,
                                 Rows rows = Rows::all);

// The same for a drain or its undoing, which an error in the file must not stop: where the grammar is broken, the
// groups that salvage_groups() finds count, and `salvage` says so.
Result<LoadedConfig> load_config_for_drain(const std::string& path, const std::vector<Override>& overrides);

// The same from a text, for tests; `path` stands in the messages.
Result<LoadedConfig> parse_config(const std::string& text, const std::string& path,
                                  const std::vector<Override>& overrides, Rows rows = Rows::all);

// All keys with their values, for people: a beat never asks.
std::vector<Setting> list_settings(const LoadedConfig& loaded);

}  // namespace pulse
