// What has been applied from configuration files: how it is looked up, entered, and brought together from the cores.
// Pure.
#pragma once

#include <string_view>

#include "shm/segment/layout_applied.h"

namespace pulse {

// Revisions are numbers of a workload's template, or times of creation where those aren't known. The two aren't
// compared with each other; times are greater than this.
inline constexpr int64_t kFirstCreationTime = 1'000'000'000;

enum class RevisionKind { none, created, revision };
RevisionKind kind_of(int64_t revision);

// The module's history, or null. A count beyond the array is cut.
const AppliedModule* find_applied(const Applied& applied, std::string_view module);

// The entry with this content, or null.
const AppliedFile* find_content(const AppliedModule& module, const Content& content);

// The entry of the greatest revision of this kind, of several the one that was loaded last; null if there is none.
const AppliedFile* latest_of(const AppliedModule& module, RevisionKind kind);

// The entry that was loaded last, whatever its revision; null if there is none.
const AppliedFile* last_loaded(const AppliedModule& module);

// A core has loaded this content, of this revision (0: not known), at `now_s`. It comes after all that is there, also
// when the clock was set back.
void enter_load(Applied& applied, std::string_view module, const Content& content, int64_t revision, int64_t now_s);

// A file of this revision has this content, which was applied before: nothing was loaded.
void note_revision(Applied& applied, std::string_view module, const Content& content, int64_t revision);

// Adds what `from` knows: of each content the greatest revision and the last load. When there is no room, the entry of
// the least revision gives way, of several the one that was loaded first. Returns whether anything was new.
bool merge_applied(Applied& into, const Applied& from);

}  // namespace pulse
