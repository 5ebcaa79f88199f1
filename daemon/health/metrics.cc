#include "daemon/health/metrics.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "daemon/health/prometheus_text.h"
#include "shm/record/drain_estimate.h"
#include "shm/record/fork_cost.h"
#include "shm/record/leadership.h"
#include "shm/segment/names.h"
#include "shm/status/protocol_parts.h"
#include "src/base/host_port.h"
#include "src/config/modules.h"

namespace pulse {

namespace {

// Below: one function for each group of metrics, then the list of all groups.

void about_daemon(Exposition& out, const MetricsInput& input) {
  out.family("proxysql_pulse_build_info", "gauge", "Always 1; the version of proxysql-pulsed.");
  out.sample({{"version", PULSE_VERSION}}, 1);
  out.gauge("proxysql_pulse_process_start_time_seconds", "When proxysql-pulsed started, in seconds since 1970.",
            Seconds(input.started_realtime_ns));
  out.family("proxysql_pulse_role", "gauge", "1 for the role that this node has.");
  for (const Role role : {Role::core, Role::satellite, Role::standalone}) {
    out.sample({{"role", name(role)}}, input.status.config.role == role);
  }
}

void health(Exposition& out, const MetricsInput& input) {
  const Verdict& verdict = input.status.verdict;
  static constexpr std::array kStates = {State::starting,           State::beating,          State::failing,
                                         State::admin_unresponsive, State::scheduler_silent, State::draining,
                                         State::maintenance};
  out.set("proxysql_pulse_state", "1 for the present state, as the probes report it.", "state", kStates, verdict.state);
  out.family("proxysql_pulse_probe_passes", "gauge", "1 if the probe answers 200, 0 if it answers 503.");
  out.sample({{"probe", "started"}}, verdict.started.passes);
  out.sample({{"probe", "ready"}}, verdict.ready.passes);
  out.sample({{"probe", "live"}}, verdict.live.passes);

  const StateView& view = input.status.view;
  out.family("proxysql_pulse_segment", "gauge",
             "1 for the condition of the state segment; absent: no beat has made it yet.");
  out.sample({{"condition", "usable"}}, view.problem.empty() && view.absent.empty());
  out.sample({{"condition", "absent"}}, view.problem.empty() && !view.absent.empty());
  out.sample({{"condition", "unusable"}}, !view.problem.empty());
}

void drain(Exposition& out, const MetricsInput& input) {
  const DrainRecord& record = input.status.view.drain;
  static constexpr std::array kPhases = {DrainPhase::none,  DrainPhase::lock, DrainPhase::settle, DrainPhase::close,
                                         DrainPhase::pause, DrainPhase::stop, DrainPhase::ended};
  static constexpr std::array kOutcomes = {DrainOutcome::stopped, DrainOutcome::drained, DrainOutcome::failed,
                                           DrainOutcome::undone};
  const bool in_effect =
      input.status.verdict.state == State::draining && record.began_ns >= input.status.view.draining_since_ns;
  out.set("proxysql_pulse_drain_phase",
          "1 for the phase of the drain that is in effect; none: none is, or it just begins.", "phase", kPhases,
          in_effect ? static_cast<DrainPhase>(record.phase) : DrainPhase::none);
  if (const auto estimate = drain_estimate(input.status.config, input.status.view.observation)) {
    out.gauge("proxysql_pulse_drain_estimate_seconds", "How long a drain that begins now would need.",
              Seconds(nanoseconds(estimate->needed).count()));
    out.gauge("proxysql_pulse_drain_would_cut_clients", "Clients that it couldn't move within drain.timeout_ms.",
              estimate->cut);
  }
  out.gauge("proxysql_pulse_drain_timeout_seconds", "What a drain has: drain.timeout_ms.",
            Seconds(nanoseconds(input.status.config.drain.timeout).count()));
  if (record.number == 0) return;
  out.set("proxysql_pulse_drain_outcome", "1 for what the last drain came to; 0 for all while it runs.", "outcome",
          kOutcomes, static_cast<DrainOutcome>(record.outcome));
  if (record.clients < 0) return;
  out.gauge("proxysql_pulse_drain_clients", "Clients when the last drain last looked; at its end, those that were cut.",
            record.clients);
}

void mysql_port(Exposition& out, const MetricsInput& input) {
  const PortView& port = input.status.port;
  if (port.known) {
    out.gauge("proxysql_pulse_mysql_port_answers", "1 if the MySQL port answers.", port.answers);
    out.age("proxysql_pulse_mysql_port_look_age_seconds", "Since the last look at the MySQL port.", port.looked_at_ns,
            input.status.now_ns);
  }
  if (input.status.clients >= 0) {
    out.gauge("proxysql_pulse_clients", "Connections of clients to ProxySQL's ports, of both protocols.",
              input.status.clients);
  }
}

// Each protocol apart; the metrics without a label are of both.
void protocols(Exposition& out, const MetricsInput& input) {
  const auto parts = protocol_parts(input.status);
  out.family("proxysql_pulse_protocol_served", "gauge", "1 if the node serves the protocol: ready needs its port.");
  for (const ProtocolPart& part : parts) out.sample({{"protocol", part.name}}, part.served);
  const auto each = [&](std::string_view family, std::string_view help, auto is_known, auto value) {
    if (std::none_of(parts.begin(), parts.end(), is_known)) return;
    out.family(family, "gauge", help);
    for (const ProtocolPart& part : parts) {
      if (is_known(part)) out.sample({{"protocol", part.name}}, value(part));
    }
  };
  each(
      "proxysql_pulse_protocol_port_answers", "1 if the protocol's port answers; no sample while nobody looks at it.",
      [](const ProtocolPart& part) { return part.port != nullptr && part.port->known; },
      [](const ProtocolPart& part) { return part.port->answers; });
  each(
      "proxysql_pulse_protocol_clients", "Connections of clients to the protocol's port.",
      [](const ProtocolPart& part) { return part.clients >= 0; },
      [](const ProtocolPart& part) { return part.clients; });
  if (input.status.view.observation.globals_ns == 0) return;
  out.family("proxysql_pulse_protocol_backends", "gauge",
             "Rows of runtime_mysql_servers or of runtime_pgsql_servers by status; offline: OFFLINE_SOFT and "
             "OFFLINE_HARD.");
  for (const ProtocolPart& part : parts) {
    out.sample({{"protocol", part.name}, {"status", "online"}}, part.backends.online);
    out.sample({{"protocol", part.name}, {"status", "shunned"}}, part.backends.shunned);
    out.sample({{"protocol", part.name}, {"status", "offline"}}, part.backends.offline);
  }
}

void http_server(Exposition& out, const MetricsInput& input) {
  out.counter("proxysql_pulse_log_lines_dropped_total", "Lines of the daemon's log that nobody read in time.",
              input.log_lines_dropped);
  const HttpCounters& http = input.http;
  out.counter("proxysql_pulse_http_connections_total", "Connections that the daemon's HTTP server has accepted.",
              http.accepted);
  out.gauge("proxysql_pulse_http_open_connections", "Connections to the daemon's HTTP server that are open now.",
            http.open);
  out.counter("proxysql_pulse_http_requests_total", "Complete requests to the daemon's HTTP server, of whatever path.",
              http.requests);
  out.counter("proxysql_pulse_http_connections_evicted_total",
              "Connections to the daemon's HTTP server that were closed to make room for others.", http.evicted);
  out.counter("proxysql_pulse_http_connections_cut_total",
              "Connections to the daemon's HTTP server that were closed at a deadline, idle ones included.", http.cut);
}

void beats(Exposition& out, const MetricsInput& input) {
  const StateView& view = input.status.view;
  const BeatRecord& record = view.record;
  out.family("proxysql_pulse_beats_total", "counter",
             "Beats by outcome; killed_overdue: stuck past the deadline and killed by a later beat.");
  out.sample({{"outcome", "ok"}}, record.ok);
  out.sample({{"outcome", "failed"}}, record.failed);
  out.sample({{"outcome", "timed_out"}}, record.timed_out - record.killed_overdue);
  out.sample({{"outcome", "killed_overdue"}}, record.killed_overdue);
  out.sample({{"outcome", "skipped_busy"}}, view.skipped_busy);
  out.sample({{"outcome", "skipped_backoff"}}, view.skipped_backoff);

  out.family("proxysql_pulse_beat_duration_seconds", "histogram",
             "How long beats took that weren't skipped, whatever their outcome.");
  uint64_t count = 0;
  for (size_t i = 0; i < record.durations.size(); ++i) {
    count += record.durations[i];
    const bool bounded = i < kDurationBoundsNs.size();
    const Digits bound(Seconds(bounded ? kDurationBoundsNs[i] : 0));
    out.sample({{"le", bounded ? bound.text() : "+Inf"}}, count, "_bucket");
  }
  out.sample({}, Seconds(record.duration_ns), "_sum");
  out.sample({}, count, "_count");

  out.age("proxysql_pulse_heartbeat_age_seconds", "Since the last beat, also a skipped one.", view.last_beat_ns,
          input.status.now_ns);
  out.age("proxysql_pulse_last_ok_age_seconds", "Since the last beat that went through.", record.last_ok_ns,
          input.status.now_ns);
}

void failures(Exposition& out, const MetricsInput& input) {
  const BeatRecord& record = input.status.view.record;
  const int64_t now_ns = input.status.now_ns;
  const auto since = [now_ns](int64_t stamp_ns) { return Seconds(stamp_ns == 0 ? 0 : now_ns - stamp_ns); };
  out.gauge("proxysql_pulse_consecutive_failures", "Beats in a row that failed or timed out.",
            record.consecutive_failures);
  out.gauge("proxysql_pulse_failing_seconds",
            "Since the first beat of the present row of failures and timeouts; 0: none.",
            since(record.failing_since_ns));
  out.gauge("proxysql_pulse_consecutive_timeouts", "Beats in a row that timed out.", record.consecutive_timeouts);
  out.gauge("proxysql_pulse_wedged_seconds", "Since the first beat of the present row of timeouts; 0: none.",
            since(record.wedged_since_ns));
  out.gauge("proxysql_pulse_backoff_remaining_seconds", "Until back-off lets a beat try again; 0: the next one may.",
            Seconds(record.next_attempt_ns == 0 ? 0 : record.next_attempt_ns - now_ns));
}

void proxysql(Exposition& out, const MetricsInput& input) {
  const Observation& seen = input.status.view.observation;
  const int64_t now_ns = input.status.now_ns;
  if (seen.at_ns == 0) return;
  out.age("proxysql_pulse_observation_age_seconds", "Since a beat last saw ProxySQL.", seen.at_ns, now_ns);
  out.gauge("proxysql_pulse_configured", "1 if ProxySQL has received a configuration, from a core or its file.",
            seen.configured != 0);
  out.gauge("proxysql_pulse_live_cores", "Rows of proxysql_servers that ProxySQL's own checks reach.", seen.live_peers);
  out.gauge("proxysql_pulse_proxysql_servers", "Rows of proxysql_servers, in memory or at runtime.", seen.peers_count);
  if (seen.memory.resident_kb != 0) {
    constexpr double kHourMs = 3'600'000;  // as much as somebody who scribbles over the segment may say
    const double stall_ms = std::clamp(fork_cost_ms(seen.memory), 0.0, kHourMs);
    out.gauge("proxysql_pulse_proxysql_resident_bytes", "ProxySQL's resident memory.", seen.memory.resident_kb << 10);
    out.gauge("proxysql_pulse_proxysql_page_table_bytes",
              "ProxySQL's page tables; what is in reserve for huge pages isn't copied by a fork.",
              seen.memory.page_table_kb << 10);
    out.gauge("proxysql_pulse_scheduler_run_stall_seconds",
              "For how long one run of ProxySQL's scheduler stalls its clients, reckoned from its page tables.",
              Seconds(static_cast<int64_t>(stall_ms * 1'000'000)));
  }
  if (seen.globals_ns == 0) return;
  out.age("proxysql_pulse_globals_age_seconds",
          "Since a beat last saw ProxySQL's version, uptime, clients and backends; usually up to 10.", seen.globals_ns,
          now_ns);
  out.family("proxysql_pulse_proxysql_info", "gauge", "Always 1; the version of ProxySQL.");
  out.sample({{"version", text(seen.version)}}, 1);
  out.gauge("proxysql_pulse_proxysql_uptime_seconds", "ProxySQL's uptime when it was last seen.",
            Seconds(seen.globals_ns - seen.proxysql_started_ns));
  out.gauge("proxysql_pulse_listener_paused", "1 after PROXYSQL PAUSE.", seen.listener_paused != 0);
}

void backends(Exposition& out, const MetricsInput& input) {
  const Observation& seen = input.status.view.observation;
  if (seen.globals_ns == 0) return;
  out.family(
      "proxysql_pulse_backends", "gauge",
      "Rows of runtime_mysql_servers and runtime_pgsql_servers by status; offline: OFFLINE_SOFT and OFFLINE_HARD.");
  out.sample({{"status", "online"}}, seen.backends.online);
  out.sample({{"status", "shunned"}}, seen.backends.shunned);
  out.sample({{"status", "offline"}}, seen.backends.offline);

  const Hostgroups& hostgroups = input.status.view.hostgroups;
  const uint32_t shown = std::min<uint32_t>(hostgroups.count, kHostgroups);
  if (hostgroups.at_ns == 0) return;
  out.family(
      "proxysql_pulse_hostgroup_backends", "gauge",
      "Rows of runtime_mysql_servers and runtime_pgsql_servers by hostgroup, protocol and status, of 64 hostgroups: "
      "MySQL's with the lowest numbers first.");
  for (uint32_t i = 0; i < shown; ++i) {
    const Hostgroup& hostgroup = hostgroups.hostgroups[i];
    const std::string id = std::to_string(hostgroup.id);
    const char* const protocol = hostgroup.pgsql == 0 ? "mysql" : "pgsql";
    out.sample({{"hostgroup", id}, {"protocol", protocol}, {"status", "online"}}, hostgroup.online);
    out.sample({{"hostgroup", id}, {"protocol", protocol}, {"status", "shunned"}}, hostgroup.shunned);
    out.sample({{"hostgroup", id}, {"protocol", protocol}, {"status", "offline"}}, hostgroup.offline);
  }
  out.gauge("proxysql_pulse_hostgroups", "Hostgroups with backends, all of them.", hostgroups.count);
  out.gauge("proxysql_pulse_hostgroups_without_online", "Hostgroups none of whose backends is ONLINE, of all.",
            hostgroups.without_online);
  out.gauge("proxysql_pulse_hostgroups_left_out", "Hostgroups beyond the 64 that have metrics of their own.",
            hostgroups.count - shown);
}

void modules(Exposition& out, const MetricsInput& input) {
  const Observation& seen = input.status.view.observation;
  const uint32_t count = std::min<uint32_t>(seen.modules_count, kModules);
  if (count == 0) return;
  out.family("proxysql_pulse_module_differing_cores", "gauge",
             "Live cores whose checksum of the module differs from this node's.");
  for (uint32_t i = 0; i < count; ++i) {
    out.sample({{"module", text(seen.modules[i].name)}}, seen.modules[i].differing_peers);
  }
  // Up to the last look: whether it still differs isn't known after that.
  out.family("proxysql_pulse_module_differs_seconds", "gauge",
             "For how long the module had differed when ProxySQL was last seen; 0: it didn't.");
  for (uint32_t i = 0; i < count; ++i) {
    const Module& module = seen.modules[i];
    const Seconds span(module.differing_peers == 0 ? 0 : seen.at_ns - module.differs_since_ns);
    out.sample({{"module", text(module.name)}}, span);
  }
}

// A satellite says for how long; the core that asks them says of whom it knows, and what it does.
void divergence(Exposition& out, const MetricsInput& input) {
  const Observation& seen = input.status.view.observation;
  if (seen.modules_count != 0) {
    out.family("proxysql_pulse_module_stuck_seconds", "gauge",
               "A satellite: for how long it has had its own content of the module, which no core's is newer than, so "
               "that it pulls no more; 0: it does.");
    for (uint32_t i = 0; i < std::min<uint32_t>(seen.modules_count, kModules); ++i) {
      const Module& module = seen.modules[i];
      if (find_row_module(text(module.name)) == nullptr) continue;
      const Seconds span(module.stuck_since_ns == 0 ? 0 : seen.at_ns - module.stuck_since_ns);
      out.sample({{"module", text(module.name)}}, span);
    }
  }
  if (!input.status.config.is_core() || !input.status.view.satellites) return;
  const SatelliteReports& reports = *input.status.view.satellites;
  out.gauge("proxysql_pulse_satellites_asked", "The core that asks satellites: of how many it knows the state.",
            reports.answered);
  out.gauge("proxysql_pulse_satellite_modules_stuck",
            "The core that asks satellites: modules of satellites that pull no more, all of them.",
            reports.count + reports.left_out);
  if (reports.count == 0) return;
  out.family(
      "proxysql_pulse_satellite_mends", "gauge",
      "The core that asks satellites: loads of the module for a satellite that pulls no more; 3: no more is done.");
  for (uint32_t i = 0; i < std::min<uint32_t>(reports.count, kStuckModules); ++i) {
    const StuckModule& stuck = reports.modules[i];
    const Mend* const mend = find_mend(input.status.view, stuck);
    const std::string satellite = host_port_text(text(stuck.address), stuck.port);
    out.sample({{"satellite", satellite}, {"module", text(stuck.module)}}, mend == nullptr ? 0U : mend->loads);
  }
}

void authority(Exposition& out, const MetricsInput& input) {
  if (!input.status.config.is_core()) return;
  const CoreRecord& core = input.status.view.core;
  static constexpr std::array kStandings = {Standing::undecided, Standing::authority, Standing::aside};
  out.set("proxysql_pulse_authority", "A core: 1 for whether its configuration file is the authority in this boot.",
          "standing", kStandings, static_cast<Standing>(core.standing));
  out.gauge("proxysql_pulse_authority_waiting", "A core: 1 while modules of its file are still to be loaded.",
            core.waiting != 0);
  out.gauge("proxysql_pulse_membership_disputed",
            "A core: 1 while it takes nothing away from proxysql_servers, because other nodes undo its loads.",
            core.dispute.stopped_ns != 0);
}

void discovery(Exposition& out, const MetricsInput& input) {
  const Discovery& state = input.status.view.discovery;
  const auto source = static_cast<Source>(state.source);
  if (source == Source::none) return;
  out.family("proxysql_pulse_discovery_info", "gauge", "Always 1; where the list of members comes from.");
  out.sample({{"source", name(source)}}, 1);
  out.age("proxysql_pulse_discovery_age_seconds", "Since the list of members was last known to be right.", state.ok_ns,
          input.status.now_ns);
  out.gauge("proxysql_pulse_discovery_failing", "1 if the last look of discovery failed.", state.failing_since_ns != 0);
  out.counter("proxysql_pulse_discovery_failures_total", "Failed looks of discovery.", state.failures);
  out.gauge("proxysql_pulse_members_left_out",
            "Members that the list has no room for, satellites first; beats need its cores alone.",
            state.members_left_out);
}

void members(Exposition& out, const MetricsInput& input) {
  if (!input.status.view.members) return;
  const Members& list = *input.status.view.members;
  const Observation& seen = input.status.view.observation;
  uint64_t all[2] = {}, ready[2] = {}, in_table = 0, live = 0;
  for (uint32_t i = 0; i < std::min<uint32_t>(list.count, kMembers); ++i) {
    const Member& member = list.members[i];
    const size_t role = member.is_core != 0 ? 0 : 1;
    ++all[role];
    if (member.ready != 0) ++ready[role];
    const Peer* const peer = role == 0 ? find_peer(seen, member) : nullptr;
    if (peer != nullptr) ++in_table;
    if (peer != nullptr && peer->live != 0) ++live;
  }
  out.family("proxysql_pulse_members", "gauge", "Discovered members of the cluster by role.");
  out.sample({{"role", "core"}}, all[0]);
  out.sample({{"role", "satellite"}}, all[1]);
  out.family("proxysql_pulse_members_ready", "gauge",
             "Discovered members that are ready; where the source doesn't say, all are.");
  out.sample({{"role", "core"}}, ready[0]);
  out.sample({{"role", "satellite"}}, ready[1]);
  if (seen.at_ns == 0 || seen.peers_count > kPeers) return;  // which rows there are isn't known
  out.family("proxysql_pulse_members_in_proxysql_servers", "gauge",
             "Discovered cores that have a row in proxysql_servers; no sample if it has more than 64 rows.");
  out.sample({{"role", "core"}}, in_table);
  out.family("proxysql_pulse_members_live", "gauge",
             "Discovered cores that ProxySQL's own checks reach; no sample if proxysql_servers has more than 64 rows.");
  out.sample({{"role", "core"}}, live);
}

void leader(Exposition& out, const MetricsInput& input) {
  const LeaderState& state = input.status.view.leader;
  if (static_cast<LeaderMode>(state.mode) == LeaderMode::none) return;
  const Leadership now = leadership(state, state.boot_id, input.status.now_ns);
  out.gauge("proxysql_pulse_leader", "1 if this node is the leader of the nodes of its role.", now.is_self);
  out.gauge("proxysql_pulse_leader_known", "1 if it is known who the leader is.", now.is_self || now.other_leads);
}

// Its label is not "job", which Prometheus has for itself.
void jobs(Exposition& out, const MetricsInput& input) {
  const std::vector<JobView>& list = input.status.view.jobs;
  const int64_t now_ns = input.status.now_ns;
  if (list.empty()) return;
  const auto each = [&](std::string_view family, std::string_view help, auto value) {
    out.family(family, "gauge", help);
    for (const JobView& job : list) out.sample({{"name", text(job.state.name)}}, value(job));
  };
  out.family("proxysql_pulse_job_runs_total", "counter",
             "Runs of each job by outcome; skipped_busy, skipped_not_leader: starts that came to no run.");
  for (const JobView& job : list) {
    const std::string_view name = text(job.state.name);
    for (size_t i = 1; i < kJobOutcomes; ++i) {
      out.sample({{"name", name}, {"outcome", pulse::name(static_cast<JobOutcome>(i))}}, job.state.outcomes[i]);
    }
    out.sample({{"name", name}, {"outcome", "skipped_busy"}}, job.skipped_busy);
    out.sample({{"name", name}, {"outcome", "skipped_not_leader"}}, job.skipped_not_leader);
  }
  each("proxysql_pulse_job_running", "1 while the job runs.", [](const JobView& job) { return job.running; });
  each("proxysql_pulse_job_leader_only", "1 if the job, as last started, is for the leader alone.",
       [](const JobView& job) { return job.state.leader_only != 0; });
  each("proxysql_pulse_job_consecutive_failures",
       "Runs of the job in a row that failed; those that were stopped or lost the leader aside.",
       [](const JobView& job) { return job.state.consecutive_failures; });
  out.family("proxysql_pulse_job_last_duration_seconds", "gauge", "How long the job's last run took that has ended.");
  for (const JobView& job : list) {
    if (job.state.ended_run != 0) out.sample({{"name", text(job.state.name)}}, Seconds(job.state.duration_ns));
  }
  out.family("proxysql_pulse_job_last_ok_age_seconds", "gauge",
             "Since the job's last good run ended; no sample if there was none since the machine's boot.");
  for (const JobView& job : list) {
    if (job.state.last_ok_ns != 0) out.sample({{"name", text(job.state.name)}}, Seconds(now_ns - job.state.last_ok_ns));
  }
}

static_assert(kHostgroups == 64 && kPeers == 64, "help texts name these numbers");

using Group = void (*)(Exposition&, const MetricsInput&);
constexpr Group kAlways[] = {about_daemon, health, drain, mysql_port, protocols, http_server};
constexpr Group kFromTheSegment[] = {beats,     failures,  proxysql, backends, modules, divergence,
                                     authority, discovery, members,  leader,   jobs};

}  // namespace

std::string render_metrics(const MetricsInput& input) {
  Exposition out;
  for (const Group group : kAlways) group(out, input);
  const StateView& view = input.status.view;
  if (view.problem.empty() && view.absent.empty()) {
    for (const Group group : kFromTheSegment) group(out, input);
  }
  return out.take();
}

}  // namespace pulse
