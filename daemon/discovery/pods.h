// What the Kubernetes API says of pods, read from its JSON. Pure. All but a few fields is passed over without being
// kept: a pod's managedFields alone are many times what a member needs.
#pragma once

#include <cstdint>
#include <map>
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
  PodOwner owner;
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

}  // namespace pulse
