// What the daemon knows and answers: the segment, the MySQL port, and the probes made of both.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/health/mysql_port.h"
#include "daemon/http/http_server.h"
#include "shm/segment/segment.h"
#include "shm/status/health.h"
#include "src/config/settings.h"

namespace pulse {

class ProbeService {
 public:
  // `host_name` decides this host's part of the liveness stagger. install_bus_guard() must have been called.
  ProbeService(const Config& config, const std::string& host_name);

  // Looks at the MySQL port and at the segment's file; logs what has changed. To be called twice a second by one
  // thread; may take as long as one active look, a second.
  void tick();

  // Whose counters /metrics shows. To be called before the first handle(); `server` must outlive the last one.
  void show_counters_of(const HttpServer& server) { server_ = &server; }

  // Answers a request from memory, without a system call that could wait. Any one thread, beside tick().
  std::optional<HttpResponse> handle(const HttpRequest& request);

  // What /healthz/ready answers at this moment, as one line of JSON, with `probe_name` as its `probe`.
  std::string readiness(const char* probe_name);

  // A drain that this daemon starts counts from here on, also before its process has told the segment, and where there
  // is none. drain_ended(): the process has ended; `stopped` if ProxySQL has, too.
  void announce_drain();
  void drain_ended(bool stopped);

  // Whether the segment tells of a drain that runs and hasn't run out of time.
  bool drain_runs();

  // What came of the last drain, as /shutdown's answer. `otherwise` is for one that has left no word in the segment.
  std::string drain_answer(bool good, const std::string& otherwise);

  // Runs `access` on the segment's layout; false if there is none, or it was cut short.
  template <class Access>
  bool with_layout(Access&& access) {
    const std::shared_ptr<Segment> current = segment();
    return current && guarded([&] { access(current->layout()); });
  }

  // The segment as it is open at the moment; null if none is. Any thread.
  std::shared_ptr<Segment> segment();

 private:
  struct Snapshot {
    StateView view;
    PortView port;
    Verdict verdict;
    int64_t clients = -1;
    int64_t now_ns = 0;
  };
  Snapshot look();
  void open_segment();

  const Config config_;
  const Policy policy_;
  const uint64_t boot_id_;
  const int64_t running_since_ns_;
  const int64_t started_realtime_ns_;
  const HttpServer* server_ = nullptr;
  MysqlLook mysql_look_;

  std::mutex mutex_;  // of what follows; held for copies, never over a wait
  std::shared_ptr<Segment> segment_;
  std::string segment_problem_;
  std::string segment_absent_;
  Memory memory_;
  int64_t announced_ns_ = 0;      // of a drain that this daemon has started
  DrainRecord own_drain_{};       // what is known of it without the segment
  int64_t counted_clients_ = -1;  // by the socket table, while the beats' count is stale

  State logged_state_ = State::starting;  // tick()'s
  std::string logged_problem_;
};

}  // namespace pulse
