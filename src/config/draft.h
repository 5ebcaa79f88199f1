// A configuration that is being loaded: its values, and where each came from.
#pragma once

#include <chrono>
#include <string>

#include "src/config/cnf.h"
#include "src/config/keys.h"
#include "src/config/load.h"

namespace pulse {

struct Draft {
  std::string path;  // of the file
  LoadedConfig loaded;
  KeySet said;  // by pulse, the environment or a flag; not taken over from ProxySQL's groups
  std::chrono::milliseconds cluster_check_interval{1000};  // admin-cluster_check_interval_ms

  // Where a setting of the file stands.
  Origin origin_of(const CnfSetting& setting) const {
    return *setting.file == path ? Origin{setting.line, ""} : Origin{0, setting.at()};
  }
  // Where the key's value comes from, as errors begin.
  std::string source(size_t key) const { return describe(loaded.origins[key], path); }
};

}  // namespace pulse
