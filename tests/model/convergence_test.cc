// Thousands of seeded schedules of joins, deployments, crashes, killed beats, refused statements and failing discovery.
// However it went, the cluster ends with the newest core's configuration and the right tables everywhere, and then
// nobody writes any more. A failure prints its seed; MODEL_SEED runs that one alone, MODEL_SCHEDULES sets how many.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/model/simulation.h"

namespace pulse::model {
namespace {

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Schedule {
 public:
  explicit Schedule(uint64_t seed) : simulation_(seed, options(seed)) {}

  std::string run() {
    const int64_t cores = 1 + simulation_.below(4);
    for (int64_t i = 0; i < cores; ++i) simulation_.add_core(generation_);
    for (int64_t i = simulation_.below(4); i > 0; --i) simulation_.add_satellite();
    if (!calm("at first")) return problem_;
    simulation_.beats_fail(true);
    const int64_t events = 1 + simulation_.below(12);
    for (int64_t i = 0; i < events; ++i) {
      disturb();
      if (!simulation_.run(simulation_.below(4) == 0 ? 0 : simulation_.below(8000))) return broken("on the way");
    }
    simulation_.discovery_fails(false);
    calm("in the end");
    return problem_;
  }

 private:
  static Options options(uint64_t seed) {
    Options options;
    options.beat_ms = seed % 3 == 0 ? 2000 : 500;
    options.check_ms = seed % 2 == 0 ? 200 : 1000;
    return options;
  }

  const std::string& any(const std::vector<std::string>& list) {
    picked_ = list[static_cast<size_t>(simulation_.below(static_cast<int64_t>(list.size())))];
    return picked_;
  }

  void disturb() {
    const auto cores = simulation_.cores();
    const auto satellites = simulation_.satellites();
    switch (simulation_.below(10)) {
      case 0:  // a deployment begins, or goes on
        ++generation_;
        [[fallthrough]];
      case 1:
      case 2:
        simulation_.add_core(generation_);
        break;
      case 3:
      case 4:  // an old core goes; the newest only when a newer one has come, as a rollout does it
        if (any(cores) != simulation_.newest_core()) simulation_.remove(picked_);
        break;
      case 5:
        simulation_.restart(any(cores));
        break;
      case 6:
        satellites.empty() ? simulation_.restart(any(cores)) : simulation_.restart(any(satellites));
        break;
      case 7:
        simulation_.add_satellite();
        break;
      case 8:
        simulation_.empty_table(any(simulation_.below(2) == 0 && !satellites.empty() ? satellites : cores));
        break;
      case 9:
        simulation_.discovery_fails(simulation_.below(2) == 0);
        break;
    }
  }

  // Until everything is as it should be, in bounded time; then nobody writes.
  bool calm(const std::string& when) {
    constexpr int64_t kStepMs = 500, kPatienceMs = 60'000;
    int64_t waited = 0;
    simulation_.beats_fail(false);
    while (!simulation_.converged(generation_of_newest()) && waited < kPatienceMs) {
      if (!simulation_.run(kStepMs)) return broken(when), false;
      waited += kStepMs;
    }
    if (!simulation_.converged(generation_of_newest())) return broken("not converged " + when), false;
    // A pull that is under way may still disturb it once; what has settled stays.
    if (!simulation_.run(15'000)) return broken(when), false;
    if (!simulation_.converged(generation_of_newest())) return broken("reverted " + when), false;
    const int64_t writes = simulation_.writes();
    if (!simulation_.run(20'000)) return broken(when), false;
    if (simulation_.writes() != writes) return broken("still writing " + when), false;
    if (!simulation_.converged(generation_of_newest())) return broken("not converged any more " + when), false;
    return true;
  }

  int generation_of_newest() { return simulation_.generation(simulation_.newest_core()); }

  std::string broken(const std::string& what) {
    problem_ = what + ": " + simulation_.problem() + "\n" + simulation_.describe();
    return problem_;
  }

  Simulation simulation_;
  int generation_ = 1;
  std::string picked_;
  std::string problem_;
};

TEST(Convergence, HoweverItWent) {
  const uint64_t only = number_from("MODEL_SEED", 0);
  const uint64_t first = only != 0 ? only : 1;
  const uint64_t count = only != 0 ? 1 : number_from("MODEL_SCHEDULES", 5000);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string problem = Schedule(seed).run();
    ASSERT_EQ("", problem) << "MODEL_SEED=" << seed;
  }
}

}  // namespace
}  // namespace pulse::model
