// Lines out of a stream that comes in pieces, as a watch of the Kubernetes API does. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pulse {

// Cuts a stream into its lines, wherever the pieces of it end.
class LineSplitter {
 public:
  // A line must fit into `most` bytes.
  explicit LineSplitter(size_t most) : most_(most) {}

  // Gives each line that `piece` ends to `take(std::string_view)`, without its line feed, for as long as that returns
  // true. False if a line is too long or `take` returned false.
  template <class Take>
  bool feed(std::string_view piece, Take&& take) {
    for (size_t end; (end = piece.find('\n')) != std::string_view::npos; piece.remove_prefix(end + 1)) {
      const std::string_view rest = piece.substr(0, end);
      if (begun_.size() + rest.size() > most_) return false;
      if (begun_.empty()) {
        if (!take(rest)) return false;
        continue;
      }
      begun_.append(rest);
      const bool taken = take(std::string_view(begun_));
      if (begun_.capacity() > kKept) {
        std::string().swap(begun_);
      } else {
        begun_.clear();
      }
      if (!taken) return false;
    }
    if (begun_.size() + piece.size() > most_) return false;
    begun_.append(piece);
    return true;
  }

  // What came after the last line feed.
  std::string_view rest() const { return begun_; }

 private:
  static constexpr size_t kKept = 64 * 1024;

  const size_t most_;
  std::string begun_;
};

}  // namespace pulse
