// What the Kubernetes API says of pods, read from its JSON. Pure. All but a few fields is passed over without being
// kept: a pod's managedFields alone are many times what a member needs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/discovery/member_list.h"
#include "src/base/result.h"

namespace pulse {

struct Pod {
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string phase;
  std::string address;
  int64_t created_at = 0;  // epoch seconds
  bool deleting = false;
  bool ready = false;

  // Running, with an address, and not being deleted.
  bool is_member() const;
};

struct PodPage {  // one page of a list
  std::string resource_version;
  std::string next;       // the continue token; "" on the last page
  std::vector<Pod> pods;  // members alone
};

enum class WatchKind { added, modified, deleted, bookmark, error };

struct WatchEvent {
  WatchKind kind = WatchKind::error;
  Pod pod;              // of a bookmark only the resource version
  int code = 0;         // of an error, as an HTTP status
  std::string message;  // of an error
};

// Reads a PodList. An error says what is wrong with the text.
Result<PodPage> parse_pod_page(std::string_view json);

// Reads one line of a watch.
Result<WatchEvent> parse_watch_event(std::string_view json);

// The message of a Status object; "" if it is something else.
std::string parse_status_message(std::string_view json);

// "2026-01-31T12:00:00Z", as Kubernetes writes its times, in epoch seconds.
std::optional<int64_t> parse_kubernetes_time(const std::string& time);

// The pods of one selector that are members.
class PodSet {
 public:
  void replace(const std::vector<Pod>& pods);
  // Takes in what a watch said. True if the set of members, or what is known of one, has changed.
  bool apply(const WatchEvent& event);
  std::vector<Found> members(uint16_t port, bool is_core) const;
  size_t size() const { return pods_.size(); }

 private:
  std::map<std::string, Found> pods_;  // by name, which is unique in a namespace
};

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
