#include "scheduler/beat/reconciliation.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>
#include <string_view>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/admin/load_report.h"
#include "scheduler/admin/row_collector.h"
#include "scheduler/beat/observation.h"
#include "scheduler/beat/served_rows.h"
#include "shm/record/applied.h"
#include "src/base/log.h"
#include "src/config/modules.h"

namespace pulse {

namespace {

Content to_content(const ContentHash& hash) { return {hash[0], hash[1]}; }

template <class T>
size_t applied_bytes(const T& head, const Applied& applied) {
  const auto modules = reinterpret_cast<const char*>(&applied.modules) - reinterpret_cast<const char*>(&head);
  return static_cast<size_t>(modules) + std::min<size_t>(applied.count, kModules) * sizeof(AppliedModule);
}

bool read_applied(const Layout& layout, uint64_t boot_id, Known& known) {
  static PeerReports reports;  // of which few pages are touched
  if (!layout.applied.read_part(known.applied, offsetof(Applied, modules),
                                [](const Applied& head) { return applied_bytes(head, head); }) ||
      !layout.peer_reports.read_part(reports, offsetof(PeerReports, applied) + offsetof(Applied, modules),
                                     [](const PeerReports& head) { return applied_bytes(head, head.applied); })) {
    return false;
  }
  if (reports.boot_id != boot_id) return true;
  known.reports = {true, reports.round_ns, reports.list_ns, reports.failing_ns, std::string(text(reports.error))};
  known.applied_is_news = merge_applied(known.applied, reports.applied);
  return true;
}

// Beside the way of a quiet beat, whose stack it would deepen by several pages.
[[gnu::noinline]] void forget(Known& known) { known = Known{}; }

}  // namespace

bool read_known(const Layout& layout, uint64_t boot_id, BootTime now, std::chrono::milliseconds max_age, Known& known) {
  static Members members;  // 200 KB of which the pages of the first few cores are touched
  Discovery discovery{};
  const bool read = layout.observation.read_part(known.last, offsetof(Observation, peers), used_bytes) &&
                    layout.core.read_part(known.core, offsetof(CoreRecord, modules), core_bytes) &&
                    layout.discovery.read(discovery) &&
                    layout.members.read_part(members, offsetof(Members, members), [](const Members& head) {
                      return offsetof(Members, members) + std::min<size_t>(head.cores, kMembers) * sizeof(Member);
                    });
  static SatelliteReports satellites;
  const bool has_mends =
      layout.mends.read_part(known.mends, offsetof(MendRecord, mends), mend_bytes) &&
      layout.satellite_reports.read_part(satellites, offsetof(SatelliteReports, modules), report_bytes);
  known.satellites = has_mends && satellites.boot_id == boot_id ? &satellites : nullptr;
  known.resync =
      layout.resync_requested.load(std::memory_order_relaxed) != layout.resync_done.load(std::memory_order_relaxed);
  known.has_segment = read;
  if (read) known.list = usable_cores(members, discovery, boot_id, now.ns, max_age);
  const bool all = read && has_mends && read_applied(layout, boot_id, known);
  if (!all) forget(known);
  return all;
}

Result<Seen> Reconciliation::observe(std::optional<Look> wanted) {
  const uint64_t id = client_.connection_id();
  Look look = wanted.value_or(what_to_look_at(known_.last, id, began_.ns));
  for (;;) {
    auto answer = client_.query(observe_statement(look, pgsql_), deadline_);
    if (!answer && pgsql_ && lacks_pgsql(answer.error())) {  // an older ProxySQL by now
      pgsql_ = false;
      continue;
    }
    if (!answer) return answer.error();
    auto seen = parse_seen(*answer, look);
    if (!seen && !pgsql_ && has_pgsql(version_in(*answer))) {  // PostgreSQL alone, and not known yet
      pgsql_ = true;
      continue;
    }
    if (!seen) return seen.error();
    if (seen->has_globals && !pgsql_ && has_pgsql(seen->version)) {
      pgsql_ = true;
      continue;
    }
    if (look == Look::cluster && has_loaded(*seen, known_.last)) {
      look = Look::everything;
      continue;
    }
    seen->connection_id = id;
    if (!seen->has_globals) seen->no_cluster_user = known_.last.no_cluster_user != 0;
    watch_peers(*seen, known_.last, began_.ns, {config_.beat.interval, config_.satellite.peer_timeout});
    return seen;
  }
}

Result<Plan> Reconciliation::plan(Seen& seen, const std::function<void(Phase)>& enter) {
  enter(Phase::plan);
  Plan plan = plan_of(seen);
  if (plan.steps.empty()) return plan;
  enter(Phase::observe);
  auto again = observe(seen.has_globals ? Look::everything : Look::cluster);
  if (!again) return again.error();
  seen = std::move(*again);
  enter(Phase::plan);
  return plan_of(seen);
}

Plan Reconciliation::plan_of(const Seen& seen) {
  if (config_.role == Role::standalone) return {};
  if (config_.is_satellite()) {
    return plan_satellite(
        {seen, config_.bootstrap, config_.satellite.peer_timeout, known_.list, known_.resync, known_.has_segment});
  }
  const int64_t started_ns =
      seen.has_globals ? began_.ns - seen.uptime_s * 1'000'000'000 : known_.last.proxysql_started_ns;
  std::optional<Config> without_file;
  if (known_.may_load_file) {
    read_contents();
  } else {
    without_file = config_;
    without_file->core.authority = Authority::never;
  }
  const Config& config = without_file ? *without_file : config_;
  const std::string_view version = seen.has_globals ? std::string_view(seen.version) : text(known_.last.version);
  reads_later_tables_ = reads_later_tables(version);
  CoreList list = known_.list;
  list.keeps_others = config_.discovery.members_of_file;
  made_.reset(new CorePlan(
      plan_core({seen, list, config, known_.core, started_ns, began_.ns, known_.applied, known_.reports,
                 contents_ ? &*contents_ : nullptr, known_.resync, syncs_pgsql(version),
                 known_.may_load_file ? known_.satellites : nullptr, known_.mends, reads_later_tables_})));  // in place
  if (!known_.may_load_file && made_->record.standing == static_cast<uint8_t>(Standing::aside)) {
    set_text(made_->record.reason, "what was loaded from it isn't known to this user's beats");
  }
  return std::move(made_->plan);
}

// The whole file is read only when it isn't the one whose contents the record has: a quiet beat doesn't.
void Reconciliation::read_contents() {
  if (contents_ || config_.file_identity == known_.core.file_identity) return;
  contents_.emplace();
  contents_->identity = config_.file_identity;
  rows_ = read_file_rows(config_.file);
  if (!*rows_) {
    contents_->error = rows_->error().text;
    return;
  }
  const std::string otherwise = config_.admin.user + ":" + config_.admin.password;
  for (const FileModule& module : file_modules()) {
    contents_->modules.emplace_back(module.name, to_content(content_hash(**rows_, module, otherwise)));
  }
}

Result<void> Reconciliation::compare_with_file(const Step& step) {
  const FileModule* module = find_file_module(step.part);
  if (module == nullptr) return Error{step.part + " is no module of the file"};
  if (!rows_) rows_ = read_file_rows(config_.file);
  if (!*rows_) return Error{"the file's rows can't be read: " + rows_->error().text};
  if (module->tables.empty()) return compare_table(module->name, true);
  Result<void> same;
  each_table(*module, reads_later_tables_, [&](const char* table) {
    if (same) same = compare_table(table, false);
  });
  return same;
}

Result<void> Reconciliation::compare_table(const char* name, bool variables) {
  const FileTable* table = (*rows_)->find(name);
  if (table == nullptr) return {};
  // In upper case: the name in lower case makes ProxySQL refill runtime_global_variables.
  const std::string query =
      variables ? "SELECT variable_name, variable_value FROM GLOBAL_VARIABLES" : "SELECT * FROM " + std::string(name);
  RowCollector memory;
  auto done = client_.read(query, memory, deadline_);
  if (!done && memory.is_full()) return Error{query + ": " + done.error().text, done.error().code};
  if (!done) return done.error();
  const std::string different = difference(*table, memory.names(), memory.rows());
  if (!different.empty()) return Error{different, EAGAIN};
  return {};
}

Result<Acted> Reconciliation::act(const Plan& plan) {
  Acted acted;
  std::vector<std::string> refused_parts;
  std::map<std::string, int> reads;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    if (std::find(refused_parts.begin(), refused_parts.end(), step.part) != refused_parts.end()) continue;
    auto done = run(step, acted);
    if (done) {
      if (step.loads) acted.outcomes.loaded.push_back(step.part);
      if (step.restores) acted.outcomes.restored.push_back(step.part);
      log_info(step.statement + ": " + step.reason);
      continue;
    }
    if (!is_refusal(done.error())) return done.error();
    if (step.as_served && done.error().code == EAGAIN) {  // somebody works on it: no fault
      refused_parts.push_back(step.part);
      acted.outcomes.held.push_back({step.part, done.error().text});
      continue;
    }
    if (done.error().code == EAGAIN && step.again_from != 0 && ++reads[step.part] < kMostReads) {
      log_warning(done.error().text + ": a peer's rows may have come in between, reading the file again");
      i -= step.again_from + 1;
      continue;
    }
    const std::string why =
        done.error().code == EAGAIN
            ? step.statement + " isn't run: after " + std::to_string(kMostReads) + " times, " + done.error().text
            : done.error().text;
    refused_parts.push_back(step.part);
    if (!acted.refused) {
      acted.refused = Error{why, done.error().code};
    } else {
      log_error(why);
    }
    if (step.undo.empty()) continue;
    // Could destroy: what a person has changed in memory since. What serves stays as it is.
    if (auto undone = client_.query(step.undo, deadline_); !undone) {
      if (!is_refusal(undone.error())) return undone.error();
      log_error(undone.error().text);
    } else {
      acted.outcomes.restored.push_back(step.part);
      log_warning(step.undo + ": brings back what was in memory, after " + why);
    }
  }
  return acted;
}

