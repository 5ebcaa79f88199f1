// Who the members of the cluster are: follows the configured source and publishes what it says to the state segment.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/discovery/revision_source.h"
#include "daemon/discovery/source_status.h"
#include "shm/segment/segment.h"
#include "src/config/settings.h"

namespace pulse {

// How often a list without a core came, and since when there is none now.
struct NoCore {
  int64_t since_ns = 0;  // 0: the list has a core, or isn't complete
  int64_t ok_ns = 0;     // when it last had one
  uint64_t times = 0;
};

// The state of discovery as it is to be published, but for source, boot_id and members_left_out: as good as the worst
// of `looks`. Pure.
Discovery merge_looks(const std::vector<SourceLook>& looks, const NoCore& no_core);

// Runs threads of its own: one for each part of the source, and one that publishes. No caller waits for any of them.
class Discoverer {
 public:
  // The segment that the daemon has open at the moment; null if none. Any thread.
  using SegmentSource = std::function<std::shared_ptr<Segment>()>;

  // `published` is called whenever a list has been put into the segment, by a thread of the discoverer's: it mustn't
  // wait. install_bus_guard() must have been called, and signals that others are to take be blocked.
  Discoverer(
      const Config& config, SegmentSource segment, std::function<void()> published = [] {});
  ~Discoverer();  // stop()
  Discoverer(const Discoverer&) = delete;
  Discoverer& operator=(const Discoverer&) = delete;

  // Publishes at once: a segment has just appeared. Any thread.
  void publish_now() { wakeup_->wake(); }

  // Ends all threads. Waits a quarter of a second at most for those that wait for a server or a resolver. False if one
  // is left: it owns all that it touches, but libraries that it uses must not be taken down: the process has to
  // _exit().
  bool stop();

 private:
  struct Part {
    SourceLink link;
    std::thread thread;
  };
  void add_parts();
  SourceLink make_link() const;
  void follow(std::function<void(const SourceLink&)> source);
  void publish_until_stopped();
  void turn();
  void rebuild(const std::vector<SourceLook>& looks, int64_t now_ns);
  bool waits_for_revisions(const std::vector<Found>& members, int64_t now_ns);
  void write(Discovery state);
  void tell(const Discovery& state);
  void tell_change(int64_t now_ns);
  void tell_revisions();

  const std::shared_ptr<const Config> config_;
  const SegmentSource segment_source_;
  const std::function<void()> published_;
  const uint64_t boot_id_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::vector<Part> parts_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<RevisionSource> revisions_;  // null where nobody asks for the cores' revisions
  std::thread publisher_;
  bool all_ended_ = true;

  // The publisher's:
  std::vector<std::shared_ptr<const std::vector<Found>>> found_;  // what members_ was made of
  std::vector<Found> asked_;                                      // the cores whose revisions were last asked
  uint64_t revisions_read_ = 0;                                   // RevisionSource::changes() of members_
  int64_t held_since_ns_ = 0;  // since when a list waits for the revisions of its new cores; 0: none does
  std::string no_revisions_;
  std::string no_revisions_told_;
  OwnAddresses own_;
  int64_t own_checked_ns_ = 0;
  std::unique_ptr<Members> members_;  // null until there is a list
  bool members_written_ = false;
  std::unique_ptr<Members> told_;  // the list that the log knows of; null while it is the present one
  int64_t told_ns_ = 0;
  uint32_t left_out_ = 0;
  NoCore no_core_;
  int64_t inherited_ok_ns_ = 0;     // of the daemon before this one
  std::weak_ptr<Segment> segment_;  // that was last written to
  uint64_t failures_before_ = 0;    // the present row of failures
  uint64_t failures_told_ = 0;
  std::string error_told_;
  int64_t error_told_ns_ = 0;
  int64_t failing_since_ns_ = 0;
};

}  // namespace pulse
