// Of the admin interface: whether it answers, what it may hang on, and what its scheduler has.
#include <algorithm>
#include <cerrno>

#include "scheduler/doctor/findings.h"
#include "shm/segment/names.h"
#include "src/base/show.h"

namespace pulse {

namespace {

const std::string kAdminSubject = "admin interface";

std::string address_of(const Config& config) {
  return config.admin.host.front() == '/' ? config.admin.host
                                          : config.admin.host + ":" + std::to_string(config.admin.port);
}

// "ProxySQL (pid 12, 14 threads, 1 of them busy); connected there: mysql (pid 7), 10.0.0.3:4711"
std::string clues(const Examined& all) {
  std::string text;
  const ProcessSeen& process = all.process;
  if (process.found) {
    text = "; ProxySQL (pid " + std::to_string(process.pid) + ") has " + counted(process.threads, "thread") + ", " +
           (process.busy_threads == 0 ? "none of them busy" : std::to_string(process.busy_threads) + " of them busy");
  }
  std::string connected;
  for (const AdminConnection& connection : all.connections) {
    connected += (connected.empty() ? "" : ", ") +
                 (connection.program.empty() ? connection.from : connection.program + " from " + connection.from);
  }
  if (!connected.empty()) text += "; connected to it: " + connected;
  return text;
}

Finding unresponsive(const Examined& all, const std::string& what) {
  std::string means = "one statement holds the lock that all others wait for; clients of the MySQL port aren't touched";
  if (all.process.found) {
    means += all.process.busy_threads != 0
                 ? ". A busy thread: a long statement computes"
                 : ". No thread is busy: it waits for a peer, or for a lock that nobody gives "
                   "back";
  }
  return {Severity::critical, kAdminSubject, what + clues(all), means,
          "wait for a long statement's end; if it doesn't end, take this node out with proxysql-pulse drain, which "
          "needs no admin interface, and start ProxySQL anew. See docs/unresponsive-admin.md"};
}

std::string row_text(const ScheduledRow& row) {
  return "id " + row.id + ", every " + std::to_string(row.interval_ms) + " ms, " + row.filename;
}

const ScheduledRow* beat_row(const Examined& all, const char* place, bool active) {
  const auto& rows = all.admin.scheduler;
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const ScheduledRow& row) {
    return row.place == place && row.runs_beat() && (row.active || !active);
  });
  return found == rows.end() ? nullptr : &*found;
}

// What brings a row of the beat to runtime that isn't there.
Finding no_row(const Examined& all) {
  Finding finding{Severity::critical, "scheduler", "no active row runs \"proxysql-pulse beat\"", "no beat comes", ""};
  const std::string load = "LOAD SCHEDULER TO RUNTIME";
  const std::string save = "SAVE SCHEDULER TO DISK";
  if (const ScheduledRow* row = beat_row(all, "memory", true)) {
    finding.what += ": it is in memory alone (" + row_text(*row) + ")";
    finding.action = load + ", then " + save;
  } else if (const ScheduledRow* off = beat_row(all, "memory", false)) {
    finding.what += ": the row is inactive (" + row_text(*off) + ")";
    finding.action = "UPDATE scheduler SET active = 1 WHERE id = " + off->id + ", then " + load + ", " + save;
  } else if (all.file_has_beat_row) {
    finding.what += ", but the file has one";
    finding.means += ": ProxySQL runs on its proxysql.db, which wins over the file once it exists";
    finding.action = "LOAD SCHEDULER FROM CONFIG, then " + load + ", " + save;
  } else {
    finding.action =
        "add a row to the file's group scheduler (check-config shows it), then LOAD SCHEDULER FROM CONFIG, " + load +
        ", " + save;
  }
  return finding;
}

}  // namespace

std::string why_not_to_ask(const NodeStatus& node) {
  const StateView& view = node.view;
  // A segment of nobody or of another ProxySQL says nothing about this one.
  if (!view.problem.empty()) return "";
  if (node.verdict.state == State::admin_unresponsive) {
    return node.verdict.message.empty() ? "the last beats timed out" : node.verdict.message;
  }
  if (node.verdict.state == State::draining && view.drain.ended_ns < view.draining_since_ns) {
    return "a drain is under way, and PAUSE holds up what others ask";
  }
  if (view.attempt_open) {
    return "a beat has waited for an answer for " + show_span(node.now_ns - view.attempt.began_ns);
  }
  return "";
}

