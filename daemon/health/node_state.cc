#include "daemon/health/node_state.h"

#include <cerrno>

#include "daemon/health/metrics.h"
#include "shm/record/drains.h"
#include "shm/segment/boot.h"
#include "shm/status/status_json.h"
#include "src/base/log.h"
#include "src/linux/socket_table.h"

namespace pulse {

namespace {

HttpResponse json(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace

ProbeService::ProbeService(const Config& config, const std::string& host_name)
    : config_(config),
      policy_(make_policy(config, host_name)),
      boot_id_(machine_boot_id()),
      running_since_ns_(boottime_ns()),
      started_realtime_ns_(clock_ns(CLOCK_REALTIME)),
      mysql_look_(config.daemon.mysql_host, static_cast<uint16_t>(config.daemon.mysql_port),
                  config.daemon.mysql_look == PortLook::active ? MysqlLook::Mode::active : MysqlLook::Mode::passive) {
  open_segment();
}

void ProbeService::open_segment() {
  SegmentOptions options;
  options.path = config_.state;
  options.group = config_.group;
  options.create = false;
  auto opened = Segment::open(options);
  const std::lock_guard<std::mutex> hold(mutex_);
  segment_ = opened ? std::make_shared<Segment>(std::move(*opened)) : nullptr;
  const bool absent = !opened && opened.error().code == ENOENT;
  segment_problem_ = opened || absent ? "" : opened.error().text;
  segment_absent_ = absent ? opened.error().text : "";
}

std::shared_ptr<Segment> ProbeService::segment() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return segment_;
}

void ProbeService::tick() {
  mysql_look_.tick();
  const std::shared_ptr<Segment> current = segment();
  if (!current || !current->is_current(config_.state)) open_segment();

  Snapshot now = look();
  const bool stale =
      now.view.observation.at_ns == 0 || now.now_ns - now.view.observation.at_ns > 3 * policy_.interval_ns;
  int64_t counted = -1;
  if (stale) {
    const auto clients =
        count_established(static_cast<uint16_t>(config_.daemon.mysql_port), Deadline::after(milliseconds(500)));
    if (clients) counted = static_cast<int64_t>(*clients);
  }
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    counted_clients_ = counted;
  }

  if (now.view.problem != logged_problem_) {
    if (now.view.problem.empty()) {
      log_info("the state segment " + config_.state + " is usable");
    } else {
      log_error(now.view.problem);
    }
    logged_problem_ = now.view.problem;
  }
  if (now.verdict.state != logged_state_) {
    const std::string text =
        std::string(name(logged_state_)) + " -> " + name(now.verdict.state) + ": " + now.verdict.message;
    if (now.verdict.state == State::beating || now.verdict.state == State::maintenance) {
      log_info(text);
    } else {
      log_warning(text);
    }
    logged_state_ = now.verdict.state;
  }
}

ProbeService::Snapshot ProbeService::look() {
  Snapshot snapshot;
  std::shared_ptr<Segment> segment;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    segment = segment_;
    snapshot.view.problem = segment_problem_;
    snapshot.view.absent = segment_absent_;
    snapshot.clients = counted_clients_;
  }
  snapshot.now_ns = boottime_ns();
  if (segment) snapshot.view = read_state(*segment, boot_id_, policy_.backoff(), snapshot.now_ns);
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    // A beat that began after ProxySQL was stopped and went through has met another one.
    const int64_t others_ns = own_drain_.ended_ns + nanoseconds(config_.beat.timeout).count();
    if (own_drain_.ended_ns != 0 && snapshot.view.record.last_ok_ns > others_ns) announced_ns_ = 0;
    if (announced_ns_ > snapshot.view.draining_since_ns) {
      snapshot.view.draining_since_ns = announced_ns_;
      if (own_drain_.ended_ns != 0) snapshot.view.drain = own_drain_;
    }
  }
  if (snapshot.clients < 0 && snapshot.view.observation.at_ns != 0)
    snapshot.clients = snapshot.view.observation.clients;

  const PortVerdict port = mysql_look_.current();
  snapshot.port.known = port.looked_at_ns != 0;
  snapshot.port.answers = port.answers;
  snapshot.port.ever_answered = port.ever_answered;
  snapshot.port.since_ns = port.since_ns;
  snapshot.port.looked_at_ns = port.looked_at_ns;
  snapshot.port.how = port.how;
  snapshot.port.reason = port.reason;

  const std::lock_guard<std::mutex> hold(mutex_);
  snapshot.verdict = decide(snapshot.view, snapshot.port, policy_, memory_, running_since_ns_, snapshot.now_ns);
  return snapshot;
}

