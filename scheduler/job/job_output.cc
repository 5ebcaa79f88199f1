#include "scheduler/job/job_output.h"

#include <algorithm>

#include "src/base/utf8.h"

namespace pulse {

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool control =
        first < 0x20 || first == 0x7F || (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
    if (first == '\t' || first == '\r') {
      shown += ' ';
    } else if (length == 0 || control) {
      shown += '?';
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return shown;
}

void OutputBound::feed(std::string_view piece) {
  bytes_ += piece.size();
  // A command that writes without end costs no more than the look for its last line.
  if (const size_t last = piece.rfind('\n'); full_ && last != std::string_view::npos && last > 2 * kLongestLine) {
    const size_t from = last - 2 * kLongestLine;
    const size_t line_feed = piece.find('\n', from);
    line_.clear();
    piece.remove_prefix(line_feed < last ? line_feed + 1 : from);
  }
  for (size_t end; (end = piece.find('\n')) != std::string_view::npos; piece.remove_prefix(end + 1)) {
    feed_line(piece.substr(0, end));
    end_line(1);
  }
  feed_line(piece);
}

void OutputBound::finish() {
  if (!line_.empty()) end_line(0);
}

void OutputBound::feed_line(std::string_view part) {
  line_.append(part.substr(0, kLongestLine - std::min(kLongestLine, line_.size())));
}

void OutputBound::end_line(uint64_t line_feed) {
  const std::string line = std::exchange(line_, {});
  if (line.find_first_not_of(" \t\r") == std::string::npos) {
    shown_ += line.size() + line_feed;
    return;
  }
  last_line_ = line;
  // The first line that would go beyond the limits is the end: what is shown is a beginning, without gaps.
  full_ = full_ || shown_lines_ >= limits_.lines || shown_text_ + line.size() > limits_.bytes;
  if (full_ || !show_(printable(line.substr(0, line.find_last_not_of('\r') + 1)))) return;
  ++shown_lines_;
  shown_text_ += line.size();
  shown_ += line.size() + line_feed;
}

std::string OutputBound::last_line() const {
  const bool begun = line_.find_first_not_of(" \t\r") != std::string::npos;
  return printable(std::string_view(begun ? line_ : last_line_).substr(0, 240));
}

}  // namespace pulse
