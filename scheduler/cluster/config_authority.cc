#include "scheduler/cluster/config_authority.h"

#include <algorithm>

#include "shm/record/core_record.h"
#include "src/base/clock.h"
#include "src/config/modules.h"

namespace pulse {

namespace {

void decide(CoreRecord& record, Standing standing, const std::string& reason) {
  record.standing = static_cast<uint8_t>(standing);
  set_text(record.reason, reason);
}

bool decide(CoreModule& module, FileState state, const std::string& why) {
  module.state = static_cast<uint8_t>(state);
  set_text(module.why, why);
  return state == FileState::to_be_loaded;
}

std::string shown_revision(RevisionKind kind, int64_t revision) {
  if (kind == RevisionKind::created) return "the core that was created at " + std::to_string(revision);
  return "revision " + std::to_string(revision);
}

// Whether the cores of the list have been asked what has been applied since this ProxySQL has started. Sets too_early
// while they are still to answer, and unasked once nobody waits any longer.
void wait_for_reports(const CoreInput& input, Rank& rank) {
  const CoreList& list = input.list;
  const int64_t patience = nanoseconds(kReportsPatience).count();
  if (!list.usable()) {
    const bool expected = input.config.discovery.source != Source::none;
    if (expected && input.now_ns - input.proxysql_started_ns < patience) rank.too_early = list.unusable;
    if (expected) rank.unasked = list.unusable;
    return;
  }
  if (list.cores.size() == (list.self() == nullptr ? 0 : 1)) return;
  const Reports& reports = input.reports;
  const bool asked = reports.any && reports.list_ns == list.changed_ns && reports.round_ns >= input.proxysql_started_ns;
  if (asked && reports.failing_ns == 0) return;
  rank.unasked = "not every core could be asked what has been applied";
  if (!reports.error.empty()) rank.unasked += ": " + reports.error;
  const int64_t since = std::max(input.proxysql_started_ns, asked ? reports.failing_ns : list.changed_ns);
  if (input.now_ns - since < patience) {
    rank.too_early = "the other cores are asked what has been applied" +
                     (reports.error.empty() ? std::string() : ": " + reports.error);
  }
}

// The file has gone back to what was applied before the present content: a person's change like any other, which can't
// be told from a core whose file hasn't changed yet by the history alone.
bool goes_back(const Rank& rank, const CoreModule& module, const Content& now, const Applied& applied) {
  const AppliedModule* known = find_applied(applied, text(module.name));
  if (known == nullptr || now == Content{} || module.content == Content{} || now == module.content) return false;
  const AppliedFile* latest = latest_of(*known, rank.kind);
  const AppliedFile* entry = find_content(*known, now);
  return latest != nullptr && latest->content == module.content && entry != nullptr &&
         kind_of(entry->revision) == rank.kind && entry->revision >= rank.revision;
}

// ProxySQL has served for a while what somebody has loaded into it, and nothing is known of any file: Pulse is new
// here, or of a new version with a new segment. That is no change of the file.
bool was_found_serving(const CoreInput& input, const CoreModule& module) {
  const ModuleRow* row = find_module(input.seen.modules, text(module.name));
  return row != nullptr && row->version > 1 &&
         input.now_ns - input.proxysql_started_ns > nanoseconds(kFoundServing).count();
}

// Whatever the file says by now, it isn't what was loaded for certain.
constexpr const char* kUnsure = "a pull has come together with the last load of the file";

bool decide_always(const CoreInput& input, const Rank& rank, bool stamped, CoreModule& module, Applied& applied) {
  if (module.unsure != 0) return decide(module, FileState::to_be_loaded, kUnsure);
  const bool unfinished = module.pending != 0 && !stamped;
  if (module.loaded == module.content && !unfinished) return decide(module, FileState::applied, "");
  if (module.loaded == module.content) {
    return decide(module, FileState::to_be_loaded,
                  "ProxySQL started anew before it was certain that the load of the file had lasted");
  }
  if (module.loaded != Content{}) {
    return decide(module, FileState::to_be_loaded, "the file has changed since it was loaded");
  }
  const AppliedModule* known = find_applied(applied, text(module.name));
  if (known != nullptr && find_content(*known, module.content) != nullptr) {
    module.loaded = module.content;
    return decide(module, FileState::applied, "");
  }
  if (was_found_serving(input, module)) {
    note_revision(applied, text(module.name), module.content, 0);
    module.loaded = module.content;
    return decide(module, FileState::applied,
                  "ProxySQL served already when this file was first seen: it counts from its next change on");
  }
  if (!rank.too_early.empty()) return decide(module, FileState::waiting, rank.too_early);
  return decide(module, FileState::to_be_loaded, "nothing is known of an earlier load of this file");
}

}  // namespace

std::string why_no_membership(const CoreInput& input) {
  if (!input.list.usable()) return input.list.unusable;
  return "this core is not among the members: set pulse.address if it isn't known by its interfaces' addresses";
}

void note_cores(const CoreInput& input, CoreRecord& record) {
  if (!input.list.usable()) return;
  for (const Core& core : input.list.cores) {
    record.newest_created_at = std::max(record.newest_created_at, core.created_at);
    record.newest_revision = std::max(record.newest_revision, core.revision);
  }
}

Rank rank_of(const CoreInput& input, const CoreRecord& record) {
  Rank rank;
  if (input.config.core.authority == Authority::never) return rank;
  if (input.config.core.apply == Apply::on_change) wait_for_reports(input, rank);
  if (input.config.core.authority == Authority::always) return rank;
  const Core* self = self_of(input);
  if (self == nullptr) {
    rank.unknown = why_no_membership(input);
    return rank;
  }
  const auto& cores = input.list.cores;
  const bool revisions = std::all_of(cores.begin(), cores.end(), [](const Core& core) { return core.revision > 0; });
  rank.kind = revisions ? RevisionKind::revision : RevisionKind::created;
  const auto number_of = [&](const Core& core) { return revisions ? core.revision : core.created_at; };
  rank.revision = number_of(*self);
  if (rank.revision == 0) {
    rank.kind = RevisionKind::none;
    rank.outranked = "the source of members doesn't say which core is the newest: set core.authority";
    return rank;
  }
  const int64_t newest = revisions ? record.newest_revision : record.newest_created_at;
  if (rank.revision < newest) {
    rank.outranked =
        revisions ? "revision " + std::to_string(newest) + " has been seen, this core is of revision " +
                        std::to_string(rank.revision)
                  : "a core that was created " + std::to_string(newest - rank.revision) + " s later has been seen";
    return rank;
  }
  for (const Core& core : cores) {
    if (core.is_self || number_of(core) != rank.revision || !comes_before(core, *self)) continue;
    rank.follows = shown(core.server) + (revisions ? " is of the same revision and comes first"
                                                   : " was created in the same second and comes first");
    break;
  }
  const int64_t looked_ns = input.now_ns - input.list.age.count();
  if (looked_ns < input.proxysql_started_ns + nanoseconds(kListAfterStart).count()) {
    rank.too_early = "no list of members since ProxySQL's start: is there a newer core?";
  }
  return rank;
}

void take_file(const CoreInput& input, const Rank& rank, CoreRecord& record) {
  if (input.file == nullptr || !input.file->error.empty()) return;
  for (const auto& [name, content] : input.file->modules) {
    CoreModule* module = content == Content{} ? find_core_module(record, name) : core_module(record, name);
    if (module == nullptr) continue;
    module->edited_back = goes_back(rank, *module, content, input.applied) ? 1 : 0;
    if (module->content != content) module->failures = 0;
    module->content = content;
  }
  record.file_identity = input.file->identity;
}

void decide_standing(const CoreInput& input, const Rank& rank, CoreRecord& record) {
  const Authority authority = input.config.core.authority;
  const bool on_boot = input.config.core.apply == Apply::on_boot;
  const auto before = static_cast<Standing>(record.standing);
  record.revision = rank.revision;
  // A Service's one address in place of the pods', say: nothing is done with the cores then, and that must be told.
  const bool is_no_member = input.list.usable() && input.list.self() == nullptr;
  const bool has_no_source = input.config.discovery.source == Source::none;
  const std::string no_member = is_no_member ? "; " + why_no_membership(input)
                                : has_no_source
                                    ? "; it has no list of the cores, so it changes nothing of proxysql_servers and "
                                      "leaves modules at version 1: set pulse.discovery"
                                    : "";
  if (authority == Authority::always) {
    return decide(record, Standing::authority, "core.authority is \"always\"" + no_member);
  }
  if (authority == Authority::never) return decide(record, Standing::aside, "core.authority is \"never\"" + no_member);
  // An old core that restarts in the middle of a rollout must not bring the old configuration back when the new core
  // that kept it from doing so is replaced.
  if (on_boot && before == Standing::aside) return;
  if (!rank.unknown.empty()) {
    if (!on_boot || before == Standing::undecided) decide(record, Standing::undecided, rank.unknown);
    return;
  }
  if (!rank.outranked.empty()) return decide(record, Standing::aside, rank.outranked);
  if (!rank.follows.empty()) return decide(record, Standing::aside, rank.follows);
  const bool list_is_old = rank.too_early.rfind("no list", 0) == 0;
  if (list_is_old) return decide(record, Standing::undecided, rank.too_early);
  std::string reason = rank.kind == RevisionKind::revision
                           ? "revision " + std::to_string(rank.revision) + " is the newest, and this is its first core"
                           : "this is the newest core";
  if (rank.kind == RevisionKind::created && !input.list.no_revisions.empty()) {
    reason += ", by the pods' creation times, because revisions aren't known: " + input.list.no_revisions;
  }
  decide(record, Standing::authority, reason);
}

bool decide_module(const CoreInput& input, const Rank& rank, bool stamped, CoreModule& module, Applied& applied) {
  if (input.config.core.authority == Authority::never) {
    return decide(module, FileState::none, "core.authority is \"never\"");
  }
  if (input.file != nullptr && !input.file->error.empty()) {
    return decide(module, FileState::waiting, "the file's rows can't be read: " + input.file->error);
  }
  if (module.content == Content{}) return decide(module, FileState::none, "the file has no rows for it");
  if (input.config.core.authority == Authority::always) {
    return decide_always(input, rank, stamped, module, applied);
  }
  if (!rank.unknown.empty()) return decide(module, FileState::waiting, rank.unknown);

  const AppliedModule* known = find_applied(applied, text(module.name));
  const AppliedFile* latest = known == nullptr ? nullptr : latest_of(*known, rank.kind);
  const AppliedFile* last = known == nullptr ? nullptr : last_loaded(*known);
  const AppliedFile* entry = known == nullptr ? nullptr : find_content(*known, module.content);
  const bool latest_is_own = latest != nullptr && latest->content == module.content;
  if (latest_is_own) module.edited_back = 0;
  const bool newer_applied = latest != nullptr && latest->revision > rank.revision;
  const bool outranked = !rank.outranked.empty() || newer_applied;
  if (outranked) module.unsure = 0;
  const bool was_cut_short = module.pending != 0 && module.loaded == module.content && !stamped;
  const bool unfinished = module.unsure != 0 || (was_cut_short && !outranked);

  if (!rank.outranked.empty() && !latest_is_own) {
    return decide(module, FileState::other_counts, rank.outranked);
  }
  if (newer_applied && !latest_is_own) {
    return decide(
        module, FileState::other_counts,
        shown_revision(rank.kind, latest->revision) + "'s file has been applied, this core is " +
            (rank.kind == RevisionKind::created ? "older" : "of " + shown_revision(rank.kind, rank.revision)));
  }
  if (entry != nullptr && kind_of(entry->revision) == rank.kind && entry->revision >= rank.revision && !unfinished &&
      module.edited_back == 0) {
    module.loaded = module.content;
    return decide(module, FileState::applied, "");
  }
  if (outranked) return decide(module, FileState::applied, "");  // what a later revision's file says, too
  const AppliedFile* present = latest != nullptr ? latest : last;
  if (present != nullptr && present->content == module.content && !unfinished) {
    // Another revision with the same rows: a restart of the rollout, or a change of something else.
    note_revision(applied, text(module.name), module.content, rank.revision);
    module.loaded = module.content;
    return decide(module, FileState::applied, "");
  }
  if (rank.kind == RevisionKind::created && known != nullptr && latest_of(*known, RevisionKind::revision) != nullptr) {
    return decide(module, FileState::waiting,
                  "revisions were known when another file was applied, and aren't now: " + input.list.no_revisions);
  }
  if (!rank.follows.empty() && !unfinished)
    return decide(module, FileState::waiting, "to be loaded by another core: " + rank.follows);
  if (!rank.too_early.empty()) return decide(module, FileState::waiting, rank.too_early);
  std::string why = "the file of " + shown_revision(rank.kind, rank.revision) + " has another content than ";
  if (present == nullptr) {
    why = "nothing is known of an earlier load: the newest core's file counts";
  } else if (module.unsure != 0) {
    why = kUnsure;
  } else if (unfinished) {
    why = "ProxySQL started anew before it was certain that the load of the file had lasted";
  } else {
    why += latest != nullptr && latest->revision < rank.revision
               ? "that of " + shown_revision(rank.kind, latest->revision)
               : "what was applied last";
  }
  if (!rank.unasked.empty()) why += "; " + rank.unasked;
  return decide(module, FileState::to_be_loaded, why);
}

}  // namespace pulse