std::string ProbeService::readiness(const char* probe_name) {
  const Snapshot now = look();
  return probe_json({now.view, now.verdict, now.port, config_, now.clients, now.now_ns}, now.verdict.ready, probe_name);
}

void ProbeService::announce_drain() {
  const std::lock_guard<std::mutex> hold(mutex_);
  announced_ns_ = boottime_ns();
  own_drain_ = DrainRecord{};
}

void ProbeService::drain_ended(bool stopped) {
  bool told = false;
  static_cast<void>(with_layout([&](Layout& layout) { told = layout.draining_since_ns.load() != 0; }));
  const std::lock_guard<std::mutex> hold(mutex_);
  if (told || !stopped) {
    announced_ns_ = 0;
    return;
  }
  own_drain_.began_ns = announced_ns_;
  own_drain_.ended_ns = boottime_ns();
  own_drain_.outcome = static_cast<uint8_t>(DrainOutcome::stopped);
  own_drain_.phase = static_cast<uint8_t>(DrainPhase::ended);
  set_text(own_drain_.message, "drained");
}

bool ProbeService::drain_runs() {
  const Snapshot now = look();
  return may_be_at_work(now.view.draining_since_ns, now.view.drain, config_.drain.timeout, now.now_ns);
}

std::string ProbeService::drain_answer(bool good, const std::string& otherwise) {
  const Snapshot now = look();
  const DrainRecord& drain = now.view.drain;
  const bool told = now.view.draining_since_ns != 0 && drain.ended_ns >= now.view.draining_since_ns;
  return drain_json({now.view, now.verdict, now.port, config_, now.clients, now.now_ns}, good,
                    told && !text(drain.message).empty() ? std::string(text(drain.message)) : otherwise);
}

std::optional<HttpResponse> ProbeService::handle(const HttpRequest& request) {
  struct Endpoint {
    const char* path;
    Probe Verdict::*probe;
    const char* name;
  };
  static constexpr Endpoint kProbes[] = {{"/healthz/started", &Verdict::started, "startup"},
                                         {"/healthz/ready", &Verdict::ready, "readiness"},
                                         {"/healthz/live", &Verdict::live, "liveness"}};
  const Endpoint* endpoint = nullptr;
  for (const Endpoint& candidate : kProbes) {
    if (request.path == candidate.path) endpoint = &candidate;
  }
  const bool is_status = request.path == "/status";
  const bool is_metrics = request.path == "/metrics";
  if (endpoint == nullptr && !is_status && !is_metrics) {
    return json(404,
                error_json("there is no " + request.path +
                           "; see /healthz/started, /healthz/ready, /healthz/live, /status, /metrics and /shutdown"));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse refused = json(405, error_json(request.path + " takes GET and HEAD"));
    refused.headers.push_back({"Allow", "GET, HEAD"});
    return refused;
  }
  Snapshot now = look();
  const std::shared_ptr<Segment> current = is_status || is_metrics ? segment() : nullptr;
  // Only here: the members are many, and probes have no use for them.
  if (current) read_members(*current, boot_id_, now.view);
  if (current && is_metrics) read_hostgroups(*current, boot_id_, now.view);
  if (current) read_jobs(*current, boot_id_, now.now_ns, now.view);
  const StatusInput input{now.view, now.verdict, now.port, config_, now.clients, now.now_ns};
  if (is_status) return json(200, status_json(input));
  if (is_metrics) {
    const HttpCounters counters = server_ != nullptr ? server_->counters() : HttpCounters{};
    return HttpResponse{200, render_metrics({input, counters, started_realtime_ns_}), kMetricsContentType};
  }
  const Probe& probe = now.verdict.*(endpoint->probe);
  return json(probe.passes ? 200 : 503, probe_json(input, probe, endpoint->name));
}

}  // namespace pulse
