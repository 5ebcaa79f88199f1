#include "src/config/advice.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "src/base/number.h"
#include "src/config/drain_steps.h"
#include "src/config/modules.h"
#include "src/config/proxysql_groups.h"
#include "src/config/table_rows.h"

namespace pulse {

namespace {

// A row is the beat's by its argument: a wrapper that runs the beat without one isn't seen through.
bool is_of_beat(const CnfSetting& row) {
  const CnfSetting* const filename = row.find("filename");
  if (filename == nullptr || !filename->is(CnfType::text)) return false;
  for (const CnfSetting& column : CnfChildren(&row)) {
    if (column.name.starts_with("arg") && column.is(CnfType::text) && column.text == "beat") return true;
  }
  return false;
}

bool is_inactive(const CnfSetting& row) {
  const CnfSetting* const active = row.find("active");
  return active != nullptr && active->is_number() && active->number == 0;
}

class Adviser {
 public:
  Adviser(const LoadedConfig& loaded, const Cnf& file) : config_(loaded.config), root_(file.root()) {}

  std::vector<std::string> run() {
    beats();
    cluster_user();
    list_of_cores();
    spans();
    sync();
    each_file_group([this](const char* group) { rows(group); });
    rows("proxysql_servers");
    rows("scheduler");
    for (const CnfSetting& group : CnfChildren(&root_)) {
      for (const char* read : {"pulse", "admin_variables", "mysql_variables", "pgsql_variables"}) {
        if (group.name == read) placeholders(group);
      }
    }
    return std::move(advice_);
  }

 private:
  void say(const std::string& at, const std::string& text) { advice_.push_back(at + ": " + text); }

  std::string variable(const char* group, const char* name) const {
    const CnfSetting* variables = root_.find(group);
    const CnfSetting* setting = variables == nullptr ? nullptr : variables->find(name);
    return setting == nullptr ? "" : variable_text(*setting).value_or("");
  }

  void beats() {
    if (config_.daemon.beats == BeatsMode::always) return;
    const CnfSetting* list = root_.find("scheduler");
    bool runs = false;
    for (const CnfSetting& row : CnfChildren(list)) {
      if (!is_of_beat(row)) continue;
      if (row.find("id") == nullptr) {
        say(row.at(), "the scheduler's row has no id: ProxySQL never starts it; give it one");
      } else if (is_inactive(row)) {
        say(row.at(), "the scheduler's row is inactive: active = 1 starts it");
      } else {
        runs = true;
        const std::string program(row.find("filename")->text);
        if (::access(program.c_str(), X_OK) != 0) {
          say(row.at(), "the scheduler's row can't start its program: " + system_error(program, errno).text +
                            "; ProxySQL has no PATH, so the whole path of an executable file is needed");
        }
      }
    }
    if (runs) return;
    say(list == nullptr ? config_.file : list->at(),
        std::string("no row of the scheduler runs \"proxysql-pulse beat\", and daemon.beats is \"") +
            word_of(config_.daemon.beats, "never") +
            "\": no beat comes; add the row { id = 1 active = 1 interval_ms = 2000 filename = "
            "\"/usr/bin/proxysql-pulse\" arg1 = \"beat\" }, or set daemon.beats = \"always\"");
  }

  void cluster_user() {
    if (config_.bootstrap.empty()) return;
    const CnfSetting* admin = root_.find("admin_variables");
    const std::string at = admin == nullptr ? config_.file : admin->at();
    const std::string user = variable("admin_variables", "cluster_username");
    if (user.empty()) {
      return say(at,
                 "cluster_username isn't set: ProxySQL never checks its peers and pulls nothing from them; set it and "
                 "cluster_password, and put the pair into admin_credentials on all nodes");
    }
    const auto pairs = split_credentials(variable("admin_variables", "admin_credentials"));
    const bool is_known = std::any_of(pairs.begin(), pairs.end(), [&](const Credentials& one) {
      return one.user == user && one.password == variable("admin_variables", "cluster_password");
    });
    if (!is_known) {
      say(at, "cluster_username \"" + user +
                  "\" with cluster_password isn't among admin_credentials: nodes with this file refuse each other; add "
                  "the pair there");
    }
    if (user == "admin") {
      say(at, "cluster_username is \"admin\", which ProxySQL lets in from its own host alone: take another name");
    }
  }

  void list_of_cores() {
    if (!config_.is_core() || config_.discovery.source != Source::none) return;
    say(config_.file,
        "a core without a list of the cores does nothing: version 1 is never left, so satellites get nothing, and an "
        "emptied proxysql_servers stays empty; set discovery = { members = [\"ADDRESS\", ...] } with this node's own "
        "among them, or a host name in proxysql_servers");
  }

  int64_t number(const char* name, int64_t otherwise) const {
    return to_number<int64_t>(variable("admin_variables", name)).value_or(otherwise);
  }