Result<void> Reconciliation::run(const Step& step, Acted& acted) {
  if (step.as_served) {
    const FileModule* module = find_file_module(step.part);
    if (module == nullptr) return Error{step.part + " is no module of the file"};
    if (auto same = compare_with_runtime(client_, *module, deadline_); !same) return same;
  }
  if (!step.from_file) return run_statement(step, acted);
  if (auto same = compare_with_file(step); !same) return same;
  if (auto done = run_statement(step, acted); !done) return done;
  const FileModule* module = find_file_module(step.part);
  if (module == nullptr || module->tables.empty()) return {};  // ProxySQL itself puts refused variables back
  auto same = compare_with_file(step);
  if (same || same.error().code != EAGAIN) return same;
  return Error{step.statement + " may have loaded a peer's rows: " + same.error().text + "; the next beat loads again"};
}

Result<void> Reconciliation::run_statement(const Step& step, Acted& acted) {
  if (!step.needs_rows_in.empty()) {
    auto count = client_.query("SELECT COUNT(*) FROM " + step.needs_rows_in, deadline_);
    if (!count) return count.error();
    if (count->rows.size() != 1 || count->rows[0].empty() || count->rows[0][0] == "0") {
      return Error{step.needs_rows_in + " is empty: not loaded, the emptiness would spread"};
    }
  }
  auto done = client_.query(step.statement, deadline_);
  if (done) {
    ++acted.writes;
    return step.loads && !done->info.empty() ? note_refused(step, done->info, acted) : Result<void>();
  }
  if (!is_refusal(done.error()) || step.instead.empty()) return done.error();
  log_warning(done.error().text + ": inserting the file's entries instead");
  for (const std::string& statement : step.instead) {
    done = client_.query(statement, deadline_);
    if (!done) return done.error();
    ++acted.writes;
  }
  return {};
}

// It counts alone. The file's own variables are compared, to name one: ProxySQL has put it back, or taken it out.
Result<void> Reconciliation::note_refused(const Step& step, const std::string& info, Acted& acted) {
  std::string refused = refused_variables(info);
  if (refused.empty()) return {};
  if (step.from_file) {
    auto same = compare_with_file(step);
    if (!same && same.error().code != EAGAIN) return same;
    if (!same) refused += ": " + same.error().text;
  }
  log_warning(step.statement + ": ProxySQL hasn't taken all: " + refused);
  acted.outcomes.refused.emplace_back(step.part, std::move(refused));
  return {};
}

}  // namespace pulse
