// A random past of a cluster, from its seed: rollouts, restarts of everything, people, clocks, faults of discovery and
// of reports. However it went, it comes to rest.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tests/model/cluster.h"

namespace pulse::model {

class Past {
 public:
  explicit Past(uint64_t seed);

  // "" if nothing was broken; else what was, and how it came.
  std::string run();

 private:
  static Options options(uint64_t seed);
  void begin();
  void disturb();
  void roll_out();
  void remove_a_core();
  void evict_an_old_core();
  void replace_all_cores();
  void restart_something();
  void person_works();
  void edit_files();
  void reports_fail();
  void lists_differ();
  void calm_down();
  bool comes_to_rest(const std::string& when);
  std::string broken(const std::string& what) const;

  Host& any(const std::vector<Host*>& list) {
    return *list[static_cast<size_t>(below(static_cast<int64_t>(list.size())))];
  }
  Host& any_core() { return any(cluster_.cores()); }
  Host& any_host();
  int64_t below(int64_t bound) { return cluster_.below(bound); }
  bool chance(double probability) { return cluster_.chance(probability); }
  Rows edited(Rows rows, size_t module);
  void add_core(int64_t revision);

  const uint64_t seed_;
  const Options options_;
  Cluster cluster_;
  const size_t most_cores_;
  int64_t revision_ = 1;
  int next_row_ = 1;
  uint64_t next_identity_ = 1;
  std::map<int64_t, ConfigFile> files_;  // by revision
  std::string problem_;
};

}  // namespace pulse::model
