// Thousands of random pasts, each from its seed: whatever happened, no node lost or got rows that nobody had said, and
// the cluster comes to rest. A failure prints its seed; MODEL_SEED runs that one alone, MODEL_SCHEDULES sets how many,
// MODEL_FIRST where they begin.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/model/pasts.h"

namespace pulse::model {
namespace {

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Convergence, HoweverItWent) {
  const uint64_t only = number_from("MODEL_SEED", 0);
  const uint64_t first = only != 0 ? only : number_from("MODEL_FIRST", 1);
  const uint64_t count = only != 0 ? 1 : number_from("MODEL_SCHEDULES", 600);
  const uint64_t most_failures = number_from("MODEL_FAILURES", 1);
  uint64_t failures = 0;
  for (uint64_t seed = first; seed < first + count && failures < most_failures; ++seed) {
    const std::string problem = Past(seed).run();
    if (problem.empty()) continue;
    ++failures;
    ADD_FAILURE() << "MODEL_SEED=" << seed << " "
                  << (most_failures == 1 ? problem : problem.substr(0, problem.find('\n')));
  }
}

}  // namespace
}  // namespace pulse::model
