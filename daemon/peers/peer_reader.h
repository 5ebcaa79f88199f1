// Asks the other cores' daemons what has been applied to the cluster from configuration files, and those of satellites
// what they can't pull any more, and publishes it for the beat.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/peers/satellite_rounds.h"
#include "daemon/worker/wakeup.h"
#include "shm/segment/segment.h"
#include "src/base/http_round.h"
#include "src/base/unique_fd.h"
#include "src/config/settings.h"

namespace pulse {

// What one core has answered.
struct PeerAnswer {
  std::string host;
  Result<std::optional<Applied>> report;  // nothing: its Pulse is older than reports
};

// The record after one round about the list of `list_ns` that ended at `now_ns`. What earlier rounds have brought
// stays. Pure.
PeerReports after_round(PeerReports reports, const std::vector<PeerAnswer>& answers, int64_t list_ns, int64_t now_ns);

// Whether a node of these settings asks: a core whose file's authority needs to know what has been applied.
bool asks_peers(const Config& config);

// A round asks each other core of the list once, at its member's address and this daemon's own port: at once when there
// is a new list, then every 5 s, and each second for a while where one doesn't answer. Satellites are asked by the
// leader of the cores alone, a few at a time: see SatelliteRounds. A thread of its own, which waits for nothing but its
// sockets.
class PeerReader {
 public:
  // The segment that the daemon has open at the moment; null if none. Any thread.
  using SegmentSource = std::function<std::shared_ptr<Segment>()>;

  // Does nothing but on a core. install_bus_guard() must have been called, and signals that others are to take
  // be blocked.
  PeerReader(const Config& config, SegmentSource segment);
  ~PeerReader();
  PeerReader(const PeerReader&) = delete;
  PeerReader& operator=(const PeerReader&) = delete;

  // There may be a new list in the segment. Any thread.
  void list_changed();

 private:
  void run();
  int64_t turn();
  // Both return when they have something to do next.
  int64_t ask_cores(const std::shared_ptr<Segment>& segment);
  bool leads(const Segment& segment, int64_t now_ns) const;
  int64_t ask_satellites(Segment& segment);
  bool take_segment(const std::shared_ptr<Segment>& segment);
  bool ask(const Members& members);
  bool publish(Segment& segment);
  void tell();

  const Config& config_;
  const SegmentSource segment_source_;
  const uint64_t boot_id_;
  UniqueFd stop_fd_;
  UniqueFd wake_fd_;

  // The thread's:
  std::unique_ptr<Members> members_;  // as last read
  std::unique_ptr<PeerReports> reports_;
  std::unique_ptr<SatelliteReports> satellite_reports_;
  SatelliteRounds satellites_;
  int64_t satellites_due_ns_ = 0;
  std::vector<std::string> asked_;  // addresses, of the last round
  std::weak_ptr<Segment> segment_;  // that was last written to
  int64_t began_ns_ = 0;            // the last round; 0: none yet
  int64_t list_taken_ns_ = 0;       // when the list of that round was met first
  bool told_ = false;
  std::thread thread_;
};

}  // namespace pulse
