#include "scheduler/doctor/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>

#include "scheduler/admin/admin_client.h"
#include "scheduler/admin/admin_errors.h"
#include "scheduler/doctor/admin_questions.h"
#include "scheduler/doctor/findings.h"
#include "scheduler/doctor/peer_look.h"
#include "scheduler/doctor/report.h"
#include "scheduler/doctor/surroundings.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/status/status_text.h"
#include "src/base/log.h"
#include "src/config/advice.h"
#include "src/config/drain_steps.h"
#include "src/config/load.h"

namespace pulse {

namespace {

constexpr milliseconds kDefaultTimeout{5000};
// So long a beat that runs may take before its wait is taken for a hang.
constexpr milliseconds kBeatPatience{500};

// Of the time, what is kept for saying what was found: the hard timer would leave nothing.
constexpr int kReportPart = 10;

class Doctor {
 public:
  explicit Doctor(const Options& options)
      : options_(options),
        timeout_(options.timeout.value_or(kDefaultTimeout)),
        deadline_(io_deadline(began_.monotonic, timeout_ - timeout_ / kReportPart)) {}

  int run() {
    arm_hard_timer(Deadline::at(began_.monotonic + timeout_));
    read_file();
    read_node();
    if (options_.module_diff) return show_module();
    look_around();
    const Findings findings = findings_of(all_);
    const milliseconds took = std::chrono::duration_cast<milliseconds>(MonotonicTime::now() - began_.monotonic);
    const ReportHead head{all_.node.config.role_name(), options_.config, took.count(), timeout_.count()};
    const bool colours = ::isatty(STDOUT_FILENO) != 0;
    const std::string text = options_.json ? report_json(head, findings) : report_text(head, findings, colours);
    std::fputs(text.c_str(), stdout);
    return exit_code_of(worst_of(findings));
  }

 private:
  void read_file() {
    const auto loaded = load_config(options_.config, options_.overrides());
    if (!loaded) {
      all_.file_error = loaded.error().text;
      return;
    }
    for (const std::string& warning : loaded->warnings) all_.advice.push_back(warning);
    if (const auto file = read_cnf(options_.config)) {
      for (const std::string& advice : advise(*loaded, *file)) all_.advice.push_back(advice);
      all_.file_has_beat_row = has_beat_row(*file);
    }
    all_.grace_problem = grace_problem(loaded->config);
    if (const auto rows = read_file_rows(options_.config)) rows_ = *rows;
  }

  // A beat that runs just now would be taken for one that waits for an answer.
  void read_node() {
    const Deadline patience = sooner(kBeatPatience, deadline_);
    for (;;) {
      all_.node = read_node_status(options_, deadline_);
      if (!all_.node.view.attempt_open || patience.passed()) return;
      const timespec pause{0, 20'000'000};
      ::nanosleep(&pause, nullptr);
    }
  }

  void look_around() {
    if (!all_.file_error.empty()) return;  // where everything is, the file says
    const Config& config = all_.node.config;
    all_.process = look_at_process(config, sooner(milliseconds(500), deadline_));
    all_.daemon = ask_daemon(config, deadline_);
    ask(nullptr);
    const AdminSeen& admin = all_.admin;
    const bool hangs = admin.answers == AdminSeen::Answers::never || admin.login == AdminSeen::Login::silent ||
                       admin.login == AdminSeen::Login::not_tried;
    if (hangs) all_.connections = look_at_connections(config, sooner(milliseconds(500), deadline_));
    all_.peers = look_at_peers(all_.node, admin, deadline_);
  }

  // The one connection. Half of the time is kept for what comes after it.
  void ask(const FileModule* only) {
    AdminSeen& admin = all_.admin;
    admin.why = why_not_to_ask(all_.node);
    if (!admin.why.empty()) return;
    const Deadline until = sooner(only == nullptr ? deadline_.left() / 2 : deadline_.left(), deadline_);
    AdminTarget target = admin_target(all_.node.config);
    if (target.host.front() != '/') {
      const auto addresses = resolve_within(target.host, until);
      if (!addresses || addresses->empty()) {
        admin.login = AdminSeen::Login::unreachable;
        admin.why = addresses ? "look up " + target.host + ": no address" : addresses.error().text;
        return;
      }
      target.host = addresses->front();
    }
    auto client = AdminClient::connect(target, until);
    if (!client) {
      admin.login = login_of(client.error());
      admin.why = client.error().text;
      admin.hint = login_hint(client.error(), all_.node.config);
      return;
    }
    admin.login = AdminSeen::Login::works;
    ask_admin(*client, rows_ ? &*rows_ : nullptr, only, until, admin);
    client->say_goodbye(until);
  }

  int show_module() {
    const FileModule* module = find_file_module(*options_.module_diff);
    if (!all_.file_error.empty()) {
      log_error(all_.file_error);
      return kExitConfig;
    }
    ask(module);
    const AdminSeen& admin = all_.admin;
    if (admin.answers != AdminSeen::Answers::yes || !admin.unread.empty()) {
      log_error(admin.unread.empty() ? admin.why : admin.unread);
      return admin.answers == AdminSeen::Answers::never   ? kExitTimeout
             : admin.login == AdminSeen::Login::not_tried ? kExitSkipped
                                                          : kExitUnavailable;
    }
    const std::string text = options_.json ? diff_json(admin.modules.front()) : diff_text(admin.modules.front());
    std::fputs(text.c_str(), stdout);
    return kExitOk;
  }

  const Options& options_;
  const Moment began_;
  const milliseconds timeout_;
  const Deadline deadline_;
  std::optional<FileRows> rows_;
  Examined all_;
};

}  // namespace

int run_doctor(const Options& options) { return Doctor(options).run(); }

namespace {

Result<void> take_diff(Options& options, const Option&, const std::string& value) {
  options.module_diff = value;
  return {};
}

Result<Options> check_doctor(Options options) {
  if (!options.module_diff || find_file_module(*options.module_diff) != nullptr) return options;
  std::string names;
  for (const char* name : kModuleNames) names += (names.empty() ? "" : ", ") + std::string(name);
  return Error{"--diff takes a module: " + names};
}

constexpr std::array<Option, 3> kDoctorOptions = {{
    {.name = "diff",
     .value = "MODULE",
     .text = "one module alone, row by row: what differs between the\n"
             "file, memory, runtime and disk; \"mysql_servers\" for one\n",
     .take = take_diff},
    {"json", nullptr, "for programs\n", take_flag<&Options::json>},
    timeout_option(50, 60'000, "{} (5000)\n"),
}};

constexpr std::array<Exit, 4> kDoctorExits = {{
    {"all is well, or nothing but notices", kExitOk},
    {"the worst is a warning", kExitWarning},
    {"something doesn't work", kExitCritical},
    {"nothing was found out in time", kExitTimeout},
}};

}  // namespace

constinit const Command kDoctorCommand = {
    .name = "doctor",
    .summary = "what is wrong with this node, what it means, what to do",
    .usage = "[--diff MODULE] [OPTION...]",
    .about = R"(Looks at the configuration, the state segment, ProxySQL's process, its admin
interface, the daemon and the other nodes, and says of each thing that it finds
how bad it is, what it means and what to do. Changes nothing. An admin interface
that is known to hang is not asked; any other gets one connection and a few
SELECTs, and nothing takes longer than the timeout.
)",
    .options = kDoctorOptions,
    .exits = kDoctorExits,
    .check = check_doctor,
    .run = run_doctor,
};

}  // namespace pulse
