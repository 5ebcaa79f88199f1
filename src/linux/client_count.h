// How many clients are connected, by the kernel's socket table: counted again and again, at a cost that stays small.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

// A count and its age. The kernel walks its whole table of connections for each count, those in TIME_WAIT included: on
// a busy host that takes tens of milliseconds.
class ClientCount {
 public:
  // Counts once, until the deadline. The error is the reason why there is no count.
  using Counter = std::function<Result<uint32_t>(Deadline)>;

  // `counter` is called in look() alone. No two counts begin within `every`, nor within kShare times what the last one
  // took: counting never takes more than one part in kShare of a processor.
  ClientCount(Counter counter, nanoseconds every) : counter_(std::move(counter)), every_(every) {}

  // Counts if that is due. A count that fails leaves the last good one.
  void look(Deadline deadline);

  // Whether look() would count.
  bool is_due() const { return monotonic_ns() >= next_ns_; }

  // The last good count, -1 without any, and when it was made (CLOCK_BOOTTIME).
  int64_t clients() const { return clients_; }
  int64_t counted_ns() const { return counted_ns_; }

  // Why the last count failed; "" if it didn't.
  const std::string& problem() const { return problem_; }

  static constexpr int64_t kShare = 50;

 private:
  Counter counter_;
  nanoseconds every_;
  int64_t next_ns_ = 0;
  int64_t clients_ = -1;
  int64_t counted_ns_ = 0;
  std::string problem_;
};

}  // namespace pulse