  // Times that don't fit together.
  void spans() {
    const CnfSetting* admin = root_.find("admin_variables");
    const int64_t check_ms = number("cluster_check_interval_ms", 1000);
    if (!config_.bootstrap.empty() && config_.satellite.peer_timeout.count() < 2 * check_ms) {
      say(admin == nullptr ? config_.file : admin->at(),
          "cluster_check_interval_ms = " + std::to_string(check_ms) +
              ", and pulse.satellite.peer_timeout_ms = " + std::to_string(config_.satellite.peer_timeout.count()) +
              ": between two checks live cores count as dead; make the timeout five times the interval, or leave it "
              "out");
    }
    for (const CnfSetting& row : CnfChildren(root_.find("scheduler"))) {
      const CnfSetting* const interval = row.find("interval_ms");
      if (config_.daemon.beats == BeatsMode::always || !is_of_beat(row) || is_inactive(row) ||
          row.find("id") == nullptr || interval == nullptr || !interval->is_number() ||
          interval->number == config_.beat.interval.count()) {
        continue;
      }
      say(row.at(), "the scheduler's row runs the beat every " + std::to_string(interval->number) +
                        " ms, and pulse.interval_ms is " + std::to_string(config_.beat.interval.count()) +
                        ": back-off, and when beats count as silent, are reckoned by the latter; leave it out");
    }
    constexpr std::chrono::seconds kKubernetesGrace{30};
    if (config_.discovery.source == Source::kubernetes && config_.drain.grace.count() == 0 &&
        least_grace(config_) > kKubernetesGrace) {
      say(config_.file, "a drain takes up to " + std::to_string(least_grace(config_).count()) +
                            " s, and Kubernetes kills a pod after 30 s where its terminationGracePeriodSeconds doesn't "
                            "say more; set it, and say it here as pulse.drain.grace_ms");
    }
  }

  // A core's own variables may be kept from its peers on purpose: a drain lowers them. See docs/drain.md.
  void sync() {
    if (config_.bootstrap.empty()) return;
    const CnfSetting* admin = root_.find("admin_variables");
    for (const char* module :
         {"mysql_servers", "mysql_users", "mysql_query_rules", "proxysql_servers", "mysql_variables"}) {
      const std::string name = std::string("cluster_") + module + "_diffs_before_sync";
      if (number(name.c_str(), 3) != 0) continue;
      if (config_.is_core() && std::string_view(module) == "mysql_variables") continue;
      const CnfSetting* at = admin == nullptr ? nullptr : admin->find(name);
      say(at == nullptr ? config_.file : at->at(),
          name + " is 0: this node never pulls " + module + " from a core; 3 is ProxySQL's default");
    }
  }

  // Rows that ProxySQL doesn't store as they stand there.
  void rows(const char* table) {
    constexpr size_t kShown = 5;
    const std::vector<LostRow> lost = lost_rows(table, root_.find(table));
    for (size_t i = 0; i < std::min(lost.size(), kShown); ++i) {
      const LostRow& row = lost[i];
      // Such a row of the scheduler has been said already, if it is the beat's.
      if (row.reason == LostRow::Reason::incomplete && is_of_beat(*row.setting) && row.column == "id") continue;
      const std::string which = std::string("a row of ") + table;
      switch (row.reason) {
        case LostRow::Reason::incomplete:
          say(row.setting->at(), which + " has no " + row.column +
                                     ", or of the wrong type: ProxySQL 2 leaves the row "
                                     "out, newer 3.x refuse all of the group; complete the row or take it out");
          break;
        case LostRow::Reason::refused:
          say(row.setting->at(), which + " holds a value that the table doesn't take: ProxySQL leaves the row out");
          break;
        case LostRow::Reason::replaced:
          say(row.setting->at(), which + " has the same key as that of line " + std::to_string(row.by->line) +
                                     ": ProxySQL 2 takes the later one, newer 3.x refuse all of the group; take one "
                                     "of them out");
          break;
      }
    }
    if (lost.size() > kShown) {
      say(lost[kShown].setting->at(), std::to_string(lost.size() - kShown) + " more rows of " + table + " like these");
    }
  }

  // At most as deep as the grammar allows.
  void placeholders(const CnfSetting& setting) {
    const size_t at = setting.text.find("${");
    if (setting.is(CnfType::text) && at != std::string_view::npos &&
        setting.text.find('}', at) != std::string_view::npos) {
      say(setting.at(), std::string(setting.name) +
                            " holds ${...}, which nobody has replaced: ProxySQL takes it as it "
                            "stands");
    }
    for (const CnfSetting& child : CnfChildren(&setting)) placeholders(child);
  }

  const Config& config_;
  const CnfSetting& root_;
  std::vector<std::string> advice_;
};

}  // namespace

bool has_beat_row(const Cnf& file) {
  for (const CnfSetting& row : CnfChildren(file.root().find("scheduler"))) {
    if (is_of_beat(row) && row.find("id") != nullptr && !is_inactive(row)) return true;
  }
  return false;
}

std::vector<std::string> advise(const LoadedConfig& loaded, const Cnf& file) { return Adviser(loaded, file).run(); }

}  // namespace pulse
