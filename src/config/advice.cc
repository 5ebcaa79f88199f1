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
  for (const CnfSetting& column : CnfChildren(&row)) {
    if (column.name.starts_with("arg") && column.is(CnfType::text) && column.text == "beat") return true;
  }
  return false;
}

// The rows that ProxySQL has in its scheduler and that run the beat, inactive ones too.
std::vector<ListedRow> beat_rows(const CnfSetting* list) {
  std::vector<ListedRow> rows = listed_rows("scheduler", list);
  std::erase_if(rows, [](const ListedRow& row) { return !is_of_beat(*row.setting); });
  return rows;
}

bool is_active(const ListedRow& row) { return row.number("active", 1) != 0; }

// As ProxySQL tells it: whose hash it is can't be told without the password.
bool is_hash(const std::string& password) {
  return password.size() == 41 && password.front() == '*' &&
         password.find_first_not_of("0123456789ABCDEFabcdef", 1) == std::string::npos;
}

std::string refused_as_client(const std::string& name, const char* who) {
  return "mysql_users has " + name + ", which is a user of the admin interface: ProxySQL refuses " + name +
         " there then, " + who + " among it; take another name for one of them";
}

class Adviser {
 public:
  Adviser(const LoadedConfig& loaded, const Cnf& file) : config_(loaded.config), root_(file.root()) {}

  std::vector<std::string> run() {
    beats();
    admin_user();
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
    for (const ListedRow& row : beat_rows(list)) {
      const std::string at = row.setting->at();
      if (!is_active(row)) {
        say(at, "the scheduler's row is inactive: active = 1 starts it");
        continue;
      }
      runs = true;
      const std::string program = row.get("filename", "");
      if (::access(program.c_str(), X_OK) != 0) {
        say(at, "the scheduler's row can't start its program: " + system_error(program, errno).text +
                    "; ProxySQL has no PATH, so the whole path of an executable file is needed");
      }
    }
    if (runs) return;
    say(list == nullptr ? config_.file : list->at(),
        std::string("no row of the scheduler runs \"proxysql-pulse beat\", and daemon.beats is \"") +
            word_of(config_.daemon.beats, "never") +
            "\": no beat comes; add the row { id = 1 active = 1 interval_ms = 2000 filename = "
            "\"/usr/bin/proxysql-pulse\" arg1 = \"beat\" }, or set daemon.beats = \"always\"");
  }

  void admin_user() {
    const CnfSetting* admin = root_.find("admin_variables");
    const CnfSetting* credentials = admin == nullptr ? nullptr : admin->find("admin_credentials");
    if (is_hash(config_.admin.password)) {
      say(credentials == nullptr ? config_.file : credentials->at(),
          "the password of " + config_.admin.user +
              " is a hash: ProxySQL lets in who knows what it was made of, and beats will be refused; set "
              "pulse.admin.password_file");
    }
    // An active row takes the place of what the credentials say.
    for (const ListedRow& row : listed_rows("mysql_users", root_.find("mysql_users"))) {
      const std::string name = row.get("username", "");
      const bool is_cluster = name == variable("admin_variables", "cluster_username");
      if (row.number("active", 1) == 0 || (name != config_.admin.user && !is_cluster)) continue;
      say(row.setting->at(), refused_as_client(name, is_cluster ? "other nodes" : "beats"));
    }
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
    const auto pairs = admin_logins(variable("admin_variables", "admin_credentials"),
                                    variable("admin_variables", "stats_credentials"));
    const bool is_known = std::any_of(pairs.begin(), pairs.end(), [&](const Credentials& one) {
      return one.user == user &&
             (one.password == variable("admin_variables", "cluster_password") || is_hash(one.password));
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
    for (const ListedRow& row : beat_rows(root_.find("scheduler"))) {
      const int64_t interval_ms = row.number("interval_ms", 0);
      if (config_.daemon.beats == BeatsMode::always || !is_active(row) ||
          interval_ms == config_.beat.interval.count()) {
        continue;
      }
      say(row.setting->at(), "the scheduler's row runs the beat every " + std::to_string(interval_ms) +
                                 " ms, and pulse.interval_ms is " + std::to_string(config_.beat.interval.count()) +
                                 ": back-off, and when beats count as silent, are reckoned by the latter; leave it "
                                 "out");
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
  const std::vector<ListedRow> rows = beat_rows(file.root().find("scheduler"));
  return std::any_of(rows.begin(), rows.end(), is_active);
}

std::vector<std::string> advise(const LoadedConfig& loaded, const Cnf& file) { return Adviser(loaded, file).run(); }

}  // namespace pulse
