// When to list, when to watch, and how long to wait in between: the rules of a Kubernetes reflector, after client-go's.
// Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "src/base/clock.h"

namespace pulse {

enum class ApiRequest { list, watch };

// How a request ended.
struct ApiOutcome {
  enum class Kind {
    done,     // a list is complete; a watch came to its end
    expired,  // 410: what was asked for by resource version or continue token isn't there any more
    failed,
  };
  Kind kind = Kind::done;
  int status = 0;                       // of a failure; 0: no HTTP answer
  bool unreadable = false;              // a failure: the answer wasn't what the API says
  std::chrono::seconds retry_after{0};  // of a failure
  nanoseconds took{0};                  // the request, until it failed
};

struct ReflectorState {
  ApiRequest next = ApiRequest::list;
  unsigned failures = 0;        // in a row, until prove()
  unsigned watch_failures = 0;  // since the last list
};

inline constexpr milliseconds kShortestBackoff{800};
inline constexpr milliseconds kLongestBackoff{15000};
inline constexpr std::chrono::seconds kLongestRetryAfter{120};

struct ReflectorStep {
  nanoseconds wait{0};      // before state.next
  bool is_failure = false;  // a failed look. The first 410, and a token that has just been replaced, are none
};

// Takes in how `state.next` ended, and says what to do next. `random` is from [0, 1).
ReflectorStep next_step(ReflectorState& state, const ApiOutcome& outcome, double random);

// A watch has shown that it works, by an event, or by staying open: what went wrong before is over. A list shows that
// of itself alone, or a list that works and a watch that doesn't would follow each other without a pause.
void prove(ReflectorState& state);

// How long a watch is to be: up to a tenth shorter than `longest`, so that many don't end together; whole seconds.
std::chrono::seconds watch_span(milliseconds longest, double random);

}  // namespace pulse
