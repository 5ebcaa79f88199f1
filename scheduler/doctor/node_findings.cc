// Of this node without its admin interface: configuration, segment, health, daemon, drain.
#include <algorithm>

#include "scheduler/doctor/findings.h"
#include "shm/record/core_record.h"
#include "shm/record/drain_estimate.h"
#include "shm/record/fork_cost.h"
#include "shm/segment/names.h"
#include "shm/status/protocol_parts.h"
#include "src/base/number.h"
#include "src/base/show.h"
#include "src/config/client_ports.h"
#include "src/config/drain_steps.h"
#include "src/linux/interfaces.h"

namespace pulse {

namespace {

int64_t mysql_threads(const Examined& all) {
  const auto threads = all.admin.variables.find("mysql-threads");
  return threads == all.admin.variables.end() ? 0 : to_number<int64_t>(threads->second).value_or(0);
}

Finding port_finding(const DaemonSettings& daemon, const ProtocolPart& part) {
  const std::string protocol = part.name;
  const std::string subject = protocol + " port";
  std::string port;
  for (const MysqlInterface& one : protocol == "mysql" ? daemon.mysql_interfaces : pgsql_ports(daemon)) {
    port += (port.empty() ? "" : ", ") + show(one);
  }
  const std::string silence = port + " doesn't answer: " + part.port->reason;
  if (part.port->answers) {
    return {Severity::ok, subject,
            port + (part.clients < 0 ? "" : ", " + counted(static_cast<uint64_t>(part.clients), "client"))};
  }
  if (!part.served) return {Severity::ok, subject, silence + "; this node doesn't serve that protocol"};
  return {Severity::critical, subject, silence,
          "clients can't connect, or ProxySQL's " + protocol + "-interfaces names another port",
          "see whether ProxySQL runs, and which of its ports is meant: daemon." + protocol + "_port in the file"};
}

}  // namespace

Findings configuration_findings(const Examined& all) {
  Findings list;
  const std::string subject = "configuration";
  if (!all.file_error.empty()) {
    list.push_back({Severity::critical, subject, all.file_error,
                    "beats and daemon can't read it either: a daemon that runs goes on with what it has read, nothing "
                    "new starts",
                    "mend the file, then see proxysql-pulse check-config"});
    return list;
  }
  if (!all.grace_problem.empty()) {
    list.push_back({Severity::critical, "grace", all.grace_problem, "", ""});
  }
  for (const std::string& advice : all.advice) list.push_back({Severity::warning, subject, advice, "", ""});
  const CoreRecord& core = all.node.view.core;
  for (size_t i = 0; i < std::min<size_t>(core.modules_count, kCoreModules); ++i) {
    const CoreModule& module = core.modules[i];
    if (!is_refused(module)) continue;
    list.push_back({Severity::warning, std::string(text(module.name)),
                    "ProxySQL hasn't taken all of the file's: " + std::string(text(module.refused)),
                    "the variable is as it was, on every node that takes this core's",
                    "ProxySQL's log says why; mend or remove it in the file"});
  }
  if (list.empty()) list.push_back({Severity::ok, subject, all.node.config.file});
  return list;
}

Findings segment_findings(const Examined& all) {
  Findings list;
  const StateView& view = all.node.view;
  const std::string subject = "state segment";
  if (!view.problem.empty()) {
    // A beat makes the segment: the first one may be still to come.
    list.push_back({Severity::critical, subject, view.problem,
                    "status and the probes know nothing of this node's beats, and beats can't back off", ""});
    return list;
  }
  if (!view.absent.empty()) {
    list.push_back({Severity::warning, subject, view.absent, "no beat has come yet", ""});
    return list;
  }
  if (!view.lock_problem.empty()) {
    list.push_back({Severity::warning, "lock", view.lock_problem, "", ""});
  }
  if (list.empty()) list.push_back({Severity::ok, subject, all.node.config.state});
  return list;
}

Findings health_findings(const Examined& all) {
  Findings list;
  const NodeStatus& node = all.node;
  const Verdict& verdict = node.verdict;
  const std::string state = std::string(name(verdict.state)) + ": " + verdict.message;
  const std::string subject = "beats";
  switch (verdict.state) {
    case State::beating:
      list.push_back({Severity::ok, subject, state});
      break;
    case State::starting:
      list.push_back({Severity::notice, subject, state, "", "wait for the next beat"});
      break;
    case State::failing:
      // A segment that can't be used has its own finding.
      if (node.view.problem.empty()) {
        list.push_back({Severity::critical, subject, state, "nothing is healed and no change of the file is loaded",
                        "mend what the message says; the next beat tries again by itself"});
      }
      break;
    case State::admin_unresponsive:
      break;  // the admin interface's own finding says all
    case State::scheduler_silent:
      list.push_back({Severity::critical, subject, state, "nothing is healed, and nobody knows how this node is",
                      "see what is said of the scheduler, and ProxySQL's log"});
      break;
    case State::draining:
      list.push_back({Severity::notice, subject, state, "", ""});
      break;
    case State::maintenance:
      list.push_back({Severity::notice, subject, state, "the readiness probe says 503", "maintenance off ends it"});
      break;
  }
  for (const ProtocolPart& part : protocol_parts(node.input())) {
    // Which port it is, the file says.
    if (part.port != nullptr && all.file_error.empty()) list.push_back(port_finding(node.config.daemon, part));
  }
  const Observation& seen = node.view.observation;
  if (seen.backends.total() != 0 && seen.backends.online == 0) {
    list.push_back({Severity::critical, "backends",
                    "none of " + counted(seen.backends.total(), "backend") + " is online", "every statement fails",
                    "see runtime_mysql_servers and the monitor's tables"});
  } else if (seen.backends.online < seen.backends.total()) {
    list.push_back(
        {Severity::notice, "backends",
         std::to_string(seen.backends.online) + " of " + counted(seen.backends.total(), "backend") + " online", "",
         "see runtime_mysql_servers"});
  }
  const double stall_ms = fork_cost_ms(seen.memory);
  if (stall_ms >= kDearForkMs && node.config.daemon.beats != BeatsMode::always) {
    list.push_back({Severity::warning, "scheduler",
                    "each run stalls clients for some " + std::to_string(static_cast<int64_t>(stall_ms)) + " ms",
                    "ProxySQL copies its page tables for each program that it starts",
                    "let the daemon start the beats (daemon.beats = \"always\"), see docs/costs.md"});
  }
  return list;
}

Findings daemon_findings(const Examined& all) {
  Findings list;
  const DaemonSeen& daemon = all.daemon;
  const std::string subject = "daemon";
  if (!daemon.asked) return list;
  if (!daemon.answers) {
    const bool was_there = all.node.view.start.looked_ns != 0 || all.node.view.discovery.looked_ns != 0;
    list.push_back({was_there ? Severity::warning : Severity::notice, subject,
                    "none answers at " + daemon.where + ": " + daemon.why,
                    "probes get no answer there, nobody looks for members, and no drain comes with a pod's end",
                    was_there ? "start proxysql-pulsed again, see its log"
                              : "start proxysql-pulsed, if this node is to have one"});
    return list;
  }
  const std::string own_version = PULSE_VERSION;
  if (daemon.version != own_version) {
    list.push_back(
        {Severity::warning, subject,
         "is version " + (daemon.version.empty() ? "unknown" : daemon.version) + ", this program " + own_version,
         "they may not read each other's state segment", "bring both to the same version"});
  }
  if (!daemon.state_path.empty() && daemon.state_path != all.node.config.state) {
    list.push_back({Severity::critical, subject,
                    "reads the state segment " + daemon.state_path + ", the beats' is " + all.node.config.state,
                    "its probes answer for another ProxySQL, or for none",
                    "give both the same file with --config, or the same --state"});
  }
  if (list.empty()) list.push_back({Severity::ok, subject, daemon.where + ", version " + daemon.version});
  return list;
}

Findings drain_findings(const Examined& all) {
  const NodeStatus& node = all.node;
  if (!all.file_error.empty() || node.clients < 0) return {};
  const DrainSettings& drain = node.config.drain;
  const milliseconds has = drain.timeout - kDrainStopReserve;
  std::string how = counted(static_cast<uint64_t>(node.clients), "client");
  if (all.process.idle_threads && node.clients > 0) how += ", --idle-threads";
  // Which of the clients rest isn't known here: all of them may.
  const milliseconds needs =
      estimate_drain({node.clients, all.process.idle_threads ? node.clients : 0, mysql_threads(all)},
                     {drain.settle, drain.timeout, node.config.is_core()}, kDrainStopReserve)
          .needed;
  const std::string what = "would need some " + show_span(nanoseconds(needs).count()) + " of its " +
                           show_span(nanoseconds(drain.timeout).count()) + " now (" + how + ")";
  if (needs <= has) return {{Severity::ok, "drain", what}};
  const auto enough = std::chrono::ceil<std::chrono::seconds>(needs + kDrainStopReserve);
  return {
      {Severity::warning, "drain", what,
       all.process.idle_threads
           ? "with --idle-threads ProxySQL closes 128 idle clients per thread every 2 s: those that are left are cut"
           : "clients that are left then are cut",
       "set drain.timeout_ms to " + std::to_string(milliseconds(enough).count()) +
           " or more, and terminationGracePeriodSeconds to " +
           std::to_string((enough + std::chrono::ceil<std::chrono::seconds>(kAroundDrain)).count()) +
           (all.process.idle_threads ? ", or start ProxySQL without --idle-threads" : "")}};
}

}  // namespace pulse
