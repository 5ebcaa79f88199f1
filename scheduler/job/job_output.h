// What of a job's output is shown. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "src/config/jobs.h"

namespace pulse {

// The text with everything replaced by '?' that isn't a printable character of well-formed UTF-8; a tab and a carriage
// return become a space.
std::string printable(std::string_view text);

// Cuts output into lines and decides which of them are shown: the first ones, within the limits. Holds no more than the
// one line that isn't complete.
class OutputBound {
 public:
  static constexpr size_t kLongestLine = 1000;  // bytes; the rest of a longer one isn't shown

  // `show` gets each line that is to be shown, printable, and says whether it was. Later lines come nevertheless.
  OutputBound(OutputLimits limits, std::function<bool(const std::string&)> show)
      : limits_(limits), show_(std::move(show)) {}

  void feed(std::string_view piece);
  // The output has ended: what came after the last line feed is a line too.
  void finish();

  uint64_t bytes() const { return bytes_; }
  // Of these; blank lines count as shown.
  uint64_t not_shown() const { return bytes_ - shown_; }
  // The last line with anything but space in it, printable and cut short; complete or not.
  std::string last_line() const;

 private:
  void feed_line(std::string_view part);
  void end_line(uint64_t line_feed);

  const OutputLimits limits_;
  const std::function<bool(const std::string&)> show_;
  std::string line_;       // the beginning of the present line
  std::string last_line_;  // the last one that isn't blank
  uint64_t bytes_ = 0;
  uint64_t shown_ = 0;  // of these
  uint64_t shown_lines_ = 0;
  uint64_t shown_text_ = 0;
  bool full_ = false;  // no more is shown
};

}  // namespace pulse