Findings admin_findings(const Examined& all) {
  Findings list;
  if (!all.file_error.empty()) return list;
  const AdminSeen& admin = all.admin;
  const std::string where = address_of(all.node.config);
  switch (admin.login) {
    case AdminSeen::Login::not_tried:
      if (all.node.verdict.state == State::draining) {
        list.push_back(
            {Severity::notice, kAdminSubject, "not asked: " + admin.why, "", "look again when the drain is over"});
      } else {
        std::string what = admin.why;
        const BeatRecord& record = all.node.view.record;
        if (record.history_count != 0) {
          const Ended& last = record.history[(record.history_count - 1) % kHistory];
          if (last.phase <= static_cast<uint8_t>(Phase::publish)) {
            what +=
                "; the last beat got as far as the phase \"" + std::string(name(static_cast<Phase>(last.phase))) + "\"";
          }
        }
        Finding finding = unresponsive(all, what);
        finding.what += ". Not asked again: each question leaves a blocked thread in ProxySQL";
        list.push_back(std::move(finding));
      }
      return list;
    case AdminSeen::Login::unreachable:
    case AdminSeen::Login::refused:
      list.push_back(
          {Severity::critical, kAdminSubject, admin.why, "no beat gets in either: nothing is healed", admin.hint});
      return list;
    case AdminSeen::Login::silent:
      list.push_back(unresponsive(all, where + " accepts connections and doesn't greet: " + admin.why));
      return list;
    case AdminSeen::Login::works:
      break;
  }
  if (admin.answers == AdminSeen::Answers::never) {
    list.push_back(unresponsive(all, "the login works, and a statement got no answer in time: " + admin.why));
  } else if (admin.answers == AdminSeen::Answers::failed) {
    list.push_back({Severity::critical, kAdminSubject, admin.why, "", ""});
  } else if (admin.cluster) {
    list.push_back({Severity::ok, kAdminSubject,
                    where + ", ProxySQL " + admin.cluster->version + ", up " +
                        show_span(admin.cluster->uptime_s * 1'000'000'000)});
    if (admin.cluster->listener_paused) {
      list.push_back({Severity::critical, "mysql port", "PROXYSQL PAUSE is in effect", "new clients are refused",
                      "PROXYSQL RESUME, or proxysql-pulse undrain where a drain did it"});
    }
  }
  if (!admin.unread.empty()) {
    list.push_back({Severity::warning, kAdminSubject, "answered at first, and then not: " + admin.unread,
                    "what follows is not complete", "give doctor more time with --timeout-ms"});
  }
  return list;
}

Findings scheduler_findings(const Examined& all) {
  const NodeStatus& node = all.node;
  if (!all.admin.cluster || node.config.daemon.beats == BeatsMode::always) return {};
  const ScheduledRow* runtime = beat_row(all, "runtime", true);
  if (runtime == nullptr) {
    if (node.config.daemon.beats == BeatsMode::when_silent && all.daemon.answers) {
      return {{Severity::notice, "scheduler", "no active row runs \"proxysql-pulse beat\"",
               "the daemon starts the beats (daemon.beats = \"when_silent\")", ""}};
    }
    return {no_row(all)};
  }
  Findings list;
  const auto rows = std::count_if(all.admin.scheduler.begin(), all.admin.scheduler.end(), [](const ScheduledRow& row) {
    return row.place == "runtime" && row.active && row.runs_beat();
  });
  if (rows > 1) {
    list.push_back({Severity::warning, "scheduler", std::to_string(rows) + " active rows run the beat",
                    "they find the lock taken by turns, and one more program is started each time",
                    "DELETE all but one FROM scheduler, then LOAD SCHEDULER TO RUNTIME, SAVE SCHEDULER TO DISK"});
  }
  if (runtime->interval_ms != node.config.beat.interval.count()) {
    list.push_back({Severity::warning, "scheduler",
                    "the row's interval is " + std::to_string(runtime->interval_ms) + " ms, the file's " +
                        std::to_string(node.config.beat.interval.count()),
                    "back-off, timeouts and \"no beat\" are reckoned by the file's",
                    "LOAD SCHEDULER FROM CONFIG, LOAD SCHEDULER TO RUNTIME, SAVE SCHEDULER TO DISK; or set "
                    "pulse.beat.interval_ms to the row's"});
  }
  const ScheduledRow* disk = beat_row(all, "disk", true);
  if (disk == nullptr) {
    list.push_back({Severity::warning, "scheduler", "the row isn't on disk",
                    "after ProxySQL's next start no beat comes, for its proxysql.db wins over the file",
                    "SAVE SCHEDULER TO DISK"});
  }
  if (list.empty()) list.push_back({Severity::ok, "scheduler", row_text(*runtime)});
  return list;
}

}  // namespace pulse
