#include "shm/status/status_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "shm/record/applied.h"
#include "shm/record/core_record.h"
#include "shm/record/drain_estimate.h"
#include "shm/record/fork_cost.h"
#include "shm/record/leadership.h"
#include "shm/segment/names.h"
#include "shm/status/json_object.h"
#include "shm/status/member_json.h"
#include "shm/status/port_json.h"
#include "src/base/rfc3339.h"

namespace pulse {

namespace {

using Json = nlohmann::ordered_json;

// Names and messages come from ProxySQL, MySQL or a file: whatever bytes they hold, the answer is valid JSON.
std::string dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Json heartbeat(const StatusInput& input) {
  const BeatRecord& record = input.view.record;
  const Ended last = record.history_count == 0 ? Ended{} : record.history[(record.history_count - 1) % kHistory];
  const bool running = input.view.attempt_open;
  const Phase phase = running ? phase_of(input.view.marks, input.view.attempt.id)
                      : last.phase <= static_cast<uint8_t>(Phase::publish) ? static_cast<Phase>(last.phase)
                                                                           : Phase::none;
  const Outcome outcome =
      last.outcome <= static_cast<uint8_t>(Outcome::overdue) ? static_cast<Outcome>(last.outcome) : Outcome::none;
  const int64_t next = record.next_attempt_ns - input.now_ns;
  return json_object(
      {{"age_ms", age_ms(input.view.last_beat_ns, input.now_ns)},
       {"outcome", name(outcome)},
       {"phase", name(phase)},
       {"running", running},
       {"duration_ms", static_cast<double>(last.duration_ns / 1000) / 1000.0},
       {"consecutive_timeouts", record.consecutive_timeouts},
       {"next_attempt_in_ms", record.next_attempt_ns == 0 ? 0 : std::max<int64_t>(0, next / 1'000'000)}});
}

// Of clients and backends PostgreSQL's part, as a beat saw them last; null where ProxySQL doesn't serve it.
Json pgsql(const Observation& seen) {
  if (seen.serves_pgsql == 0) return nullptr;
  return json_object({{"clients", seen.pgsql_clients}, {"backends", backends_json(seen.pgsql_backends)}});
}

Json common(const StatusInput& input, bool passes, const std::string& message, const char* probe_name) {
  return json_object({{"status", passes ? "ok" : "unhealthy"},
                      {"message", message},
                      {"probe", probe_name},
                      {"draining", input.verdict.state == State::draining},
                      {"clients", input.clients < 0 ? Json(nullptr) : Json(input.clients)},
                      {"clients_age_ms", age_ms(input.clients_at_ns, input.now_ns)},
                      {"backends", backends_json(input.view.observation.backends)},
                      {"mysql", protocol_json(input, "mysql")},
                      {"pgsql", protocol_json(input, "pgsql")},
                      {"state", name(input.verdict.state)},
                      {"heartbeat", heartbeat(input)},
                      {"observed_age_ms", age_ms(input.view.observation.at_ns, input.now_ns)},
                      {"mysql_port_age_ms", age_ms(input.port.looked_at_ns, input.now_ns)}});
}

Json counters(const StateView& view) {
  const BeatRecord& record = view.record;
  // Attempts are numbered: the newest number is the count of those that started.
  return Json{{"started", std::max(record.attempt, view.attempt.id)},
              {"ok", record.ok},
              {"failed", record.failed},
              {"timed_out", record.timed_out},
              {"skipped_busy", view.skipped_busy},
              {"skipped_backoff", view.skipped_backoff},
              {"killed_overdue", record.killed_overdue}};
}

Json history(const StatusInput& input) {
  const BeatRecord& record = input.view.record;
  Json list = Json::array();
  const uint32_t count = std::min<uint32_t>(record.history_count, kHistory);
  for (uint32_t i = 0; i < count; ++i) {
    const Ended& ended = record.history[(record.history_count - 1 - i) % kHistory];
    list.push_back(
        {{"age_ms", age_ms(ended.at_ns, input.now_ns)},
         {"outcome", ended.outcome <= static_cast<uint8_t>(Outcome::overdue) ? name(static_cast<Outcome>(ended.outcome))
                                                                             : "unknown"},
         {"phase",
          ended.phase <= static_cast<uint8_t>(Phase::publish) ? name(static_cast<Phase>(ended.phase)) : "unknown"},
         {"exit_code", ended.exit_code},
         {"duration_ms", static_cast<double>(ended.duration_ns / 1000) / 1000.0},
         {"writes", ended.writes}});
  }
  return list;
}

// Null where no beat may look into ProxySQL's process.
Json memory(const ProcessMemory& memory) {
  if (memory.resident_kb == 0) return nullptr;
  return Json{{"resident_bytes", memory.resident_kb << 10},
              {"page_table_bytes", memory.page_table_kb << 10},
              {"huge_page_bytes", memory.huge_kb << 10},
              {"scheduler_run_stall_ms", fork_cost_ms(memory)}};
}

Json proxysql(const StatusInput& input) {
  const Observation& seen = input.view.observation;
  Json modules = Json::array();
  for (uint32_t i = 0; i < std::min<uint32_t>(seen.modules_count, kModules); ++i) {
    const Module& module = seen.modules[i];
    modules.push_back(
        {{"name", text(module.name)},
         {"version", module.version},
         {"epoch", module.epoch},
         {"checksum", text(module.checksum)},
         {"differing_cores", module.differing_peers},
         {"differing_at_equal_epochs", module.equal_epochs},
         {"differing_and_older", module.older_peers},
         {"differing_at_version_1", module.unloaded_peers},
         {"differs_for_ms", age_ms(module.differing_peers == 0 ? 0 : module.differs_since_ns, input.now_ns)},
         {"origin", name(static_cast<ModuleOrigin>(module.origin))},
         {"peers_checksum", text(module.peers_checksum)},
         {"stuck_for_ms", age_ms(module.stuck_since_ns, input.now_ns)}});
  }
  Json servers = Json::array();
  for (uint32_t i = 0; i < std::min<uint32_t>(seen.peers_count, kPeers); ++i) {
    const Peer& peer = seen.peers[i];
    servers.push_back({{"hostname", text(peer.hostname)},
                       {"port", peer.port},
                       {"in_memory", peer.in_memory != 0},
                       {"in_runtime", peer.in_runtime != 0},
                       {"live", peer.live != 0},
                       {"last_checked_at", peer.updated_at == 0 ? Json(nullptr) : Json(peer.updated_at)}});
  }
  return Json{{"version", text(seen.version)},
              {"uptime_ms", age_ms(seen.proxysql_started_ns, input.now_ns)},
              {"globals_age_ms", age_ms(seen.globals_ns, input.now_ns)},
              {"configured", seen.configured != 0},
              {"listener_paused", seen.listener_paused != 0},
              {"pgsql", pgsql(seen)},
              {"memory", memory(seen.memory)},
              {"cluster_user_set", seen.no_cluster_user == 0},
              {"live_cores", seen.live_peers},
              {"proxysql_servers_total", seen.peers_count},
              {"proxysql_servers", servers},
              {"modules", modules},
              {"modules_left_out", seen.modules_left_out}};
}

// Null if no beat of this boot of the machine has looked.
Json hostgroups(const StatusInput& input) {
  const Hostgroups& seen = input.view.hostgroups;
  if (seen.at_ns == 0) return nullptr;
  Json list = Json::array();
  for (uint32_t i = 0; i < std::min<uint32_t>(seen.count, kHostgroups); ++i) {
    const Hostgroup& one = seen.hostgroups[i];
    list.push_back({{"id", one.id},
                    {"protocol", one.pgsql == 0 ? "mysql" : "pgsql"},
                    {"online", one.online},
                    {"shunned", one.shunned},
                    {"offline", one.offline}});
  }
  return Json{{"age_ms", age_ms(seen.at_ns, input.now_ns)},
              {"total", seen.count},
              {"without_online", seen.without_online},
              {"list", list}};
}

Json membership(const StatusInput& input) {
  const Dispute& dispute = input.view.core.dispute;
  const bool differs = dispute.agrees_ns == 0;
  return Json{{"disputed", dispute.stopped_ns != 0},
              {"disputed_for_ms", age_ms(dispute.stopped_ns, input.now_ns)},
              {"loads_undone", dispute.undone},
              {"difference", differs ? std::string(text(dispute.difference)) : ""}};
}

Json authority(const StatusInput& input) {
  const CoreRecord& core = input.view.core;
  Json stamps = Json::array();
  for (uint32_t i = 0; i < std::min<uint32_t>(core.stamps_count, kModules); ++i) {
    const Stamp& stamp = core.stamps[i];
    stamps.push_back({{"module", text(stamp.name)},
                      {"checksum", text(stamp.checksum)},
                      {"epoch", stamp.epoch},
                      {"age_ms", age_ms(stamp.at_ns, input.now_ns)},
                      {"loads", stamp.loads},
                      {"settled", stamp.settled != 0}});
  }
  return Json{{"standing", name(static_cast<Standing>(core.standing))},
              {"reason", text(core.reason)},
              {"waiting", core.waiting != 0},
              {"boot_age_ms", age_ms(core.proxysql_started_ns, input.now_ns)},
              {"loaded", stamps}};
}

std::string hex(const Content& content) {
  char shown[33];
  std::snprintf(shown, sizeof shown, "%016llx%016llx", static_cast<unsigned long long>(content.high),
                static_cast<unsigned long long>(content.low));
  return shown;
}

Json applied_files(const StatusInput& input, std::string_view module) {
  Json list = Json::array();
  const AppliedModule* known = input.view.applied ? find_applied(*input.view.applied, module) : nullptr;
  if (known == nullptr) return list;
  for (size_t i = 0; i < std::min<size_t>(known->count, kAppliedFiles); ++i) {
    const AppliedFile& file = known->files[i];
    list.push_back({{"content", hex(file.content)}, {"revision", file.revision}, {"at", rfc3339(file.at)}});
  }
  return list;
}

// The daemons of the other cores read `modules[].name` and `applied`, and nothing else.
Json core_files(const StatusInput& input) {
  const CoreRecord& core = input.view.core;
  Json modules = Json::array();
  const auto add = [&](std::string_view module, const CoreModule* own) {
    const CoreModule none{};
    const CoreModule& file = own == nullptr ? none : *own;
    modules.push_back({{"name", module},
                       {"content", file.content == Content{} ? Json(nullptr) : Json(hex(file.content))},
                       {"state", name(static_cast<FileState>(file.state))},
                       {"why", text(file.why)},
                       {"kept_at_version_1", text(file.kept)},
                       {"refused", is_refused(file) ? text(file.refused) : ""},
                       {"applied", applied_files(input, module)}});
  };
  for (size_t i = 0; i < std::min<size_t>(core.modules_count, kCoreModules); ++i) {
    add(text(core.modules[i].name), &core.modules[i]);
  }
  const size_t known = input.view.applied ? std::min<size_t>(input.view.applied->count, kModules) : 0;
  for (size_t i = 0; i < known; ++i) {
    const std::string_view module = text(input.view.applied->modules[i].name);
    if (find_core_module(core, module) == nullptr) add(module, nullptr);
  }
  const std::string why(text(input.view.discovery.no_revisions));
  const RevisionKind kind = kind_of(core.revision);
  return Json{{"revision", core.revision},
              {"revision_from", kind == RevisionKind::revision  ? "workload"
                                : kind == RevisionKind::created ? "pod creation time" + (why.empty() ? "" : ": " + why)
                                                                : "none"},
              {"modules", modules}};
}

Json discovery(const StatusInput& input) {
  const Discovery& state = input.view.discovery;
  return Json{{"source", name(static_cast<Source>(state.source))},
              {"ok_age_ms", age_ms(state.ok_ns, input.now_ns)},
              {"looked_age_ms", age_ms(state.looked_ns, input.now_ns)},
              {"failing_for_ms", age_ms(state.failing_since_ns, input.now_ns)},
              {"failures", state.failures},
              {"error", text(state.error)},
              {"members_left_out", state.members_left_out}};
}

// What the daemon has heard of the other cores' daemons.
Json peer_reports(const StatusInput& input) {
  if (!input.view.peer_reports) return nullptr;
  const PeerReports& reports = *input.view.peer_reports;
  return Json{{"round_age_ms", age_ms(reports.round_ns, input.now_ns)},
              {"cores", reports.cores},
              {"answered", reports.answered},
              {"older", reports.silent},
              {"failing_for_ms", age_ms(reports.failing_ns, input.now_ns)},
              {"error", text(reports.error)}};
}

Json leader(const StatusInput& input) {
  const LeaderState& state = input.view.leader;
  const bool is_self = state.boot_id != 0 && input.now_ns < state.valid_until_ns;
  return Json{{"mode", name(static_cast<LeaderMode>(state.mode))},
              {"is_self", is_self},
              {"holder", text(state.holder)},
              {"valid_for_ms", is_self ? Json((state.valid_until_ns - input.now_ns) / 1'000'000) : Json(nullptr)},
              {"known_age_ms", age_ms(state.renewed_ns, input.now_ns)},
              {"transitions", state.transitions},
              {"failing_for_ms", age_ms(state.failing_since_ns, input.now_ns)},
              {"failures", state.failures},
              {"error", text(state.error)}};
}

Json jobs(const StatusInput& input) {
  Json list = Json::array();
  for (const JobView& job : input.view.jobs) {
    const JobState& state = job.state;
    Json counts = {{"started", state.run}};
    for (size_t i = 1; i < kJobOutcomes; ++i) counts[name(static_cast<JobOutcome>(i))] = state.outcomes[i];
    counts["skipped_busy"] = job.skipped_busy;
    counts["skipped_not_leader"] = job.skipped_not_leader;
    list.push_back({{"name", text(state.name)},
                    {"running", job.running},
                    {"running_for_ms", job.running ? age_ms(state.began_ns, input.now_ns) : Json(nullptr)},
                    {"leader_only", state.leader_only != 0},
                    {"outcome", name(outcome_of(state))},
                    {"exit_code", state.exit_code},
                    {"message", text(state.message)},
                    {"last_line", text(state.last_line)},
                    {"age_ms", age_ms(state.ended_ns, input.now_ns)},
                    {"duration_ms", static_cast<double>(state.duration_ns / 1000) / 1000.0},
                    {"last_ok_age_ms", age_ms(state.last_ok_ns, input.now_ns)},
                    {"skipped_age_ms", age_ms(job.skipped_ns, input.now_ns)},
                    {"output_bytes", state.output_bytes},
                    {"output_not_shown", state.output_not_shown},
                    {"consecutive_failures", state.consecutive_failures},
                    {"counters", counts}});
  }
  return list;
}

Json drain(const StatusInput& input) {
  const DrainRecord& record = input.view.drain;
  if (record.number == 0) return nullptr;
  const auto count = [](int64_t number) { return number < 0 ? Json(nullptr) : Json(number); };
  const bool ended = record.ended_ns >= record.began_ns;
  return Json{
      {"number", record.number},
      {"phase", name(static_cast<DrainPhase>(record.phase))},
      {"outcome", name(static_cast<DrainOutcome>(record.outcome))},
      {"message", text(record.message)},
      {"began_ms_ago", age_ms(record.began_ns, input.now_ns)},
      {"took_ms", ended ? Json((record.ended_ns - record.began_ns) / 1'000'000) : Json(nullptr)},
      {"left_ms", ended ? Json(nullptr) : Json(std::max<int64_t>(0, record.deadline_ns - input.now_ns) / 1'000'000)},
      {"shuts_down", record.stops != 0},
      {"clients_first", count(record.clients_first)},
      {"clients", count(record.clients)},
      {"clients_age_ms", age_ms(record.clients_at_ns, ended ? record.ended_ns : input.now_ns)},
      {"way", name(static_cast<DrainWay>(record.way))},
      {"way_reason", reason(static_cast<DrainWay>(record.way))},
      {"wait_timeout_ms", count(record.lowered_to_ms)},
      {"sessions_closed", record.closed},
      {"estimate_ms", count(record.estimate_ms)},
      {"will_cut", count(record.will_cut)},
      {"paused", record.paused != 0},
      {"admin_unresponsive", record.admin_unresponsive != 0}};
}

}  // namespace

std::string probe_json(const StatusInput& input, const Probe& probe, const char* probe_name) {
  return dump(common(input, probe.passes, probe.message, probe_name), -1);
}

std::string drain_json(const StatusInput& input, bool good, const std::string& message) {
  const DrainRecord& record = input.view.drain;
  return dump(Json{{"status", good ? "ok" : "error"},
                   {"message", message},
                   {"draining", input.verdict.state == State::draining},
                   {"clients", record.clients < 0 || record.number == 0 ? Json(nullptr) : Json(record.clients)},
                   {"drain", drain(input)}},
              -1);
}

std::string status_json(const StatusInput& input) {
  const Verdict& verdict = input.verdict;
  const StateView& view = input.view;
  Json json = common(input, verdict.ready.passes, verdict.message, "status");
  json["version"] = PULSE_VERSION;
  json["role"] = input.config.role_name();
  const auto probe = [](const Probe& from) { return Json{{"passes", from.passes}, {"message", from.message}}; };
  json["probes"] = {
      {"started", probe(verdict.started)}, {"ready", probe(verdict.ready)}, {"live", probe(verdict.live)}};
  json["counters"] = counters(view);
  json["wedged_for_ms"] = age_ms(view.record.wedged_since_ns, input.now_ns);
  json["failing_for_ms"] = age_ms(view.record.failing_since_ns, input.now_ns);
  json["last_ok_age_ms"] = age_ms(view.record.last_ok_ns, input.now_ns);
  json["last_error"] = text(view.record.message);
  json["resync_pending"] = view.resync_pending;
  json["maintenance_since"] =
      view.maintenance_realtime_ns == 0 ? Json(nullptr) : Json(view.maintenance_realtime_ns / 1'000'000'000);
  json["drain"] = drain(input);
  const auto estimate = drain_estimate(input.config, view.observation);
  json["drain_estimate_ms"] = estimate ? Json(estimate->needed.count()) : Json(nullptr);
  json["drain_would_cut"] = estimate ? Json(estimate->cut) : Json(nullptr);
  json["mysql_port"] = mysql_port_json(input);
  json["pgsql_port"] = pgsql_port_json(input);
  json["proxysql"] = proxysql(input);
  json["hostgroups"] = hostgroups(input);
  if (input.config.is_core()) json["authority"] = authority(input);
  if (input.config.is_core()) json["membership"] = membership(input);
  if (input.config.is_core()) json["core_files"] = core_files(input);
  json["discovery"] = discovery(input);
  if (input.config.is_core()) json["peer_reports"] = peer_reports(input);
  json["leader"] = leader(input);
  json["jobs"] = jobs(input);
  json["history"] = history(input);
  json["segment"] = {{"path", input.config.state},
                     {"problem", view.problem.empty() ? view.absent : view.problem},
                     {"lock_problem", view.lock_problem},
                     {"bytes", sizeof(Layout)}};
  json["settings"] = {{"interval_ms", input.config.beat.interval.count()},
                      {"timeout_ms", input.config.beat.timeout.count()},
                      {"backoff_max_ms", input.config.beat.backoff_max.count()},
                      {"live_after_ms", input.config.daemon.live_after.count()}};
  std::string out = dump(json, 2);
  out.resize(out.size() - 2);  // the closing brace comes after the members
  if (input.config.is_core()) out.append(",\n  \"satellites\": ").append(satellites_json(input));
  out.append(",\n  \"members\": ").append(members_json(input)).append("\n}\n");
  return out;
}

std::string error_json(const std::string& message) { return dump(Json{{"status", "error"}, {"message", message}}, -1); }

}  // namespace pulse
